"""Loops of the other read-outs, compiled by numba; see `racewave.golden.voting`.

They live in a module of their own for the reason that `racewave.golden.kernels` gives.
"""

from __future__ import annotations

import numpy as np

from racewave.golden import voter
from racewave.golden.kernels import jit

__all__ = ["correct", "tally", "vote"]

# Constants of the contract, as numba sees them.
LAST, MOST, VOTE = voter.CODES - 1, voter.MOST, voter.VOTE
(RIGHT_0, RIGHT_1), (OTHER_0, OTHER_1) = voter.RIGHT, voter.OTHER


@jit
def correct(times, rows, labels, none, half, margin, classes):
    waves, outputs = times.shape
    count = rows.shape[1]
    sums, won = np.zeros(count, np.int64), np.zeros(outputs, np.int64)
    for wave in range(waves):
        sums[:] = 0
        winners = 0
        for output in range(outputs):
            if times[wave, output] == none:
                continue
            won[winners] = output
            winners += 1
            for c in range(count):
                sums[c] += rows[output, c]
        classes[wave] = np.argmax(sums)
        if labels[wave] < 0:
            continue
        label, rival = labels[wave], -1
        for c in range(count):
            if c != label and (rival < 0 or sums[c] > sums[rival]):
                rival = c
        if sums[label] - sums[rival] >= margin:
            continue
        for n in range(winners):
            row = rows[won[n]]
            if row[label] < half - 1:
                row[label] += 1
            if row[rival] > -half:
                row[rival] -= 1


@jit
def vote(times, counters, labels, none, least, classes):
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


@jit
def tally(times, table, count, none, classes):
    waves, outputs = times.shape
    votes = np.zeros(256, np.int64)
    for wave in range(waves):
        votes[:] = 0
        for output in range(outputs):
            if times[wave, output] != none:
                votes[table[output]] += 1
        classes[wave] = np.argmax(votes[:count])
