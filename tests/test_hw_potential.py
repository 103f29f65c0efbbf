"""The adder tree and the threshold, against sums."""

import itertools

import numpy as np
import pytest
from hw_twins import hw_fire
from mutants import mutated

from racewave.hw import potential


def check(adds, planes, theta, module=potential, stalls=0.0):
    """The first step with a sum of at least theta, and how far it is above."""
    sums = adds.sum(axis=2).cumsum(axis=1)
    steps = adds.shape[1]
    first = np.where((sums >= theta).any(axis=1), (sums >= theta).argmax(axis=1), steps)
    above = [row[t] - theta if t < steps else 0 for row, t in zip(sums, first, strict=True)]
    fire, excess = hw_fire(adds, planes, theta, module, stalls)
    np.testing.assert_array_equal(fire, first)
    np.testing.assert_array_equal(excess, above)


@pytest.mark.parametrize(("synapses", "planes", "steps"), [(1, 1, 4), (3, 1, 3), (2, 2, 2)])
def test_everything_tiny(synapses, planes, steps):
    adds = list(itertools.product(range(1 << planes), repeat=synapses * steps))
    adds = np.array(adds).reshape(-1, steps, synapses)
    most = synapses * steps * ((1 << planes) - 1)
    for theta in {1, 2, most // 2, most - 1, most}:
        check(adds, planes, theta)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("synapses", [2, 9, 32, 70])
def test_random_wide(synapses, stalls):
    rng = np.random.default_rng(synapses)
    for planes in (1, 3):
        adds = rng.integers(0, 1 << planes, (8, 5, synapses)) * rng.integers(0, 2, (8, 5, 1))
        most = synapses * 5 * ((1 << planes) - 1)
        for theta in (int(rng.integers(1, most + 1)), most // 3 + 1):
            check(adds, planes, theta, stalls=stalls)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sums.eq(a ^ b ^ c)", "sums.eq(a ^ b)"),
        ("(c & (a | b))", "(c & a)"),
        ("self.enable & self.add", "self.enable"),
        ("self.enable & self.add", "self.add"),
        ("potential.eq(-self.theta)", "potential.eq(1 - self.theta)"),
        ("Cat(carry, count)", "Cat(0, count)"),
    ],
)
def test_planted_bug(old, new):
    rng = np.random.default_rng(1)
    with pytest.raises(AssertionError):
        check(rng.integers(0, 2, (40, 6, 8)), 1, 16, mutated(potential, old, new), stalls=0.3)
