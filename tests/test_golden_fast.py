"""The fast form equals the reference: contract vectors, every tiny column, random layers."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shared
from configs import every_volley, random_column, random_volleys, random_weights, tiny_columns
from mutants import mutated
from test_golden_column import all_weights, expected_times

from racewave.golden import config, fast, kernels, layer, readout


def assert_same(found: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    for a, b in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert found[2] == expected[2]


@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector(number: int):
    case = shared.vector(number)
    column, weights = case["column"], case["weights"][None]
    fields = np.arange(column.p)[None]
    times, _, _ = fast.run_layer(case["volleys"], weights, fields, column)
    np.testing.assert_array_equal(times, case["times"])
    times, weights, _ = fast.run_layer(case["volleys"], weights, fields, column, learn=True)
    np.testing.assert_array_equal(times, case["learn_times"])
    np.testing.assert_array_equal(weights[0], case["learn_weights"])


@pytest.mark.parametrize("p", [1, 2, 3])
def test_every_tiny_column(p: int):
    """A layer of one column per weight matrix plays every volley."""
    checked = 0
    for column in tiny_columns():
        if column.p == p:
            weights = all_weights(column)
            fields = np.tile(np.arange(p), (len(weights), 1))
            times, _, _ = fast.run_layer(every_volley(p, column), weights, fields, column)
            found = times.reshape(len(times), len(weights), column.q).swapaxes(0, 1)
            np.testing.assert_array_equal(found, expected_times(column))
            checked += 1
    assert checked >= 100


def check_random(unit: ModuleType, seed: int, most: int = 20) -> None:
    rng = np.random.default_rng(seed)
    column = random_column(rng, most)
    columns, lines = int(rng.integers(1, 4)), column.p + 3
    fields = rng.integers(0, lines, (columns, column.p))
    volleys = random_volleys(rng, column, 30, lines)
    weights = random_weights(rng, column, columns)
    for learn in (False, True):
        expected = layer.run(volleys, weights, fields, column, learn)
        assert_same(unit.run_layer(volleys, weights, fields, column, learn), expected)


@pytest.mark.parametrize("seed", range(60))
def test_random_layer(seed: int):
    check_random(fast, seed)


@pytest.mark.parametrize("seed", range(100, 108))
def test_more_synapses_than_a_word_has_bits(seed: int):
    check_random(fast, seed, 150)


def check_threads(unit: ModuleType) -> None:
    """Any number of threads, and blocks that end in the middle, give the same."""
    rng = np.random.default_rng(5)
    column = config.ColumnConfig(p=8, q=3, theta=9, u_search=1024)
    fields = rng.integers(0, 20, (5, 8))
    volleys = random_volleys(rng, column, fast.BLOCK + 3, 20)
    weights = random_weights(rng, column, 5)
    for learn in (False, True):
        expected = layer.run(volleys, weights, fields, column, learn)
        for jobs in (1, 2, 7):
            found = unit.run_layer(volleys, weights, fields, column, learn, jobs=jobs)
            assert_same(found, expected)


def test_threads_and_blocks():
    check_threads(fast)


def test_threads_can_be_limited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    all_of_them = fast.threads()
    assert all_of_them >= 1
    for wish, expected in (("1", 1), ("0", 1), ("9999", all_of_them), ("some", all_of_them)):
        monkeypatch.setenv("NUMBA_NUM_THREADS", wish)
        assert fast.threads() == expected


def test_waves_are_shared_out_when_columns_are_few():
    rng = np.random.default_rng(6)
    column = config.ColumnConfig(p=8, q=3, theta=9)
    volleys, weights = random_volleys(rng, column, 50), random_weights(rng, column, 1)
    fields = np.arange(8)[None]
    expected = layer.run(volleys, weights, fields, column)
    assert_same(fast.run_layer(volleys, weights, fields, column, jobs=4), expected)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("state = int(kernels.draw(state", "state = int(kernels.draw(column.seed"),
        ("columns.start * column.q", "columns.start * column.k"),
        ("fields[columns]", "fields[: len(fields[columns])]"),
        ("kernels.to_weights(planes", "kernels.to_weights(planes[::-1]"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check_threads(mutated(fast, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("potential[j] > potential[best]", "potential[j] >= potential[best]"),
        ("below = who if w == 0", "below = who if w <= 1"),  # weights of 0 jump to 2
    ],
)
def test_planted_bug_in_a_kernel(old: str, new: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fast, "kernels", mutated(kernels, old, new))
    with pytest.raises(AssertionError):
        check_all_random(fast)


def check_all_random(unit: ModuleType) -> None:
    for seed in range(60):
        check_random(unit, seed)


@pytest.mark.parametrize("seed", range(6))
def test_readout(seed: int):
    rng = np.random.default_rng(seed)
    q, k, columns, none = 5, int(rng.integers(1, 6)), 4, 7
    times = np.full((40, columns, q), none, np.uint8)
    for wave in range(40):
        for c in range(columns):
            winners = rng.permutation(q)[: rng.integers(0, k + 1)]
            times[wave, c, winners] = rng.integers(0, none, len(winners))
    times = times.reshape(40, -1)
    rows = rng.integers(-2, 3, (columns * q, 4)).astype(np.int8)  # few values: many equal sums
    expected = readout.classify(times, rows, none)
    np.testing.assert_array_equal(fast.classify(times, rows, none), expected)
    slots = readout.slots(times, q, k, none)
    np.testing.assert_array_equal(fast.slots(times, q, k, none), slots)
    padded = np.concatenate([rows, np.zeros((1, 4), np.int8)])
    sums = padded[slots].sum(axis=1, dtype=np.int64)
    np.testing.assert_array_equal(sums, readout.sums(times, rows, none))


def test_planes_keep_weights():
    rng = np.random.default_rng(0)
    for p, w_max in ((1, 1), (63, 7), (64, 8), (65, 127), (130, 3)):
        weights = rng.integers(0, w_max, (2, 3, p), np.uint8, endpoint=True)
        planes = kernels.to_planes(weights, w_max)
        assert planes.shape == (2, w_max, -(-p // 64), 3)
        np.testing.assert_array_equal(kernels.to_weights(planes, p), weights)
