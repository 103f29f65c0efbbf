"""Volley files: spike times in, spike times and weights out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from racewave.golden import archive, weights
from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.weights import Layers

if TYPE_CHECKING:
    from racewave.golden.network import Result

__all__ = ["Volleys", "check_times", "load", "save", "save_result"]


@dataclass(frozen=True, init=False)
class Volleys:
    """What an input file holds.

    Parameters
    ----------
    times
        Spike times, waves x lines; the no-spike code where a line never spikes.
    labels
        One per wave, or None.
    layers
        Weights of each layer to start from, C x q x p, or None; an array for the only layer.
    """

    times: np.ndarray
    labels: np.ndarray | None
    layers: tuple[np.ndarray, ...] | None

    def __init__(
        self, times: np.ndarray, labels: np.ndarray | None = None, layers: Layers | None = None
    ) -> None:
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "layers", None if layers is None else weights.as_tuple(layers))


def check_times(times: np.ndarray, config: Config) -> np.ndarray:
    """Check spike times for a network and return them in its type.

    Raises
    ------
    BadInput
        Not unsigned integers, another shape, or a time that is neither an input step nor "none".

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> lone = Config(column=ColumnConfig(p=2, q=1, theta=3, t_in=2))
    >>> check_times(np.array([[0, 2]]), lone)
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: times must be in 0..1 (t_in 2) or 15 (no spike), not 2
    """
    times = np.asarray(times)
    column = config.column
    if times.dtype.kind not in "ui":
        raise BadInput(f"times must be unsigned integers, not {times.dtype}")
    if times.ndim != 2 or times.shape[1] != config.lines:
        found = " x ".join(map(str, times.shape)) or "a single number"
        raise BadInput(f"times must be waves x {config.lines} (input lines), not {found}")
    wrong = ((times < 0) | (times >= column.t_in)) & (times != column.none)
    if wrong.any():
        rule = "0" if column.t_in == 1 else f"in 0..{column.t_in - 1}"
        raise BadInput(
            f"times must be {rule} (t_in {column.t_in}) or {column.none} (no spike), "
            f"not {times[wrong][0]}"
        )
    return np.ascontiguousarray(times.astype(column.times_dtype))


def load(path: str | Path, config: Config) -> Volleys:
    """Read a volley file for a network.

    Raises
    ------
    BadInput
        One line: the file, what must hold, what was found.

    Examples
    --------
    >>> import tempfile
    >>> from racewave.golden.config import ColumnConfig
    >>> lone = Config(column=ColumnConfig(p=2, q=1, theta=3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/v.npz", Volleys(np.array([[0, 7]], np.uint8)))
    ...     load(f"{folder}/v.npz", lone).times.tolist()
    [[0, 7]]
    """
    what = f"volley file '{path}'"
    arrays = archive.read(path, "volley")
    if "times" not in arrays:
        found = ", ".join(f"'{name}'" for name in sorted(arrays)) or "nothing"
        raise BadInput(f"{what} must contain 'times', not only {found}")
    try:
        times = check_times(arrays["times"], config)
        labels = _check_labels(arrays.get("labels"), len(times))
        layers = weights.from_arrays(arrays, config)
    except BadInput as error:
        raise BadInput(f"{what}: {error}") from None
    return Volleys(times, labels, layers)


def save(path: str | Path, volleys: Volleys) -> None:
    """Write a volley file."""
    arrays = {"times": volleys.times}
    if volleys.labels is not None:
        arrays["labels"] = volleys.labels
    if volleys.layers is not None:
        arrays |= weights.to_arrays(volleys.layers, lone=False)
    archive.write(path, arrays)


def save_result(path: str | Path, result: Result, learned: bool) -> None:
    """Write an output file: `times`, and what else a run gave.

    Weights if learned, named as in model files (those of one column are q x p); `readout` if a
    voter learnt; `classes` and `cycles` where they exist.
    """
    arrays: dict[str, np.ndarray] = {"times": result.times}
    if learned:
        arrays |= weights.to_arrays(result.layers, lone=len(result.layers[0]) == 1)
    for name in ("readout", "classes", "cycles"):
        value = getattr(result, name)
        if value is not None:
            arrays[name] = value
    archive.write(path, arrays)


def _check_labels(labels: np.ndarray | None, waves: int) -> np.ndarray | None:
    if labels is None:
        return None
    if labels.dtype.kind not in "ui" or labels.shape != (waves,):
        found = f"{labels.dtype} {' x '.join(map(str, labels.shape))}"
        raise BadInput(f"labels must be {waves} integers (one per wave), not {found}")
    if waves and labels.min() < 0:
        raise BadInput(f"labels must be 0 or more, not {labels.min()}")
    return labels
