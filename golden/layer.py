"""A layer: equal columns on receptive fields, one random generator for all. Reference form."""

from __future__ import annotations

import numpy as np

from racewave.golden import column as one
from racewave.golden import stdp
from racewave.golden.config import ColumnConfig

__all__ = ["run", "step"]


def step(
    times: np.ndarray, weights: np.ndarray, state: int, column: ColumnConfig, learn: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play one wave on every column.

    Parameters
    ----------
    times
        Input spike times of each column's field, C x p.
    weights
        C x q x p.
    state
        The layer's random generator: one set of draws per wave serves all columns, or each synapse
        takes its own, column by column (`column.randomness`).
    column
        Parameters, the same for all columns.
    learn
        Apply STDP after the wave.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times, C x q.
    weights : numpy.ndarray
        C x q x p, a new array if learning.
    state : int
        Random generator.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2, u_capture=1024, u_backoff=1024, u_min=1024)
    >>> times, weights = np.array([[0, 0], [0, 7]]), np.array([[[3, 3]], [[3, 3]]])
    >>> out, weights, state = step(times, weights, 0xACE1, column, learn=True)
    >>> out.tolist(), weights.tolist()
    ([[0], [1]], [[[4, 4]], [[4, 2]]])
    """
    pairs = zip(times, weights, strict=True)
    out = np.stack([one.evaluate(x[None], w, column)[0] for x, w in pairs])
    if learn:
        decisions, state = stdp.decide(state, column, len(weights))
        each = zip(times, weights, out, decisions, strict=True)
        weights = np.stack([stdp.update(w, x, y, d, column) for x, w, y, d in each])
    return out, weights, state


def run(
    volleys: np.ndarray,
    weights: np.ndarray,
    fields: np.ndarray,
    column: ColumnConfig,
    learn: bool = False,
    state: int | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play volleys on a layer, one wave each.

    Parameters
    ----------
    volleys
        Spike times of all input lines, waves x lines.
    weights
        Weights before the first wave, C x q x p.
    fields
        Which line feeds which synapse, C x p (`Config.field_lines()`).
    column
        Parameters, the same for all columns.
    learn
        Apply STDP after every wave.
    state
        Random generator; `column.seed` if not given.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times, waves x (C * q), column by column.
    weights : numpy.ndarray
        Weights after the last wave, C x q x p.
    state : int
        Random generator.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2)
    >>> weights = np.array([[[3, 3]], [[3, 3]]])
    >>> run(np.array([[0, 0, 7]]), weights, np.array([[0, 1], [1, 2]]), column)[0].tolist()
    [[0, 1]]
    """
    state = column.seed if state is None else state
    times = np.full((len(volleys), len(fields) * column.q), column.none, column.times_dtype)
    for wave, volley in enumerate(volleys):
        out, weights, state = step(volley[fields], weights, state, column, learn)
        times[wave] = out.reshape(-1)
    return times, weights, state
