"""The loops of the fast form, compiled by numba on first use and then kept in its cache.

They live in a module of their own because the cache remembers the name a module was imported by.
`racewave.golden.fast` calls them; everything here is integer arithmetic.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["classify", "draw", "play"]


def _jit(function: Any) -> Any:
    """Compile on first use; keep the code in numba's cache where there is a place for one."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # source not a file, or no folder that can be written
        return numba.njit(nogil=True)(function)


@_jit
def draw(state, prob_bits, limits, hits):
    """Decide every draw of a block of learning waves; returns the generator's state."""
    mask = (1 << prob_bits) - 1
    for wave in range(hits.shape[0]):
        for n in range(hits.shape[1]):
            for _ in range(16):
                state = (state >> 1) ^ (0xB400 if state & 1 else 0)
            hits[wave, n] = (state & mask) < limits[n]
    return state


@_jit
def play(volleys, fields, weights, out, base, hits, settings):
    """Play a block of waves on some columns, column by column; `weights` and `out` are written."""
    q, theta, t_in, w_max, steps, none, k, ramp, by_potential, gated_search, learn = settings
    waves = volleys.shape[0]
    columns, p, padded = weights.shape
    arrived = np.empty(p, np.int64)  # synapses that got a spike, in order of time
    came = np.empty(p, np.int64)  # when they did
    until = np.zeros(t_in + 1, np.int64)  # arrived[:until[t]] came before step t
    potential = np.zeros(padded, np.int32)
    rise = np.zeros(padded, np.int32)
    y = np.empty(q, np.int64)
    fired = np.empty(q, np.bool_)
    after = np.empty((4, w_max + 1), np.int32)  # weight after capture, minus, search, backoff
    for c in range(columns):
        for wave in range(waves):
            # 1. Sort the spikes by time.
            for t in range(t_in + 1):
                until[t] = 0
            for i in range(p):
                x = volleys[wave, fields[c, i]]
                if x < t_in:
                    until[x + 1] += 1
            for t in range(1, t_in + 1):
                until[t] += until[t - 1]
            spikes = until[t_in]
            for i in range(p):
                x = volleys[wave, fields[c, i]]
                if x < t_in:
                    arrived[until[x]] = i
                    came[until[x]] = x
                    until[x] += 1
            # Now until[t] counts the spikes up to and including step t; until[t_in] all of them.

            # 2. Integrate step by step until k neurons have won.
            for j in range(padded):
                potential[j] = 0
            for j in range(q):
                y[j] = none
                fired[j] = False
            left = k
            oldest = 0
            for t in range(steps):
                newest = until[t] if t < t_in else spikes
                if ramp:
                    while oldest < newest and t - came[oldest] >= w_max:
                        oldest += 1  # every synapse of this line has given all its weight
                    for j in range(padded):
                        rise[j] = 0
                    for n in range(oldest, newest):
                        i = arrived[n]
                        age = np.int32(t - came[n])
                        for j in range(padded):
                            rise[j] += np.int32(weights[c, i, j] > age)
                    for j in range(padded):
                        potential[j] += rise[j]
                else:
                    for n in range(oldest, newest):
                        i = arrived[n]
                        for j in range(padded):
                            potential[j] += weights[c, i, j]
                    oldest = newest
                # 3. Who fires now, and who of them still wins.
                firing = 0
                for j in range(q):
                    if not fired[j] and potential[j] >= theta:
                        firing += 1
                if firing == 0:
                    continue
                take = min(firing, left)
                for _ in range(take):
                    best = -1
                    for j in range(q):
                        if not fired[j] and potential[j] >= theta:
                            if best < 0 or (by_potential and potential[j] > potential[best]):
                                best = j
                            if not by_potential:
                                break
                    fired[best] = True
                    y[best] = t
                left -= take
                if left == 0:
                    break
            for j in range(q):
                out[wave, base + c * q + j] = y[j]
            if not learn:
                continue

            # 4. STDP: what a weight becomes depends on its value and on the case only.
            for w in range(w_max + 1):
                may_rise = hits[wave, 4] or hits[wave, 5 + w]
                may_fall = hits[wave, 4] or hits[wave, 6 + w_max + w]
                above = min(w + 1, w_max)
                below = max(w - 1, 0)
                after[0, w] = above if hits[wave, 0] and may_rise else w
                after[1, w] = below if hits[wave, 1] and may_fall else w
                after[2, w] = above if hits[wave, 2] and (may_rise or not gated_search) else w
                after[3, w] = below if hits[wave, 3] and may_fall else w
            if hits[wave, 2]:
                for n in range(spikes):
                    i = arrived[n]
                    for j in range(q):
                        if y[j] == none:
                            weights[c, i, j] = after[2, weights[c, i, j]]
            for j in range(q):
                if y[j] != none:
                    for i in range(p):
                        x = volleys[wave, fields[c, i]]
                        case = 3 if x >= t_in else (0 if x <= y[j] else 1)
                        weights[c, i, j] = after[case, weights[c, i, j]]


@_jit
def classify(times, rows, none, classes):
    """Sum the winners' rows of every wave and take the first largest sum."""
    sums = np.empty(rows.shape[1], np.int64)
    for wave in range(times.shape[0]):
        sums[:] = 0
        for r in range(times.shape[1]):
            if times[wave, r] != none:
                for n in range(rows.shape[1]):
                    sums[n] += rows[r, n]
        best = 0
        for n in range(1, rows.shape[1]):
            if sums[n] > sums[best]:
                best = n
        classes[wave] = best
