"""The fast forms of perceptron, dual voter and tally, compiled by numba on first use."""

from __future__ import annotations

import numpy as np

from racewave.golden import ballots

__all__ = ["classify_tally", "run_perceptron", "run_voter"]


def run_perceptron(
    times: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray | None,
    none: int,
    bits: int = 8,
    margin: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """Classify wave by wave and learn on the way: the fast form of `perceptron.run`.

    Examples
    --------
    >>> from racewave.golden import perceptron
    >>> waves, labels = np.array([[0, 7], [7, 0]] * 2), np.array([1, 2] * 2)
    >>> classes, rows = run_perceptron(waves, perceptron.blank(2, 3), labels, none=7)
    >>> classes.tolist(), rows.tolist()
    ([0, 0, 1, 2], [[-1, 2, -1], [-1, -1, 2]])
    """
    times = np.ascontiguousarray(times, np.uint8)
    known = np.full(len(times), -1) if labels is None else np.asarray(labels)
    rows, classes = np.array(rows, np.int8), np.zeros(len(times), np.uint8)
    ballots.correct(times, rows, known.astype(np.int64), none, 1 << (bits - 1), margin, classes)
    return classes, rows


def run_voter(
    times: np.ndarray,
    counters: np.ndarray,
    labels: np.ndarray | None,
    none: int,
    least: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Vote wave by wave and learn on the way: the fast form of `voter.run`.

    Examples
    --------
    >>> from racewave.golden import voter
    >>> waves, labels = np.array([[0, 7], [7, 0]] * 5), np.array([1, 2] * 5)
    >>> run_voter(waves, voter.blank(2, 3), labels, none=7)[0].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    times = np.ascontiguousarray(times, np.uint8)
    known = np.full(len(times), -1) if labels is None else np.asarray(labels)
    counters, classes = np.array(counters, np.uint8), np.zeros(len(times), np.uint8)
    ballots.vote(times, counters, known.astype(np.int64), none, least, classes)
    return classes, counters


def classify_tally(times: np.ndarray, table: np.ndarray, classes: int, none: int) -> np.ndarray:
    """Take the label of most winners: the fast form of `tally.classify`.

    Examples
    --------
    >>> waves = np.array([[0, 7, 0, 7], [7, 0, 0, 7], [7, 7, 7, 7]])
    >>> classify_tally(waves, np.array([2, 1, 1, 255]), classes=3, none=7).tolist()
    [1, 1, 0]
    """
    found = np.zeros(len(times), np.uint8)
    times, table = np.ascontiguousarray(times, np.uint8), np.ascontiguousarray(table, np.uint8)
    ballots.tally(times, table, classes, none, found)
    return found
