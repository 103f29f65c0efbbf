"""A layer is its columns, learning from one generator."""

from types import ModuleType

import definition
import numpy as np
import pytest
from configs import random_column, random_volleys, random_weights
from mutants import mutated

from racewave.golden import column, layer, presets


def check(unit: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parameters = random_column(rng, 8)
    lines = parameters.p + 5
    fields = rng.integers(0, lines, (3, parameters.p))
    volleys = random_volleys(rng, parameters, 20, lines)
    weights = random_weights(rng, parameters, 3)
    for learn in (False, True):
        times, after, state = unit.run(volleys, weights, fields, parameters, learn)
        for c in range(3):
            alone = column.run(volleys[:, fields[c]], weights[c], parameters, learn)
            block = slice(c * parameters.q, (c + 1) * parameters.q)
            np.testing.assert_array_equal(times[:, block], alone[0])
            np.testing.assert_array_equal(after[c], alone[1])
            assert state == alone[2]


def check_synapse(unit: ModuleType, seed: int) -> None:
    """Each synapse draws for itself; a wave's columns take their draws in turn."""
    rng = np.random.default_rng(seed)
    parameters = random_column(rng, 5).model_copy(update={"randomness": "synapse"})
    fields = rng.integers(0, parameters.p + 5, (3, parameters.p))
    volleys = random_volleys(rng, parameters, 10, parameters.p + 5)
    start = random_weights(rng, parameters, 3)
    times, after, state = unit.run(volleys, start, fields, parameters, True)
    weights, now = start.tolist(), parameters.seed
    for wave, volley in enumerate(volleys):
        expected = []
        for c in range(3):
            x = volley[fields[c]].tolist()
            y, weights[c], now = definition.wave(x, weights[c], now, parameters, True)
            expected += y
        np.testing.assert_array_equal(times[wave], expected)
    np.testing.assert_array_equal(after, weights)
    assert state == now


@pytest.mark.parametrize("seed", range(10))
def test_every_synapse_draws_for_itself(seed: int):
    check_synapse(layer, seed)


@pytest.mark.parametrize("seed", range(10))
def test_columns_of_a_layer_do_not_see_each_other(seed: int):
    check(layer, seed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("volley[fields]", "volley[fields[::-1]]"),
        ("out.reshape(-1)", "out.T.reshape(-1)"),
        ("state = stdp.decide(state", "_ = stdp.decide(state"),
        ("out, decisions, strict", "out, decisions[::-1], strict"),
        ("state = column.seed if", "state = 1 if"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check_all(mutated(layer, old, new))


def check_all(unit: ModuleType) -> None:
    for seed in range(10):
        check(unit, seed)
        check_synapse(unit, seed)


def test_field_of_a_column_is_its_square_of_the_image():
    config = presets.load("mnist-169")
    fields = config.field_lines()
    row, across = 5, 7  # the column in row 5 of the grid, the 7th across
    expected = [
        ((2 * row + y) * 28 + 2 * across + x) * 2 + line
        for y in range(4)
        for x in range(4)
        for line in range(2)
    ]
    assert fields[row * 13 + across].tolist() == expected
