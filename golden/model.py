"""A model is a config with weights; its file is an `.npz` without pickles."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from racewave.golden import archive
from racewave.golden.config import Config, from_dict
from racewave.golden.errors import BadInput

__all__ = ["Model", "check_weights", "initial", "load", "save"]

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """A network ready to run.

    Parameters
    ----------
    config
        What the network is.
    weights
        C x q x p, unsigned, 0..w_max.
    readout
        Signed read-out weights, (C * q) x classes, or None if the network has no read-out (yet).
    lfsr_state
        Random generator where training ended; runs start at `config.column.seed` all the same, as
        hardware does at power-up.

    Raises
    ------
    BadInput
        A shape or a value that does not fit the config.
    """

    config: Config
    weights: np.ndarray
    readout: np.ndarray | None = None
    lfsr_state: int = 0

    def __post_init__(self) -> None:
        weights = check_weights(self.weights, self.config)
        object.__setattr__(self, "weights", weights)
        if not self.lfsr_state:
            object.__setattr__(self, "lfsr_state", self.config.column.seed)
        if not 1 <= self.lfsr_state <= 65_535:
            raise BadInput(f"lfsr_state must be in 1..65535, not {self.lfsr_state}")
        if self.readout is not None:
            object.__setattr__(self, "readout", _check_readout(self.readout, self.config))

    def with_weights(self, weights: np.ndarray) -> Model:
        """Return the same model with other column weights (C x q x p; lone column: q x p)."""
        return replace(self, weights=weights)


def initial(config: Config, seed: int | None = None) -> Model:
    """Make the untrained model of a config.

    Parameters
    ----------
    config
        What the network is; `config.column.initial_w` is a value, or a range to draw from.
    seed
        Of the draw; `config.train.seed` if not given.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> initial(presets.load("cmu-cvt")).weights.shape
    (1, 12, 32)
    """
    column = config.column
    low, high = column.initial_range
    rng = np.random.default_rng(config.train.seed if seed is None else seed)
    shape = (config.columns, column.q, column.p)
    return Model(config, rng.integers(low, high, shape, np.uint8, endpoint=True))


def save(path: str | Path, model: Model) -> None:
    """Write a model file: arrays `weights`, `readout` (if any), `lfsr_state`, and `config` as JSON.

    A lone column's weights are stored as q x p.

    Examples
    --------
    >>> import tempfile
    >>> from racewave.golden import presets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/m.npz", initial(presets.load("cmu-cvt")))
    ...     load(f"{folder}/m.npz").config.name
    'cmu-cvt'
    """
    archive.write(path, to_arrays(model))


def to_arrays(model: Model) -> dict[str, np.ndarray]:
    """The arrays of a model file."""
    text = json.dumps(model.config.to_dict(), sort_keys=True)
    arrays = {
        "format": np.array(FORMAT, np.uint16),
        "config": np.array(text),
        "weights": model.weights[0] if model.config.input is None else model.weights,
        "lfsr_state": np.array(model.lfsr_state, np.uint16),
    }
    if model.readout is not None:
        arrays["readout"] = model.readout
    return arrays


def load(path: str | Path) -> Model:
    """Read a model file and check every shape and range.

    Raises
    ------
    BadInput
        One line: the file, what must hold, what was found.

    Examples
    --------
    >>> load("no.npz")
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: model file 'no.npz' cannot be read: No such file or directory
    """
    what = f"model file '{path}'"
    return from_arrays(archive.read(path, "model"), what)


def from_arrays(arrays: dict[str, np.ndarray], what: str) -> Model:
    """Check the arrays of a model file; `what` names it in messages."""
    for name in ("config", "weights"):
        if name not in arrays:
            raise BadInput(f"{what} must contain '{name}', not only {_names(arrays)}")
    unknown = set(arrays) - {"format", "config", "weights", "lfsr_state", "readout"}
    if unknown:
        raise BadInput(f"{what} must not contain '{min(unknown)}'")
    if _scalar(arrays.get("format", np.array(FORMAT)), "format", what) != FORMAT:
        raise BadInput(f"{what}: format must be {FORMAT}, not {arrays['format']}")
    text = arrays["config"]
    if text.dtype.kind != "U" or text.shape != ():
        raise BadInput(f"{what}: config must be a JSON text, not {text.dtype} {text.shape}")
    try:
        data = json.loads(str(text))
    except (json.JSONDecodeError, RecursionError):
        raise BadInput(f"{what}: config must be a JSON text, not {str(text)[:40]!r}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{what}: config must be a JSON object, not {str(text)[:40]!r}")
    config = from_dict(data, what)
    state = _scalar(arrays.get("lfsr_state", np.array(config.column.seed)), "lfsr_state", what)
    if not 1 <= state <= 65_535:
        raise BadInput(f"{what}: lfsr_state must be in 1..65535, not {state}")
    try:
        return Model(config, arrays["weights"], arrays.get("readout"), state)
    except BadInput as error:
        raise BadInput(f"{what}: {error}") from None


def check_weights(weights: np.ndarray, config: Config) -> np.ndarray:
    """Check column weights and return them as uint8, C x q x p.

    Raises
    ------
    BadInput
        Not integers, or another shape or range than the config's.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig, Config
    >>> lone = Config(column=ColumnConfig(p=2, q=1, theta=3))
    >>> check_weights(np.array([[7, 8]]), lone)
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: weights must be in 0..7 (w_max), not 8
    """
    weights = np.asarray(weights)
    column = config.column
    full = (config.columns, column.q, column.p)
    allowed = (full, full[1:]) if config.columns == 1 else (full,)
    if weights.dtype.kind not in "ui":
        raise BadInput(f"weights must be integers, not {weights.dtype}")
    if weights.shape not in allowed:
        wanted = " or ".join(" x ".join(map(str, shape)) for shape in allowed[::-1])
        raise BadInput(f"weights must be {wanted}, not {' x '.join(map(str, weights.shape))}")
    for value in (weights.min(), weights.max()):
        if not 0 <= value <= column.w_max:
            raise BadInput(f"weights must be in 0..{column.w_max} (w_max), not {value}")
    return np.ascontiguousarray(weights.reshape(full).astype(np.uint8))


def _check_readout(readout: np.ndarray, config: Config) -> np.ndarray:
    if config.readout is None:
        raise BadInput("readout must come with a [readout] table in the config")
    shape = (config.outputs, config.readout.classes)
    if readout.dtype.kind not in "ui":
        raise BadInput(f"readout must be integers, not {readout.dtype}")
    if readout.shape != shape:
        found = " x ".join(map(str, readout.shape))
        raise BadInput(f"readout must be {shape[0]} x {shape[1]}, not {found}")
    half = 1 << (config.readout.bits - 1)
    for value in (readout.min(), readout.max()):
        if not -half <= value < half:
            raise BadInput(
                f"readout must be in {-half}..{half - 1} ({config.readout.bits} bits), not {value}"
            )
    return np.ascontiguousarray(readout.astype(np.int8))


def _scalar(value: np.ndarray, name: str, what: str) -> int:
    if value.dtype.kind not in "ui" or value.shape != ():
        raise BadInput(f"{what}: {name} must be one integer, not {value.dtype} {value.shape}")
    return int(value)


def _names(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(arrays)) or "nothing"
