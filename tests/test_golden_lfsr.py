"""The random generator against the contract's figures and its own definition."""

import itertools
from types import ModuleType

import definition
import numpy as np
import pytest
from mutants import mutated

from racewave.golden import lfsr
from racewave.golden.errors import BadInput


def check(unit: ModuleType) -> None:
    values, state = unit.draws(0xACE1, 8, 10)
    assert values.tolist() == [866, 781, 887, 959, 314, 570, 930, 259]
    assert state == 0x3D03
    for seed, bits in ((1, 1), (0xFFFF, 16), (14530, 7)):
        expected = list(itertools.islice(definition.draws(seed, bits), 50))
        values, state = unit.draws(seed, 50, bits)
        assert values.tolist() == [value for value, _ in expected]
        assert state == expected[-1][1]
        assert unit.draw(seed, bits) == expected[0]
    assert unit.leap(0xACE1) == unit.draw(0xACE1, 16)[0]


def test_contract():
    check(lfsr)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MASK = 0xB400", "MASK = 0xB401"),
        ("for _ in range(BITS)", "for _ in range(BITS - 1)"),
        ("if state & 1 else", "if state & 2 else"),
        ("((1 << prob_bits) - 1), state", "((1 << prob_bits) - 2), state"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(lfsr, old, new))


def test_period_of_shift_and_draw():
    seen, state = np.zeros(1 << 16, bool), 1
    for _ in range(lfsr.PERIOD):
        assert not seen[state]
        seen[state] = True
        state = lfsr.shift(state)
    assert state == 1
    assert not seen[0]
    values, state = lfsr.draws(0xACE1, lfsr.PERIOD, 16)
    assert state == 0xACE1
    assert len(np.unique(values)) == lfsr.PERIOD


@pytest.mark.parametrize("state", [0, -1, 65_536])
def test_bad_state(state: int):
    with pytest.raises(BadInput, match=r"state must be in 1\.\.65535, not"):
        lfsr.leap(state)
