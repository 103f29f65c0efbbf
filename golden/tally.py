"""The tally: every neuron has a label, and the label with most winners is the class.

Labels are counted off line: a neuron gets the label it won for most often. Reference form;
`racewave.golden.voting` holds the jitted one of `classify`.
"""

from __future__ import annotations

import numpy as np

__all__ = ["UNKNOWN", "classify", "count", "labels"]

UNKNOWN = 255  # label of a neuron that never won


def count(times: np.ndarray, labels: np.ndarray, classes: int, none: int) -> np.ndarray:
    """Count how often each neuron won for each label.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs.
    labels
        Waves.
    classes
        Labels are 0..classes-1.
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        int64, outputs x classes.

    Examples
    --------
    >>> count(np.array([[0, 7], [7, 1], [2, 3]]), np.array([0, 1, 1]), classes=2, none=7).tolist()
    [[1, 1], [0, 2]]
    """
    won = (times != none).astype(np.int64)
    return np.stack([won[labels == label].sum(axis=0) for label in range(classes)], axis=1)


def labels(counts: np.ndarray) -> np.ndarray:
    """Give every neuron the label it won for most often: the lowest among equals.

    Returns
    -------
    numpy.ndarray
        uint8, outputs; 255 for a neuron that never won.

    Examples
    --------
    >>> labels(np.array([[1, 1], [0, 2], [0, 0]])).tolist()
    [0, 1, 255]
    """
    return np.where(counts.any(axis=1), counts.argmax(axis=1), UNKNOWN).astype(np.uint8)


def classify(times: np.ndarray, table: np.ndarray, classes: int, none: int) -> np.ndarray:
    """Take the label that most winners have; the lowest among equals.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs.
    table
        Labels of the outputs; 255 has no vote.
    classes
        Labels are 0..classes-1.
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        uint8, waves.

    Examples
    --------
    >>> waves = np.array([[0, 7, 0, 7], [7, 0, 0, 7], [7, 7, 7, 7]])
    >>> classify(waves, np.array([2, 1, 1, 255]), classes=3, none=7).tolist()
    [1, 1, 0]
    """
    won = times != none
    found = np.stack([(won & (table == label)).sum(axis=1) for label in range(classes)], axis=1)
    return found.argmax(axis=1).astype(np.uint8)
