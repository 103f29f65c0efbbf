"""The golden model's fast form, with the weights after every wave instead of the last only."""

from __future__ import annotations

import numpy as np

from racewave.golden import fast
from racewave.golden.config import ColumnConfig

__all__ = ["history"]


def history(
    volleys: np.ndarray, weights: np.ndarray, fields: np.ndarray, column: ColumnConfig, state: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play volleys with learning, as `golden.fast.run_layer` does, and keep every step.

    Parameters
    ----------
    volleys, weights, fields, column, state
        As `golden.layer.run` takes them.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times, waves x (C * q).
    weights : numpy.ndarray
        Weights after each wave, waves x C x q x p.
    state : int
        Random generator.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2, u_capture=1024, u_min=1024)
    >>> volleys, weights = np.array([[0, 0], [0, 0]]), np.array([[[3, 3]]], np.uint8)
    >>> history(volleys, weights, np.array([[0, 1]]), column, 0xACE1)[1].tolist()
    [[[[4, 4]]], [[[5, 5]]]]
    """
    layer = fast.Layer(weights, fields, column, state, fast.suits_events(volleys, column, True))
    times, after = layer.trace(volleys)
    return times, layer.restore(after), layer.state
