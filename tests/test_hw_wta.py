"""The on-line k-WTA against sorting."""

import itertools

import numpy as np
import pytest
from hw_twins import hw_wta
from mutants import mutated

from racewave.golden import wta as golden
from racewave.golden.config import ColumnConfig
from racewave.hw import wta


def column(q, k, tie, steps, p=4):
    return ColumnConfig(p=p, q=q, k=k, tie=tie, theta=1, t_in=steps, w_max=1, response="snl")


def check(raw, excess, config, module=wta):
    times, holds = hw_wta(raw, excess, config, module)
    expected = golden.wta(raw, excess, config.k, config.tie, config.none)
    np.testing.assert_array_equal(times, expected)
    assert max(holds) <= wta.hold_cycles(config)
    return holds


def tiny(q):
    """Every combination of: no spike, or step 0 or 1 with excess 0, 1 or 2."""
    neuron = [(3, 0), *itertools.product((0, 1), (0, 1, 2))]
    cases = np.array(list(itertools.product(neuron, repeat=q)))
    return cases[..., 0].astype(np.uint8), cases[..., 1]


@pytest.mark.parametrize("tie", ["index", "potential"])
@pytest.mark.parametrize(("q", "k"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_every_tiny_case(q, k, tie):
    raw, excess = tiny(q)
    check(raw, excess, column(q, k, tie, 2))


@pytest.mark.parametrize("tie", ["index", "potential"])
@pytest.mark.parametrize("k", [1, 4, 20])
def test_random_wide(k, tie):
    rng = np.random.default_rng(k)
    config = column(20, k, tie, 6, p=16)
    raw = rng.choice([*range(6), config.none], (40, 20)).astype(np.uint8)
    check(raw, rng.integers(0, 16, raw.shape), config)


def test_one_winner_by_index_never_holds():
    raw, excess = tiny(3)
    assert max(check(raw, excess, column(3, 1, "index", 2))) == 0


@pytest.mark.parametrize(
    ("tie", "old", "new"),
    [
        ("index", "bits & (~bits + 1)[: len(bits)]", "bits & ~(bits << 1)[: len(bits)]"),
        ("index", "self.fire & ~self.winners", "self.fire"),
        ("index", "(places > 1)", "(places > 2)"),
        ("potential", "firing_count > places", "firing_count >= places + 1 + (places == 1)"),
        ("potential", "larger_count >= places", "larger_count > places"),
        ("potential", "self.hold.eq(places != 1)", "self.hold.eq(0)"),
        ("potential", "digit.eq(self.excess_bits - 1)", "digit.eq(0)"),
    ],
)
def test_planted_bug(tie, old, new):
    raw, excess = tiny(3)
    mutant = mutated(wta, old, new)
    with pytest.raises(AssertionError):
        check(raw, excess, column(3, 2, tie, 2), mutant)
