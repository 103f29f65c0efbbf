"""A column: neurons that share their input lines, inhibit each other and learn. Reference form."""

from __future__ import annotations

import numpy as np

from racewave.golden import response, wta
from racewave.golden.config import ColumnConfig

__all__ = ["evaluate", "run"]


def evaluate(times: np.ndarray, weights: np.ndarray, column: ColumnConfig) -> np.ndarray:
    """Play volleys without learning.

    Parameters
    ----------
    times
        Input spike times, B x p; `column.none` where a line never spikes.
    weights
        q x p, 0..w_max.
    column
        Parameters.

    Returns
    -------
    numpy.ndarray
        Winners' spike times, B x q; `column.none` elsewhere.

    Examples
    --------
    >>> column = ColumnConfig(p=3, q=2, theta=4, t_in=8)
    >>> evaluate(np.array([[0, 1, 15]]), np.array([[7, 7, 7], [7, 0, 7]]), column).tolist()
    [[2, 15]]
    """
    potential = response.potentials(times, weights, column)
    raw = response.fire(potential, column.theta)
    at_fire = response.at_fire(potential, raw)
    return wta.wta(raw, at_fire, column.k, column.tie, column.none)


def run(
    volleys: np.ndarray,
    weights: np.ndarray,
    column: ColumnConfig,
    learn: bool = False,
    state: int | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play volleys, one wave each: a column is a layer of one.

    Parameters
    ----------
    volleys
        Input spike times, waves x p.
    weights
        Weights before the first wave, q x p.
    column
        Parameters.
    learn
        Apply STDP after every wave.
    state
        Random generator; `column.seed` if not given.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times, waves x q.
    weights : numpy.ndarray
        Weights after the last wave, q x p.
    state : int
        Random generator.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2, u_capture=1024, u_backoff=1024, u_min=1024)
    >>> times, weights, state = run(np.array([[0, 7]] * 3), np.array([[3, 3]]), column, learn=True)
    >>> times.tolist(), weights.tolist(), state
    ([[1], [1], [1]], [[6, 0]], 47772)
    """
    from racewave.golden import layer  # which needs `evaluate`

    fields = np.arange(column.p)[None]
    times, layers, state = layer.run(volleys, weights[None], fields, column, learn, state)
    return times, layers[0], state
