"""The loops of the fast form, compiled by numba on first use and then kept in its cache.

A weight is stored as a thermometer across bit planes: bit i of plane l of a neuron tells whether
``w[i] > l``. 64 synapses share a word; the neurons of a column lie next to each other. A ramp rises
by the number of ones in (lines that spiked ``l`` steps ago) & (plane l), and STDP moves 64 weights
with a few logic operations.

The kernels live in a module of their own because the cache remembers the name a module was
imported by. `racewave.golden.fast` calls them.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["classify", "draw", "play", "slots", "to_planes", "to_weights"]

WORD = 64
ONE = np.uint64(1)
LOW = np.uint64(63)


def _jit(function: Any) -> Any:
    """Compile on first use; keep the code in numba's cache where there is a place for one."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # source not a file, or no folder that can be written
        return numba.njit(nogil=True)(function)


def to_planes(weights: np.ndarray, w_max: int) -> np.ndarray:
    """Turn weights into bit planes.

    Parameters
    ----------
    weights
        ... x q x p, 0..w_max.

    Returns
    -------
    numpy.ndarray
        uint64, ... x w_max x words x q; bit i of word n stands for synapse ``64 n + i``.

    Examples
    --------
    >>> to_planes(np.array([[2, 0, 1]]), w_max=2).tolist()
    [[[5]], [[1]]]
    """
    p = weights.shape[-1]
    bits = weights[..., None, :] > np.arange(w_max)[:, None]
    room = -(-p // WORD) * WORD
    padded = np.zeros((*bits.shape[:-1], room), np.bool_)
    padded[..., :p] = bits
    packed = np.packbits(padded, axis=-1, bitorder="little")
    words = packed.view("<u8").astype(np.uint64)  # ... x q x w_max x words
    return np.ascontiguousarray(np.moveaxis(words, -3, -1))


def to_weights(planes: np.ndarray, p: int) -> np.ndarray:
    """Turn bit planes back into weights: uint8, ... x q x p.

    Examples
    --------
    >>> to_weights(to_planes(np.array([[2, 0, 1]]), w_max=2), p=3).tolist()
    [[2, 0, 1]]
    """
    octets = np.ascontiguousarray(np.moveaxis(planes, -1, -3), "<u8").view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little")[..., :p]
    return bits.sum(axis=-2, dtype=np.uint8)


@_jit
def _ones(word):
    """Number of ones of a 64-bit word; compilers turn this form into one instruction."""
    word = word - ((word >> ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


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
def _rise(planes, c, j, word, who, certain, hits, wave):
    """Add 1 to the weights of the synapses `who` whose value the draws allow to rise."""
    for w in range(planes.shape[1] - 1, -1, -1):
        if certain or hits[wave, 5 + w]:
            below = who if w == 0 else who & planes[c, w - 1, word, j]
            planes[c, w, word, j] |= below  # those at w reach w + 1, those above are there already


@_jit
def _fall(planes, c, j, word, who, certain, hits, wave):
    """Take 1 from the weights of the synapses `who` whose value the draws allow to fall."""
    w_max = planes.shape[1]
    for w in range(1, w_max + 1):
        if certain or hits[wave, 6 + w_max + w]:
            above = np.uint64(0) if w == w_max else planes[c, w, word, j]
            planes[c, w - 1, word, j] &= ~(who & ~above)


@_jit
def _inhibit(potential, theta, y, none, left, by_potential, t):
    """Let the neurons that reach `theta` in step `t` win as long as winners are left."""
    while left > 0:
        best = -1
        for j in range(y.shape[0]):
            if y[j] == none and potential[j] >= theta:
                if best < 0 or (by_potential and potential[j] > potential[best]):
                    best = j
                if not by_potential:
                    break
        if best < 0:
            break
        y[best] = t
        left -= 1
    return left


@_jit
def play(volleys, fields, planes, out, base, hits, settings):
    """Play a block of waves on some columns, column by column; `planes` and `out` are written."""
    theta, t_in, steps, none, k, ramp, by_potential, gated_search, learn = settings
    columns, w_max, words, q = planes.shape
    p = fields.shape[1]
    spikes = np.zeros((t_in + 1, words), np.uint64)  # lines by step; the last row: never
    potential = np.zeros(q, np.int64)
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
                    left = _inhibit(potential, theta, y, none, left, by_potential, t)
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


@_jit
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


@_jit
def _search(planes, c, j, spikes, hits, wave, gated):
    """STDP of a neuron that did not win: search for every synapse that got a spike."""
    for word in range(planes.shape[2]):
        came = np.uint64(0)
        for s in range(spikes.shape[0] - 1):
            came |= spikes[s, word]
        _rise(planes, c, j, word, came, not gated or hits[wave, 4], hits, wave)


@_jit
def slots(times, q, k, none, chosen):
    """List the winners of every wave, up to k per column; the rest of `chosen` stays."""
    for wave in range(times.shape[0]):
        for c in range(times.shape[1] // q):
            rank = c * k
            for row in range(c * q, (c + 1) * q):
                if times[wave, row] != none:
                    chosen[wave, rank] = row
                    rank += 1


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
