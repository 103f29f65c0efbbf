"""The fast forms of the dual voter and the tally, compiled by numba on first use."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from racewave.golden import voter

__all__ = ["classify_tally", "run_voter"]


def _jit(function: Any) -> Any:
    """Compile on first use; keep the code in numba's cache where there is a place for one."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # source not a file, or no folder that can be written
        return numba.njit(nogil=True)(function)


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
    >>> waves, labels = np.array([[0, 7], [7, 0]] * 5), np.array([1, 2] * 5)
    >>> run_voter(waves, voter.blank(2, 3), labels, none=7)[0].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    times = np.ascontiguousarray(times, np.uint8)
    known = np.full(len(times), -1) if labels is None else np.asarray(labels)
    counters, classes = np.array(counters, np.uint8), np.zeros(len(times), np.uint8)
    _vote(times, counters, known.astype(np.int64), none, least, classes)
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
    _tally(times, table, classes, none, found)
    return found


# Constants of the contract, as numba sees them.
LAST, MOST, VOTE = voter.CODES - 1, voter.MOST, voter.VOTE
(RIGHT_0, RIGHT_1), (OTHER_0, OTHER_1) = voter.RIGHT, voter.OTHER


@_jit
def _vote(times, counters, labels, none, least, classes):
    waves, outputs = times.shape
    count = counters.shape[2]
    votes = np.zeros(count, np.int64)
    for wave in range(waves):
        votes[:] = 0
        label = labels[wave]
        for output in range(outputs):
            time = times[wave, output]
            if time == none:
                continue
            row = counters[output, max(min(time, LAST), least)]
            for c in range(count):
                votes[c] += (row[c, 0] >= VOTE) + (row[c, 1] >= VOTE)
            if label < 0:
                continue
            for c in range(count):
                up_0, up_1 = (RIGHT_0, RIGHT_1) if c == label else (-OTHER_0, -OTHER_1)
                row[c, 0] = max(0, min(MOST, np.int64(row[c, 0]) + up_0))
                row[c, 1] = max(0, min(MOST, np.int64(row[c, 1]) + up_1))
        classes[wave] = np.argmax(votes)


@_jit
def _tally(times, table, count, none, classes):
    waves, outputs = times.shape
    votes = np.zeros(256, np.int64)
    for wave in range(waves):
        votes[:] = 0
        for output in range(outputs):
            if times[wave, output] != none:
                votes[table[output]] += 1
        classes[wave] = np.argmax(votes[:count])
