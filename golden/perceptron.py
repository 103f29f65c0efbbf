"""The perceptron: a linear read-out that learns on line, on chip, from labels of volleys.

Every winner selects a row of signed weights, as for the linear read-out, and the largest sum is the
class. On a labelled wave, after that, the label's sum must lead those of all other classes by a
margin; if it does not, every winner's row gains one for the label and loses one for the rival, the
other class with the largest sum. Weights saturate. Reference form; `racewave.golden.voting` holds
the jitted one. Ref: Rosenblatt, Psychological Review 65 (1958); Krauth & Mezard, J. Phys. A 20
(1987), for the margin.
"""

from __future__ import annotations

import numpy as np

from racewave.golden import readout

__all__ = ["blank", "rival", "run", "step"]


def blank(outputs: int, classes: int) -> np.ndarray:
    """Make the weights of a perceptron that has learnt nothing: int8, outputs x classes.

    Examples
    --------
    >>> blank(2, 3).tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    return np.zeros((outputs, classes), np.int8)


def rival(sums: np.ndarray, label: int) -> int:
    """Find the largest sum but the label's; the lowest class among equals.

    Examples
    --------
    >>> rival(np.array([4, 9, 4]), label=1), rival(np.array([4, 9, 4]), label=0)
    (0, 1)
    """
    others = np.flatnonzero(np.arange(len(sums)) != label)
    return int(others[sums[others].argmax()])


def step(
    times: np.ndarray, rows: np.ndarray, label: int, none: int, bits: int = 8, margin: int = 200
) -> tuple[int, np.ndarray]:
    """Classify one wave, then learn from its label.

    Parameters
    ----------
    times
        Winners' spike times, outputs.
    rows
        Signed weights, outputs x classes.
    label
        Right class; negative: not known, nothing is learnt.
    none
        The no-spike code.
    bits
        Of a weight: it saturates at -2^(bits-1) and 2^(bits-1) - 1.
    margin
        By so much the label's sum must lead, or the winners' rows change.

    Returns
    -------
    winner : int
        Class with the largest sum, the lowest among equals.
    rows : numpy.ndarray
        A new array if something was learnt.

    Examples
    --------
    >>> winner, rows = step(np.array([0, 7]), blank(2, 3), label=2, none=7, margin=2)
    >>> winner, rows.tolist()
    (0, [[-1, 0, 1], [0, 0, 0]])
    >>> winner, rows = step(np.array([0, 7]), rows, label=2, none=7, margin=2)
    >>> winner, rows.tolist()
    (2, [[-1, -1, 2], [0, 0, 0]])
    >>> step(np.array([0, 7]), rows, label=2, none=7, margin=2)[1] is rows
    True
    """
    sums = readout.sums(times[None], rows, none)[0]
    winner = int(sums.argmax())
    if label < 0:
        return winner, rows
    other = rival(sums, label)
    if sums[label] - sums[other] >= margin:
        return winner, rows
    won, half = times != none, 1 << (bits - 1)
    changed = rows.astype(np.int64)
    changed[won, label] += 1
    changed[won, other] -= 1
    return winner, np.clip(changed, -half, half - 1).astype(np.int8)


def run(
    times: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray | None,
    none: int,
    bits: int = 8,
    margin: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """Classify wave by wave, and learn on the way where there are labels.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs.
    rows, none, bits, margin
        As `step` takes them.
    labels
        Waves; negative where not known. None: no wave has one.

    Returns
    -------
    classes : numpy.ndarray
        uint8, waves; the class of a wave is settled before its label is learnt.
    rows : numpy.ndarray
        int8, after the last wave.

    Examples
    --------
    >>> waves, labels = np.array([[0, 7], [7, 0]] * 2), np.array([1, 2] * 2)
    >>> classes, rows = run(waves, blank(2, 3), labels, none=7)
    >>> classes.tolist(), rows.tolist()
    ([0, 0, 1, 2], [[-1, 2, -1], [-1, -1, 2]])
    """
    classes = np.zeros(len(times), np.uint8)
    for wave, spikes in enumerate(times):
        label = -1 if labels is None else int(labels[wave])
        classes[wave], rows = step(spikes, rows, label, none, bits, margin)
    return classes, rows
