"""The random generator: a 16-bit Galois shift register that jumps 16 shifts per draw.

Hardware computes the jump as one XOR matrix (leap-forward), so a draw costs one clock.
"""

from __future__ import annotations

import numpy as np

from racewave.golden.errors import BadInput

BITS = 16
MASK = 0xB400
DEFAULT_SEED = 0xACE1
PERIOD = 65_535  # of the register, and of the draws: 16 and 65,535 have no common factor


def shift(state: int) -> int:
    """Shift the register right once; the bit that falls out decides whether the mask is applied.

    Examples
    --------
    >>> hex(shift(0xACE1))
    '0xe270'
    """
    return (state >> 1) ^ (MASK if state & 1 else 0)


def leap(state: int) -> int:
    """Shift 16 times: the next state a draw sees.

    Parameters
    ----------
    state
        Register, 1..65535. Zero is the one state that never changes, so it is refused.

    Examples
    --------
    >>> leap(0xACE1) & 1023
    866
    """
    if not 1 <= state < 1 << BITS:
        raise BadInput(f"state must be in 1..65535, not {state}")
    for _ in range(BITS):
        state = shift(state)
    return state


def draw(state: int, prob_bits: int) -> tuple[int, int]:
    """Draw one number of `prob_bits` bits.

    Returns
    -------
    value : int
        Low `prob_bits` bits of the new state, 0..2**prob_bits - 1.
    state : int
        The new state.

    Examples
    --------
    >>> draw(0xACE1, 10)
    (866, 60258)
    """
    state = leap(state)
    return state & ((1 << prob_bits) - 1), state


def draws(state: int, count: int, prob_bits: int) -> tuple[np.ndarray, int]:
    """Draw `count` numbers in a row.

    Returns
    -------
    values : numpy.ndarray
        int64, shape (count,).
    state : int
        The state after the last draw.

    Examples
    --------
    >>> values, state = draws(0xACE1, 8, 10)
    >>> values.tolist(), hex(state)
    ([866, 781, 887, 959, 314, 570, 930, 259], '0x3d03')
    """
    values = np.empty(count, np.int64)
    for n in range(count):
        values[n], state = draw(state, prob_bits)
    return values, state
