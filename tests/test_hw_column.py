"""Whole columns behind their streams: contract vectors, every tiny column, random ones."""

import itertools

import numpy as np
import pytest
import shared
from configs import random_column
from hw_bench import play_orders
from hw_twins import hw_column
from mutants import mutated

from racewave.golden import column as golden
from racewave.golden.config import ColumnConfig, Config
from racewave.hw import column, control, layer, network, neuron, ring


@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector(number):
    case = shared.vector(number)
    times, weights = hw_column(case["volleys"], case["weights"], case["column"], learn=False)
    np.testing.assert_array_equal(times, case["times"])
    np.testing.assert_array_equal(weights, case["weights"])


@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector_learning_with_stalls(number):
    case = shared.vector(number)
    times, weights = hw_column(
        case["volleys"], case["weights"], case["column"], learn=True, stalls=0.5
    )
    np.testing.assert_array_equal(times, case["learn_times"])
    np.testing.assert_array_equal(weights, case["learn_weights"])


@pytest.mark.parametrize("response", ["rnl", "snl"])
@pytest.mark.parametrize(("k", "tie"), [(2, "index"), (1, "potential")])
def test_every_tiny_column(response, k, tie):
    config = ColumnConfig(
        p=2, q=2, theta=2, t_in=2, w_max=2, response=response, k=k, tie=tie, initial_w=0
    )
    volleys = np.array([*itertools.product((0, 1, config.none), repeat=2)], np.uint8)
    every = [np.reshape(w, (2, 2)) for w in itertools.product(range(3), repeat=4)]
    found = play_orders(Config(column=config), [(weights, volleys) for weights in every])
    for weights, (times, final, _, _) in zip(every, found, strict=True):
        expected, _, _ = golden.run(volleys, weights.astype(np.uint8), config, learn=False)
        np.testing.assert_array_equal(times, expected)
        np.testing.assert_array_equal(final[0], weights)


@pytest.mark.parametrize("seed", range(12))
def test_random_column(seed):
    rng = np.random.default_rng(seed)
    config = random_column(rng, most=10)
    weights = rng.integers(0, config.w_max + 1, (config.q, config.p)).astype(np.uint8)
    volleys = rng.choice([*range(config.t_in), config.none], (10, config.p)).astype(np.uint8)
    times, final = hw_column(volleys, weights, config, learn=True, stalls=0.5 * (seed % 2))
    expected, expected_final, _ = golden.run(volleys, weights, config, learn=True)
    np.testing.assert_array_equal(times, expected)
    np.testing.assert_array_equal(final, expected_final)


LEARNS = ColumnConfig(p=5, q=3, theta=6, t_in=2, w_max=3, k=2, u_search=900, u_min=700)


@pytest.mark.parametrize(
    ("unit", "user", "name", "old", "new"),
    [
        (ring, neuron, "Ring", "plane.eq(Cat(plane[1:], bit))", "plane.eq(Cat(bit, plane[:-1]))"),
        (neuron, column, "Neuron", "self.row, passed", "passed, self.row"),
        (neuron, column, "Neuron", "passed = update.word_out", "pass"),
        (column, layer, "Column", "self.row.word_select(j,", "self.row.word_select(0,"),
        (column, layer, "Column", "passing > time", "passing >= time"),
        (layer, network, "Layer", "decisions.take.eq(self.take)", "decisions.take.eq(0)"),
        (control, network, "Control", "self.column.p - 1", "self.column.p - 2"),
        (control, network, "Control", "column.steps - 1", "column.steps - 2"),
        (control, network, "Control", "self.enable.eq(~self.hold)", "self.enable.eq(1)"),
    ],
)
def test_planted_bug(unit, user, name, old, new, monkeypatch):
    monkeypatch.setattr(user, name, getattr(mutated(unit, old, new), name))
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 4, (3, 5)).astype(np.uint8)
    volleys = rng.choice([0, 1, LEARNS.none], (12, 5)).astype(np.uint8)
    expected, expected_final, _ = golden.run(volleys, weights, LEARNS, learn=True)
    try:
        times, final = hw_column(volleys, weights, LEARNS, learn=True)
    except (AssertionError, TimeoutError):
        return
    assert not (np.array_equal(times, expected) and np.array_equal(final, expected_final))
