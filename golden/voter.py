"""The dual voter: a read-out that learns on line, on chip, from a label sent with the volley.

For every output, every time code min(time, 2) and every label there are two counters of 8 bits,
scaled by 32. A winner reads those of its own time code: each that has reached 112 is a vote, and
the label with most votes is the class. On a labelled wave, after the vote, the counters that were
read move: the first by +31 for the label and -1 for every other, the second by +17 and -15; 0..224.
Reference form; `racewave.golden.voting` holds the jitted one.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CODES", "MOST", "OTHER", "RIGHT", "VOTE", "blank", "codes", "run", "step", "votes"]

CODES = 3  # time codes: 0, 1, 2 or later
RIGHT = (31, 17)  # what the two counters of the label gain
OTHER = (1, 15)  # what those of every other lose
MOST = 224  # largest counter
VOTE = 112  # counters from here on vote


def blank(outputs: int, classes: int) -> np.ndarray:
    """Make the counters of a voter that has learnt nothing: outputs x codes x classes x 2.

    Examples
    --------
    >>> blank(4, 10).shape, int(blank(4, 10).max())
    ((4, 3, 10, 2), 0)
    """
    return np.zeros((outputs, CODES, classes, 2), np.uint8)


def codes(times: np.ndarray, least: int = 0) -> np.ndarray:
    """Time codes of spikes: min(time, 2), and at least the least that hardware has counters for.

    Examples
    --------
    >>> codes(np.array([0, 1, 2, 5])).tolist(), codes(np.array([0, 2]), least=1).tolist()
    ([0, 1, 2, 2], [1, 2])
    """
    return np.clip(times, least, CODES - 1).astype(np.int64)


def votes(times: np.ndarray, counters: np.ndarray, none: int, least: int = 0) -> np.ndarray:
    """Count the votes of one wave.

    Parameters
    ----------
    times
        Winners' spike times, outputs.
    counters
        Outputs x codes x classes x 2.
    none
        The no-spike code.
    least
        Least time code (`Config.readout_times`).

    Returns
    -------
    numpy.ndarray
        int64, classes.

    Examples
    --------
    >>> counters = blank(2, 3)
    >>> counters[0, 2, 1] = 112, 111
    >>> counters[1, 0, 2] = 224, 224
    >>> votes(np.array([4, 7]), counters, none=7).tolist()
    [0, 1, 0]
    """
    (won,) = np.nonzero(times != none)
    read = counters[won, codes(times[won], least)]  # winners x classes x 2
    return (read >= VOTE).sum(axis=(0, 2))


def step(
    times: np.ndarray, counters: np.ndarray, label: int, none: int, least: int = 0
) -> tuple[int, np.ndarray]:
    """Vote on one wave, then learn from its label.

    Parameters
    ----------
    times, counters, none, least
        As `votes` takes them.
    label
        Right class; negative: not known, nothing is learnt.

    Returns
    -------
    winner : int
        Class with most votes, the lowest among equals.
    counters : numpy.ndarray
        A new array if something was learnt.

    Examples
    --------
    >>> counters = blank(1, 3)
    >>> for _ in range(4):
    ...     winner, counters = step(np.array([0]), counters, label=2, none=7)
    >>> counters[0, 0].tolist(), winner
    ([[0, 0], [0, 0], [124, 68]], 0)
    >>> step(np.array([0]), counters, label=0, none=7)[0]
    2
    """
    winner = int(votes(times, counters, none, least).argmax())
    if label < 0:
        return winner, counters
    (won,) = np.nonzero(times != none)
    read = counters[won, codes(times[won], least)].astype(np.int64)
    change = np.tile(-np.array(OTHER), (counters.shape[2], 1))
    change[label] = RIGHT
    counters = counters.copy()
    counters[won, codes(times[won], least)] = np.clip(read + change, 0, MOST)
    return winner, counters


def run(
    times: np.ndarray,
    counters: np.ndarray,
    labels: np.ndarray | None,
    none: int,
    least: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Vote wave by wave, and learn on the way where there are labels.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs.
    counters, none, least
        As `votes` takes them.
    labels
        Waves; negative where not known. None: no wave has one.

    Returns
    -------
    classes : numpy.ndarray
        uint8, waves; the class of a wave is settled before its label is learnt.
    counters : numpy.ndarray
        After the last wave.

    Examples
    --------
    >>> waves, labels = np.array([[0, 7], [7, 0]] * 5), np.array([1, 2] * 5)
    >>> run(waves, blank(2, 3), labels, none=7)[0].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    classes = np.zeros(len(times), np.uint8)
    for wave, spikes in enumerate(times):
        label = -1 if labels is None else int(labels[wave])
        classes[wave], counters = step(spikes, counters, label, none, least)
    return classes, counters
