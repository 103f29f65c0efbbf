"""The leaping generator draws what sixteen shifts draw."""

import numpy as np
import pytest
from hw_twins import hw_draws
from mutants import mutated

from racewave.golden import lfsr as golden
from racewave.hw import lfsr

PERIOD = (1 << 16) - 1


@pytest.mark.parametrize("seed", [0xACE1, 1, 0xFFFF])
def test_draws(seed):
    np.testing.assert_array_equal(hw_draws(seed, 300, 10, lfsr), golden.draws(seed, 300, 10)[0])


def test_first_draws_of_the_contract():
    assert hw_draws(0xACE1, 8, 10, lfsr) == [866, 781, 887, 959, 314, 570, 930, 259]


def test_matrix_is_sixteen_shifts_from_every_state():
    rows = np.array(lfsr.matrix())
    states = np.arange(1, PERIOD + 1)
    parity = np.array([bin(n).count("1") & 1 for n in range(1 << 16)])
    leapt = sum(parity[states & row] << bit for bit, row in enumerate(rows))
    shifted = states
    for _ in range(16):
        shifted = (shifted >> 1) ^ np.where(shifted & 1, 0xB400, 0)
    np.testing.assert_array_equal(leapt, shifted)


def test_period():
    # A permutation of all states but 0 with one cycle: leaping 65,535 times, and not less, is home.
    rows, state, seen = lfsr.matrix(), 0xACE1, 0
    while True:
        state = sum((state & row).bit_count() % 2 << bit for bit, row in enumerate(rows))
        seen += 1
        if state == 0xACE1:
            break
    assert seen == PERIOD


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("golden.leap(1 << bit)", "golden.shift(1 << bit)"),
        ("init=golden.leap(seed)", "init=seed"),
        ("with m.Elif(self.advance):", "with m.Else():"),
    ],
)
def test_planted_bug(old, new):
    assert hw_draws(0xACE1, 50, 10, mutated(lfsr, old, new)) != list(
        golden.draws(0xACE1, 50, 10)[0]
    )
