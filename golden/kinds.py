"""The kinds of read-outs, all in one place: the table of each, its checks, how it classifies.

========== ========================================= =====================================
kind       table                                     a class is
========== ========================================= =====================================
linear     int8, outputs x classes                   the largest sum of the winners' rows
perceptron int8, outputs x classes                   the largest sum of the winners' rows
dual-voter uint8, outputs x 3 codes x classes x 2    the label with most counters >= 112
tally      uint8, outputs                            the label that most winners have
========== ========================================= =====================================
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from racewave.golden import perceptron, readout, tally, voter
from racewave.golden.config import Config
from racewave.golden.errors import BadInput

__all__ = ["Form", "blank", "check", "check_labels", "play", "shape"]

Form = Literal["fast", "reference"]


def shape(config: Config) -> tuple[int, ...]:
    """Shape of the table of a config's read-out.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> shape(presets.load("digits"))
    (48, 10)
    """
    if config.readout is None:
        raise BadInput("readout must come with a [readout] table in the config")
    outputs, classes = config.outputs, config.readout.classes
    return {
        "linear": (outputs, classes),
        "perceptron": (outputs, classes),
        "dual-voter": (outputs, voter.CODES, classes, 2),
        "tally": (outputs,),
    }[config.readout.kind]


def blank(config: Config) -> np.ndarray | None:
    """Table of a read-out before training: only one that learns on line has it."""
    if config.readout is None or not config.readout.learns:
        return None
    empty = {"perceptron": perceptron.blank, "dual-voter": voter.blank}[config.readout.kind]
    return empty(config.outputs, config.readout.classes)


def check(table: np.ndarray, config: Config) -> np.ndarray:
    """Check a read-out's table and return it in its type.

    Raises
    ------
    BadInput
        No read-out, not integers, or another shape or range than the config's.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> check(np.full((48, 10), 128), presets.load("digits"))
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: readout must be in -128..127 (8 bits), not 128
    """
    wanted, rules = shape(config), config.readout
    assert rules is not None  # shape() has asked
    if table.dtype.kind not in "ui":
        raise BadInput(f"readout must be integers, not {table.dtype}")
    if table.shape != wanted:
        found = " x ".join(map(str, table.shape))
        raise BadInput(f"readout must be {' x '.join(map(str, wanted))}, not {found}")
    half = 1 << (rules.bits - 1)
    signed = -half, half - 1, f"{rules.bits} bits"
    low, high, what = {
        "linear": signed,
        "perceptron": signed,
        "dual-voter": (0, voter.MOST, "a counter"),
        "tally": (0, rules.classes - 1, f"a label) or {tally.UNKNOWN} (none"),
    }[rules.kind]
    wrong = (table < low) | (table > high)
    if rules.kind == "tally":
        wrong &= table != tally.UNKNOWN
    if wrong.any():
        raise BadInput(f"readout must be in {low}..{high} ({what}), not {table[wrong].flat[0]}")
    kind = np.int8 if rules.weighs else np.uint8
    return np.ascontiguousarray(table.astype(kind))


def check_labels(labels: np.ndarray | None, waves: int, classes: int) -> np.ndarray | None:
    """Check the labels that a read-out learns from: int64, negative where not known.

    Raises
    ------
    BadInput
        Another number than waves, not integers, or no class of the read-out.

    Examples
    --------
    >>> check_labels(np.array([3, -1]), waves=2, classes=3)
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: labels must be in 0..2 (classes 3), or negative, not 3
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.dtype.kind not in "ui" or labels.shape != (waves,):
        found = f"{labels.dtype} {' x '.join(map(str, labels.shape))}"
        raise BadInput(f"labels must be {waves} integers (one per wave), not {found}")
    labels = labels.astype(np.int64)
    if waves and labels.max() >= classes:
        raise BadInput(
            f"labels must be in 0..{classes - 1} (classes {classes}), or negative, "
            f"not {labels.max()}"
        )
    return labels


def play(
    times: np.ndarray,
    table: np.ndarray,
    config: Config,
    labels: np.ndarray | None = None,
    form: Form = "fast",
) -> tuple[np.ndarray, np.ndarray]:
    """Turn winners into classes, wave by wave.

    Parameters
    ----------
    times
        Winners' spike times of the final layers, waves x outputs.
    table
        The read-out's table.
    config
        A network with a read-out.
    labels
        One per wave, negative where not known; read-outs that learn do so from them.
    form
        "fast" or "reference"; equal to the bit.

    Returns
    -------
    classes : numpy.ndarray
        uint8, waves.
    table : numpy.ndarray
        After the last wave; a new array if something was learnt.
    """
    rules, none = config.readout, config.finals[0].column.none
    if rules is None:
        raise BadInput(f"config {config.name} must have a [readout] table")
    if form == "fast":  # numba loads when it is needed
        from racewave.golden import fast, voting

        linear, correct = fast.classify, voting.run_perceptron
        vote, count = voting.run_voter, voting.classify_tally
    else:
        linear, correct = readout.classify, perceptron.run
        vote, count = voter.run, tally.classify
    if rules.weighs and (labels is None or not rules.learns):
        return linear(times, table, none), table
    if rules.kind == "perceptron":
        return correct(times, table, labels, none, rules.bits, rules.margin)
    if rules.kind == "tally":
        return count(times, table, rules.classes, none), table
    return vote(times, table, labels, none, config.readout_times[0])
