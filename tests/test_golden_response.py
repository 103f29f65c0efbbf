"""Response and threshold: every tiny neuron, every volley."""

from types import ModuleType

import definition
import numpy as np
import pytest
from configs import every_volley, every_weight, random_column, random_volleys, random_weights
from mutants import mutated

from racewave.golden import response
from racewave.golden.config import ColumnConfig


def check_neuron(unit: ModuleType, column: ColumnConfig) -> None:
    volleys, weights = every_volley(column.p, column), every_weight(column.p, column.w_max)
    potential = unit.potentials(volleys, weights, column)
    raw = unit.fire(potential, column.theta)
    at_fire = unit.at_fire(potential, raw)
    expected = [[definition.fire(x, w, column) for w in weights.tolist()] for x in volleys.tolist()]
    np.testing.assert_array_equal(np.stack([raw, at_fire], -1), expected)
    assert raw.dtype == np.uint8


def check(unit: ModuleType) -> None:
    for p in (1, 2, 3):
        for w_max in (1, 2):
            for theta in range(1, p * w_max + 1):
                for kind in ("rnl", "snl"):
                    for t_in in (1, 2, 3):
                        check_neuron(
                            unit,
                            ColumnConfig(
                                p=p, q=1, w_max=w_max, theta=theta, response=kind, t_in=t_in
                            ),
                        )


def test_every_tiny_neuron():
    check(response)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[:, None, :, None] + 1", "[:, None, :, None]"),
        ("potential >= theta", "potential > theta"),
        ("np.where(age > 0, weights, 0)", "np.where(age >= 0, weights, 0)"),
        ("np.clip(age, 0, weights)", "np.clip(age, 0, weights + 1)"),
        ("(1 << steps.bit_length()) - 1", "(1 << (steps - 1).bit_length()) - 1"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(response, old, new))


@pytest.mark.parametrize("seed", range(10))
def test_random_neurons(seed: int):
    rng = np.random.default_rng(seed)
    column = random_column(rng, 40)
    volleys = random_volleys(rng, column, 10)
    weights = random_weights(rng, column, 1)[0]
    raw = response.fire(response.potentials(volleys, weights, column), column.theta)
    expected = [
        [definition.fire(x, w, column)[0] for w in weights.tolist()] for x in volleys.tolist()
    ]
    np.testing.assert_array_equal(raw, expected)


def test_no_spike_code_is_beyond_every_step():
    for steps in range(1, 300):
        code = response.no_spike(steps)
        assert code >= steps
        assert code + 1 == 1 << steps.bit_length()
        assert code <= np.iinfo(response.time_dtype(steps)).max
