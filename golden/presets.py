"""Named configs, stored as TOML beside this file."""

from importlib import resources

from racewave.golden.config import Config, from_toml
from racewave.golden.errors import BadInput, nearest

__all__ = ["load", "names", "text"]


def names() -> list[str]:
    """Names of all presets, sorted.

    Examples
    --------
    >>> "cmu-cvt" in names()
    True
    """
    folder = resources.files("racewave.golden") / "presets"
    return sorted(f.name[: -len(".toml")] for f in folder.iterdir() if f.name.endswith(".toml"))


def text(name: str) -> str:
    """The commented TOML of a preset.

    Raises
    ------
    BadInput
        No preset has this name.
    """
    if name not in names():
        raise BadInput(f"preset or file must exist, not '{name}'{nearest(name, names())}")
    folder = resources.files("racewave.golden") / "presets"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def load(name: str) -> Config:
    """The config of a preset; raises `BadInput` for an unknown name.

    Examples
    --------
    >>> load("mnist-625").columns
    625
    """
    return from_toml(text(name), f"preset {name}")
