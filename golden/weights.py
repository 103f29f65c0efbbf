"""Column weights of a network: an array per layer, their checks, their names in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.stage import Stage

__all__ = ["Layers", "as_tuple", "check", "draw", "from_arrays", "names", "only", "to_arrays"]

Layers = np.ndarray | Sequence[np.ndarray]


def as_tuple(layers: Layers) -> tuple[np.ndarray, ...]:
    """Take the weights of all layers, or of the only one."""
    return (layers,) if isinstance(layers, np.ndarray) else tuple(layers)


def only(layers: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the weights of the only layer.

    Raises
    ------
    ValueError
        There are several layers.

    Examples
    --------
    >>> only((np.zeros(2), np.zeros(3)))
    Traceback (most recent call last):
    ...
    ValueError: weights must be those of 1 layer, not of 2: use layers
    """
    if len(layers) != 1:
        raise ValueError(f"weights must be those of 1 layer, not of {len(layers)}: use layers")
    return layers[0]


def names(config: Config) -> list[str]:
    """Names of the arrays in files: `weights`, or `layer0.weights`, `layer1.weights`, ...

    Examples
    --------
    >>> names(Config())
    ['weights']
    """
    count = len(config.stages)
    return ["weights"] if count == 1 else [f"layer{n}.weights" for n in range(count)]


def check(layers: Layers, config: Config) -> tuple[np.ndarray, ...]:
    """Check the weights of a network and return them as uint8, C x q x p each.

    Raises
    ------
    BadInput
        Another number of layers, not integers, or another shape or range than the config's.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> lone = Config(column=ColumnConfig(p=2, q=1, theta=3))
    >>> check(np.array([[7, 8]]), lone)
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: weights must be in 0..7 (w_max), not 8
    """
    layers, stages = as_tuple(layers), config.stages
    if len(layers) != len(stages):
        raise BadInput(f"weights must be those of {len(stages)} layers, not of {len(layers)}")
    every = zip(names(config), layers, stages, strict=True)
    return tuple(_check_one(name, weights, stage) for name, weights, stage in every)


def _check_one(name: str, weights: np.ndarray, stage: Stage) -> np.ndarray:
    weights = np.asarray(weights)
    full = stage.shape
    allowed = (full, full[1:]) if stage.columns == 1 else (full,)
    if weights.dtype.kind not in "ui":
        raise BadInput(f"{name} must be integers, not {weights.dtype}")
    if weights.shape not in allowed:
        wanted = " or ".join(" x ".join(map(str, shape)) for shape in allowed[::-1])
        raise BadInput(f"{name} must be {wanted}, not {' x '.join(map(str, weights.shape))}")
    for value in (weights.min(), weights.max()):
        if not 0 <= value <= stage.column.w_max:
            raise BadInput(f"{name} must be in 0..{stage.column.w_max} (w_max), not {value}")
    return np.ascontiguousarray(weights.reshape(full).astype(np.uint8))


def draw(config: Config, seed: int | Sequence[int], low: int | None = None) -> tuple:
    """Draw weights for every layer.

    Parameters
    ----------
    config
        What the network is.
    seed
        Of numpy's default generator.
    low
        Smallest weight of a uniform draw up to w_max; without it, each layer's `initial_w`.

    Returns
    -------
    tuple of numpy.ndarray
        uint8, C x q x p each.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for stage in config.stages:
        span = stage.column.initial_range if low is None else (low, stage.column.w_max)
        drawn.append(rng.integers(*span, stage.shape, np.uint8, endpoint=True))
    return tuple(drawn)


def to_arrays(layers: tuple[np.ndarray, ...], lone: bool) -> dict[str, np.ndarray]:
    """Arrays for a file; a lone column's weights are stored as q x p."""
    if len(layers) == 1:
        return {"weights": layers[0][0] if lone else layers[0]}
    return {f"layer{n}.weights": weights for n, weights in enumerate(layers)}


def from_arrays(arrays: Mapping[str, np.ndarray], config: Config) -> tuple[np.ndarray, ...] | None:
    """Check and return the weights in a file; None if it has none.

    Raises
    ------
    BadInput
        Weights of some layers only, or what `check` refuses.

    Examples
    --------
    >>> from_arrays({"times": np.zeros((1, 32))}, Config()) is None
    True
    """
    found = [name for name in arrays if name == "weights" or name.endswith(".weights")]
    if not found:
        return None
    wanted = names(config)
    for name in wanted:
        if name not in arrays:
            raise BadInput(f"weights must be given as {_list(wanted)}, not as {_list(found)}")
    return check([arrays[name] for name in wanted], config)


def _list(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
