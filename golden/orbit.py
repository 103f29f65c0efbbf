"""The whole circle of the random generator's states, so that any draw is a look-up.

The states that draws see form one circle of `lfsr.PERIOD` places: n draws from a state are n
places further on. A jump over any number of draws is an addition, where a matrix power would
otherwise be needed.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from racewave.golden import lfsr

__all__ = ["place_of", "state_at", "values"]


@cache
def _circle() -> tuple[np.ndarray, np.ndarray]:
    """States in the order of drawing, from state 1 on, and the place of every state."""
    # A leap is linear over GF(2): that of a state is the sum of those of its two bytes.
    low = [0] + [lfsr.leap(byte) for byte in range(1, 256)]
    high = [0] + [lfsr.leap(byte << 8) for byte in range(1, 256)]
    states = np.empty(lfsr.PERIOD, np.uint16)
    state = 1
    for n in range(lfsr.PERIOD):
        states[n] = state
        state = low[state & 255] ^ high[state >> 8]
    places = np.zeros(1 << lfsr.BITS, np.int64)
    places[states] = np.arange(lfsr.PERIOD)
    return states, places


def place_of(state: int) -> int:
    """Where a state lies on the circle, 0..PERIOD - 1; raises `BadInput` as `lfsr.leap` does.

    Examples
    --------
    >>> place_of(lfsr.leap(0xACE1)) - place_of(0xACE1)
    1
    """
    return (int(_circle()[1][lfsr.leap(state)]) - 1) % lfsr.PERIOD


def state_at(place: int) -> int:
    """The state at a place; places beyond the circle's end go round.

    Examples
    --------
    >>> state_at(place_of(0xACE1) + lfsr.PERIOD) == 0xACE1
    True
    """
    return int(_circle()[0][place % lfsr.PERIOD])


def values(prob_bits: int, beyond: int = 0) -> np.ndarray:
    """What a draw that ends at each place gives; `beyond` the circle's end it begins anew.

    Returns
    -------
    numpy.ndarray
        uint16, shape (PERIOD + beyond,).

    Examples
    --------
    >>> first = place_of(0xACE1) + 1
    >>> values(10)[first : first + 4].tolist()
    [866, 781, 887, 959]
    """
    masked = _circle()[0] & np.uint16((1 << prob_bits) - 1)
    return np.resize(masked, lfsr.PERIOD + beyond)
