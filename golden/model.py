"""A model is a config with weights; its file is an `.npz` without pickles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from racewave.golden import archive, kinds, weights
from racewave.golden.config import Config, from_dict
from racewave.golden.errors import BadInput
from racewave.golden.weights import Layers

__all__ = ["Model", "initial", "load", "save"]

FORMAT = 1


@dataclass(frozen=True, init=False)
class Model:
    """A network ready to run.

    Parameters
    ----------
    config
        What the network is.
    layers
        Weights of each layer, C x q x p, unsigned, 0..w_max; an array for the only layer.
    readout
        Table of the read-out as `racewave.golden.kinds` says, or None if the network has none
        (yet).
    lfsr_states
        Random generator of each layer where training ended; runs start at the seeds all the same,
        as hardware does at power-up.

    Raises
    ------
    BadInput
        A shape or a value that does not fit the config.
    """

    config: Config
    layers: tuple[np.ndarray, ...]
    readout: np.ndarray | None
    lfsr_states: tuple[int, ...]

    def __init__(
        self,
        config: Config,
        layers: Layers,
        readout: np.ndarray | None = None,
        lfsr_states: Sequence[int] = (),
    ) -> None:
        seeds = tuple(stage.column.seed for stage in config.stages)
        fields = {
            "config": config,
            "layers": weights.check(layers, config),
            "readout": None if readout is None else kinds.check(readout, config),
            "lfsr_states": _check_states(tuple(lfsr_states) or seeds, len(seeds)),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the only layer; ValueError if there are several."""
        return weights.only(self.layers)

    def with_weights(self, layers: Layers) -> Model:
        """Return the same model with other column weights (C x q x p; lone column: q x p)."""
        return replace(self, layers=layers)


def initial(config: Config, seed: int | None = None) -> Model:
    """Make the untrained model of a config.

    Parameters
    ----------
    config
        What the network is; `initial_w` of its layers is a value, or a range to draw from.
    seed
        Of the draw; `config.train.seed` if not given.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> initial(presets.load("cmu-cvt")).weights.shape
    (1, 12, 32)
    """
    drawn = weights.draw(config, config.train.seed if seed is None else seed)
    return Model(config, drawn, kinds.blank(config))


def save(path: str | Path, model: Model) -> None:
    """Write a model file: weights, `readout` (if any), `lfsr_state`, and `config` as JSON.

    Weights are `weights` (a lone column's as q x p), or of several layers `layer0.weights`,
    `layer1.weights`, ... with one `lfsr_state` each.

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
    states = np.array(model.lfsr_states, np.uint16)
    arrays = {"format": np.array(FORMAT, np.uint16), "config": np.array(text)}
    arrays |= weights.to_arrays(model.layers, lone=model.config.input is None)
    arrays["lfsr_state"] = states[0] if len(states) == 1 else states
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
    if "config" not in arrays:
        raise BadInput(f"{what} must contain 'config', not only {_names(arrays)}")
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
    unknown = set(arrays) - {"format", "config", "lfsr_state", "readout", *weights.names(config)}
    if unknown:
        raise BadInput(f"{what} must not contain '{min(unknown)}'")
    try:
        layers = weights.from_arrays(arrays, config)
        if layers is None:
            wanted = "', '".join(weights.names(config))
            raise BadInput(f"it must contain '{wanted}', not only {_names(arrays)}")
        return Model(config, layers, arrays.get("readout"), states_in(arrays, config))
    except BadInput as error:
        raise BadInput(f"{what}: {error}") from None


def states_in(arrays: dict[str, np.ndarray], config: Config) -> tuple[int, ...]:
    """Random generators in a file: one number, or one per layer; the seeds if not given."""
    if "lfsr_state" not in arrays:
        return ()
    states, count = arrays["lfsr_state"], len(config.stages)
    if states.dtype.kind not in "ui" or states.shape != (() if count == 1 else (count,)):
        wanted = "one integer" if count == 1 else f"{count} integers (layers)"
        raise BadInput(f"lfsr_state must be {wanted}, not {states.dtype} {states.shape}")
    return tuple(np.atleast_1d(states).tolist())


def _check_states(states: tuple[int, ...], count: int) -> tuple[int, ...]:
    if len(states) != count:
        raise BadInput(f"lfsr_states must be {count} (layers), not {len(states)}")
    for state in states:
        if not 1 <= state <= 65_535:
            raise BadInput(f"lfsr_state must be in 1..65535, not {state}")
    return states


def _scalar(value: np.ndarray, name: str, what: str) -> int:
    if value.dtype.kind not in "ui" or value.shape != ():
        raise BadInput(f"{what}: {name} must be one integer, not {value.dtype} {value.shape}")
    return int(value)


def _names(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(arrays)) or "nothing"
