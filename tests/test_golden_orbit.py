"""Look-ups on the circle of states against the generator, draw by draw."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import lfsr, orbit
from racewave.golden.errors import BadInput


def check(unit: ModuleType) -> None:
    for seed, bits in ((1, 16), (0xACE1, 10), (65_535, 1)):
        count = lfsr.PERIOD + 5
        expected, state = lfsr.draws(seed, count, bits)
        start = unit.place_of(seed) + 1
        values = unit.values(bits, beyond=9)
        assert len(values) == lfsr.PERIOD + 9
        np.testing.assert_array_equal(
            values[: lfsr.PERIOD][np.arange(start, start + count) % lfsr.PERIOD], expected
        )
        np.testing.assert_array_equal(values[lfsr.PERIOD :], values[:9])
        assert unit.state_at(start - 1 + count) == state
    for state in (1, 2, 0xACE1, 65_535):
        assert unit.state_at(unit.place_of(state)) == state
        assert 0 <= unit.place_of(state) < lfsr.PERIOD


def test_every_draw_of_a_period():
    check(orbit)


@pytest.mark.parametrize("state", [0, 65_536, -1])
def test_states_that_do_not_exist(state: int):
    with pytest.raises(BadInput, match=r"state must be in 1\.\.65535"):
        orbit.place_of(state)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low[state & 255] ^ high", "low[state & 127] ^ high"),
        ("- 1) % lfsr.PERIOD", ") % lfsr.PERIOD"),
        ("(1 << prob_bits) - 1", "(2 << prob_bits) - 1"),
        ("[place % lfsr.PERIOD]", "[(place + 1) % lfsr.PERIOD]"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises((AssertionError, OverflowError)):
        check(mutated(orbit, old, new))
