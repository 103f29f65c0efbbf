"""The loops of the fast form, compiled by numba on first use and then kept in its cache.

There are two kernels, which give the same. `play_planes` stores a weight as a thermometer across
bit planes (`racewave.golden.planes`): a ramp rises by the number of ones in (lines that spiked
``l`` steps ago) & (plane l), and STDP moves 64 weights with a few logic operations. Its work
depends on the size of a column only. `play_events` stores the weights of a line in a row, neuron
by neuron: each line that spikes costs a vector operation on its row, other lines cost nothing.

The kernels live in a module of their own because the cache remembers the name a module was
imported by, and in one module because it does not see a change in another one.
`racewave.golden.fast` calls them.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from racewave.golden.lfsr import PERIOD

__all__ = ["classify", "draw", "jit", "play_events", "play_planes", "slots"]

WORD = 64
ONE = np.uint64(1)
LOW = np.uint64(63)
BYTE = 255  # lines that a byte can count
LEAST = -(1 << 30)  # below any potential, and no potential added to it reaches a threshold


def jit(function: Any) -> Any:
    """Compile on first use; keep the code in numba's cache where there is a place for one."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # source not a file, or no folder that can be written
        return numba.njit(nogil=True)(function)


@jit
def _ones(word):
    """Number of ones of a 64-bit word; compilers turn this form into one instruction."""
    word = word - ((word >> ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit
def draw(values, place, limits, hits):
    """Decide the draws of learning waves that share them; `place` is that of the state before."""
    for wave in range(hits.shape[0]):
        for n in range(hits.shape[1]):
            place += 1
            if place == PERIOD:
                place = 0
            hits[wave, n] = values[place] < limits[n]


@jit
def _rise(planes, c, j, word, who, certain, hits, wave):
    """Add 1 to the weights of the synapses `who` whose value the draws allow to rise."""
    for w in range(planes.shape[1] - 1, -1, -1):
        if certain or hits[wave, 5 + w]:
            below = who if w == 0 else who & planes[c, w - 1, word, j]
            planes[c, w, word, j] |= below  # those at w reach w + 1, those above are there already


@jit
def _fall(planes, c, j, word, who, certain, hits, wave):
    """Take 1 from the weights of the synapses `who` whose value the draws allow to fall."""
    w_max = planes.shape[1]
    for w in range(1, w_max + 1):
        if certain or hits[wave, 6 + w_max + w]:
            above = np.uint64(0) if w == w_max else planes[c, w, word, j]
            planes[c, w - 1, word, j] &= ~(who & ~above)


@jit
def _inhibit(potential, theta, y, left, by_potential, t):
    """Let the neurons that reach `theta` in step `t` win as long as winners are left.

    A winner's potential becomes so low that it cannot win again.
    """
    if not by_potential:
        for j in range(y.shape[0]):
            if potential[j] >= theta:
                y[j] = t
                potential[j] = LEAST
                left -= 1
                if left == 0:
                    break
        return left
    while left > 0:
        best = -1
        for j in range(y.shape[0]):
            if potential[j] >= theta and (best < 0 or potential[j] > potential[best]):
                best = j
        if best < 0:
            break
        y[best] = t
        potential[best] = LEAST
        left -= 1
    return left


@jit
def play_planes(volleys, fields, planes, out, base, hits, settings):
    """Play a block of waves on some columns, column by column; `planes` and `out` are written."""
    theta, t_in, steps, none, k, _, ramp, by_potential, gated_search, learn = settings
    columns, w_max, words, q = planes.shape
    p = fields.shape[1]
    spikes = np.zeros((t_in + 1, words), np.uint64)  # lines by step; the last row: never
    potential = np.zeros(q, np.int32)
    y = np.zeros(q, np.int64)
    for c in range(columns):
        for wave in range(volleys.shape[0]):
            if t_in == 1:
                for word in range(words):
                    came = np.uint64(0)
                    for i in range(word * WORD, min(p, (word + 1) * WORD)):
                        rose = np.uint64(volleys[wave, fields[c, i]] == 0)
                        came |= rose << (np.uint64(i) & LOW)
                    spikes[0, word] = came
                    spikes[1, word] = ~came  # and synapses that do not exist: their weight stays 0
            else:
                spikes[:] = 0
                for i in range(p):
                    x = min(np.int64(volleys[wave, fields[c, i]]), t_in)
                    spikes[x, i >> 6] |= ONE << (np.uint64(i) & LOW)

            # Step by step until k neurons have won.
            potential[:] = 0
            y[:] = none
            left = k
            for t in range(steps):
                for s in range(max(0, t - w_max + 1) if ramp else t, min(t + 1, t_in)):
                    for level in range(t - s if ramp else 0, t - s + 1 if ramp else w_max):
                        for word in range(words):
                            came = spikes[s, word]
                            for j in range(q):  # a vector of neurons at a time
                                potential[j] += _ones(came & planes[c, level, word, j])
                highest = 0
                for j in range(q):
                    highest = max(highest, potential[j])
                if highest >= theta:
                    left = _inhibit(potential, theta, y, left, by_potential, t)
                    if left == 0:
                        break
            for j in range(q):
                out[wave, base + c * q + j] = y[j]
            if learn:
                for j in range(q):
                    if y[j] != none:
                        _reward(planes, c, j, spikes, y[j], hits, wave)
                    elif hits[wave, 2]:
                        _search(planes, c, j, spikes, hits, wave, gated_search)


@jit
def _reward(planes, c, j, spikes, y, hits, wave):
    """STDP of a neuron that won at `y`: capture, minus or backoff for every synapse."""
    t_in = spikes.shape[0] - 1
    certain = hits[wave, 4]
    for word in range(planes.shape[2]):
        early = np.uint64(0)
        late = np.uint64(0)
        for s in range(t_in):
            if s <= y:
                early |= spikes[s, word]
            else:
                late |= spikes[s, word]
        if hits[wave, 0]:
            _rise(planes, c, j, word, early, certain, hits, wave)
        if hits[wave, 1]:
            _fall(planes, c, j, word, late, certain, hits, wave)
        if hits[wave, 3]:
            _fall(planes, c, j, word, spikes[t_in, word], certain, hits, wave)


@jit
def _search(planes, c, j, spikes, hits, wave, gated):
    """STDP of a neuron that did not win: search for every synapse that got a spike."""
    for word in range(planes.shape[2]):
        came = np.uint64(0)
        for s in range(spikes.shape[0] - 1):
            came |= spikes[s, word]
        _rise(planes, c, j, word, came, not gated or hits[wave, 4], hits, wave)


@jit
def play_events(volleys, fields, rows, out, base, hits, draws, settings):
    """Play a block of waves on some columns, column by column; `rows` and `out` are written.

    With no `hits`, each synapse draws for itself: `draws` says from where on in the period.
    """
    theta, t_in, steps, none, k, w_max, ramp, by_potential, _, learn = settings
    columns, p, q = rows.shape
    when = np.empty(p, np.int64)  # spike time of each line
    order = np.empty(p, np.int64)  # lines by spike time
    ends = np.empty(t_in + 2, np.int64)  # where the lines of each step end in `order`
    potential = np.empty(q, np.int32)
    counts = np.empty(q, np.uint8)
    y = np.empty(q, np.int64)
    moves = np.empty((3, w_max + 1), np.uint8)
    for c in range(columns):
        for wave in range(volleys.shape[0]):
            _arrange(volleys[wave], fields[c], when, order, ends)

            # Step by step until k neurons have won.
            potential[:] = 0
            y[:] = none
            left = k
            for t in range(steps):
                oldest = t - w_max if ramp else t - 1  # has nothing more to give
                first = ends[oldest] if oldest >= 0 else 0
                last = ends[min(t, t_in - 1)]
                if first >= last:
                    continue
                if ramp:
                    _climb(potential, counts, rows, c, when, order, first, last, t)
                else:
                    for n in range(first, last):
                        i = order[n]
                        for j in range(q):  # a vector of neurons at a time
                            potential[j] += rows[c, i, j]
                highest = LEAST
                for j in range(q):
                    highest = max(highest, potential[j])
                if highest >= theta:
                    left = _inhibit(potential, theta, y, left, by_potential, t)
                    if left == 0:
                        break
            for j in range(q):
                out[wave, base + c * q + j] = y[j]
            if learn and hits.shape[0] > 0:
                _learn(rows, c, order, ends, y, hits, wave, moves, settings)
            elif learn:
                column = wave * (out.shape[1] // q) + base // q + c
                _learn_alone(rows, c, when, y, draws, column, settings)


@jit
def _arrange(volley, field, when, order, ends):
    """Sort the lines of a field by spike time."""
    t_in = ends.shape[0] - 2
    ends[:] = 0
    for i in range(field.shape[0]):
        x = min(np.int64(volley[field[i]]), t_in)
        when[i] = x
        ends[x + 1] += 1
    for x in range(t_in + 1):
        ends[x + 1] += ends[x]
    for i in range(field.shape[0]):
        order[ends[when[i]]] = i
        ends[when[i]] += 1


@jit
def _climb(potential, counts, rows, c, when, order, first, last, t):
    """Let the ramps of some lines rise, each where its weight is more than its age."""
    for begin in range(first, last, BYTE):
        counts[:] = 0
        for n in range(begin, min(begin + BYTE, last)):
            i = order[n]
            age = np.uint8(t - when[i])
            for j in range(counts.shape[0]):  # a vector of neurons at a time
                counts[j] += rows[c, i, j] > age
        for j in range(counts.shape[0]):
            potential[j] += counts[j]


@jit
def _learn(rows, c, order, ends, y, hits, wave, moves, settings):
    """STDP of a column whose synapses share their draws: what moves depends on the weight only."""
    _, t_in, _, none, _, w_max, _, _, gated_search, _ = settings
    _, p, q = rows.shape
    up, search, down = moves
    for w in range(w_max + 1):  # no branches below: they would be as hard to foresee as weights
        rises = hits[wave, 4] or hits[wave, 5 + w]
        up[w] = w < w_max and rises
        search[w] = w < w_max and (rises or not gated_search)
        down[w] = w > 0 and (hits[wave, 4] or hits[wave, 6 + w_max + w])
    spiking = ends[t_in - 1]
    for j in range(q):
        if y[j] != none:
            early = ends[min(y[j], t_in - 1)]
            for n in range(early if hits[wave, 0] else 0):
                rows[c, order[n], j] += up[rows[c, order[n], j]]
            for n in range(early, spiking if hits[wave, 1] else early):
                rows[c, order[n], j] -= down[rows[c, order[n], j]]
            for n in range(spiking, p if hits[wave, 3] else spiking):
                rows[c, order[n], j] -= down[rows[c, order[n], j]]
    for n in range(spiking if hits[wave, 2] else 0):
        for j in range(q):
            rows[c, order[n], j] += search[rows[c, order[n], j]] if y[j] == none else 0


@jit
def _learn_alone(rows, c, when, y, draws, column, settings):
    """STDP of a column each synapse of which has its own three draws, line by line."""
    _, t_in, _, none, _, w_max, _, _, gated_search, _ = settings
    values, place, limits = draws
    capture, minus, search, backoff, least = limits[0], limits[1], limits[2], limits[3], limits[4]
    _, p, q = rows.shape
    winners = np.flatnonzero(y != none)
    for i in range(p):
        x = when[i]
        start = (place + 3 * q * (column * p + i)) % PERIOD
        for j in winners:
            rises = x < t_in and x <= y[j]
            if rows[c, i, j] == (w_max if rises else 0):
                continue
            at = start + 3 * j
            if values[at] < (capture if rises else minus if x < t_in else backoff):
                table = limits[(5 if rises else 6 + w_max) + rows[c, i, j]]
                if values[at + 1] < least or values[at + 2] < table:
                    rows[c, i, j] += 1 if rises else -1
        if x < t_in:
            for j in range(q):
                at = start + 3 * j
                if values[at] < search and y[j] == none and rows[c, i, j] < w_max:
                    table = limits[5 + rows[c, i, j]]
                    if values[at + 1] < least or values[at + 2] < table or not gated_search:
                        rows[c, i, j] += 1


@jit
def slots(times, q, k, none, chosen):
    """List the winners of every wave, up to k per column; the rest of `chosen` stays."""
    for wave in range(times.shape[0]):
        for c in range(times.shape[1] // q):
            rank = c * k
            for row in range(c * q, (c + 1) * q):
                if times[wave, row] != none:
                    chosen[wave, rank] = row
                    rank += 1


@jit
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
