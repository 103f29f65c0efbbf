"""The linear read-out: every winner selects a row of integer weights, the largest sum is the class.

Reference form; `racewave.golden.fast` holds the threaded one.
"""

from __future__ import annotations

import numpy as np

__all__ = ["classify", "slots", "sums"]


def sums(times: np.ndarray, rows: np.ndarray, none: int) -> np.ndarray:
    """Add the rows of all winners of each wave.

    Parameters
    ----------
    times
        Winners' spike times, B x outputs.
    rows
        Signed weights, outputs x classes.
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        int64, B x classes.

    Examples
    --------
    >>> sums(np.array([[3, 7, 0]]), np.array([[1, -2], [5, 5], [0, 9]], np.int8), none=7).tolist()
    [[1, 7]]
    """
    return (times != none).astype(np.int64) @ rows.astype(np.int64)


def slots(times: np.ndarray, q: int, k: int, none: int) -> np.ndarray:
    """List the rows that the winners of each wave select.

    Parameters
    ----------
    times
        Winners' spike times, B x (C * q).
    q, k
        Neurons and winners per column.
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        int32, B x (C * k); C * q, one past the last row, where a column has fewer than k winners.

    Examples
    --------
    >>> slots(np.array([[7, 0, 7, 7], [1, 7, 7, 0]]), q=2, k=1, none=7).tolist()
    [[1, 4], [0, 3]]
    """
    waves, outputs = times.shape
    chosen = np.full((waves, outputs // q, k), outputs, np.int32)
    won = (times != none).reshape(waves, outputs // q, q)
    wave, column, neuron = np.nonzero(won)
    rank = np.cumsum(won, axis=2, dtype=np.int32)[wave, column, neuron] - 1
    chosen[wave, column, rank] = column * q + neuron
    return chosen.reshape(waves, -1)


def classify(times: np.ndarray, rows: np.ndarray, none: int) -> np.ndarray:
    """Pick the class with the largest sum; the lowest index among equals.

    Returns
    -------
    numpy.ndarray
        uint8, B.

    Examples
    --------
    >>> classify(np.array([[0, 7], [7, 7]]), np.array([[1, 2], [5, 5]], np.int8), none=7).tolist()
    [1, 0]
    """
    return sums(times, rows, none).argmax(axis=1).astype(np.uint8)
