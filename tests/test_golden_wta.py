"""k-WTA against its definition: every tiny case, random large ones."""

import itertools
from types import ModuleType

import definition
import numpy as np
import pytest
from mutants import mutated

from racewave.golden import wta

NONE = 3


def check(unit: ModuleType) -> None:
    neuron = [(0, 2), (0, 3), (1, 2), (1, 3), (2, 2), (NONE, 0)]  # time, potential
    for q in (1, 2, 3, 4):
        cases = list(itertools.product(neuron, repeat=q))
        times, potential = np.moveaxis(np.array(cases, np.uint8).reshape(-1, q, 2), -1, 0)
        for k in range(1, q + 1):
            for tie in ("index", "potential"):
                expected = [definition.wta(case, k, tie, NONE) for case in cases]
                found = unit.wta(times, potential, k, tie, NONE)
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == times.dtype


def test_every_tiny_case():
    check(wta)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('if tie == "potential"', 'if tie == "index"'),
        ("-potential.astype", "potential.astype"),
        ("order[..., :k]", "order[..., : k + 1]"),
        ("(index, larger, raw)", "(larger, index, raw)"),
        ("(index, larger, raw)", "(-index, larger, raw)"),
        ("(index, larger, raw)", "(index, raw, larger)"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(wta, old, new))


@pytest.mark.parametrize("tie", ["index", "potential"])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_random_wide(k: int, tie: str):
    rng = np.random.default_rng(k)
    times = rng.choice([0, 1, 2, 3, 15], (100, 40)).astype(np.uint8)
    potential = rng.integers(30, 34, times.shape)
    pairs = np.stack([times, potential], -1).tolist()
    expected = [definition.wta([tuple(n) for n in case], k, tie, 15) for case in pairs]
    np.testing.assert_array_equal(wta.wta(times, potential, k, tie, 15), expected)
