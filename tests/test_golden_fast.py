"""The fast form equals the reference: contract vectors, every tiny column, random layers."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shared
from configs import every_volley, random_column, random_volleys, random_weights, tiny_columns
from mutants import mutated
from test_golden_column import all_weights, expected_times

from racewave.golden import config, fast, kernels, layer, planes, presets, readout

KERNELS = pytest.mark.parametrize("events", [False, True], ids=["planes", "events"])
WAYS = [("layer", False), ("layer", True), ("synapse", True)]  # randomness and kernel


def assert_same(found: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    for a, b in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert found[2] == expected[2]


def play(
    unit: ModuleType,
    volleys: np.ndarray,
    weights: np.ndarray,
    fields: np.ndarray,
    column: config.ColumnConfig,
    learn: bool,
    events: bool,
    jobs: int = 2,
) -> tuple[np.ndarray, np.ndarray, int]:
    """What `run_layer` gives, from the kernel asked for."""
    ready = unit.Layer(weights, fields, column, events=events)
    times = ready.play(volleys, learn, jobs)
    return times, ready.restore(), ready.state


@KERNELS
@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector(number: int, events: bool):
    case = shared.vector(number)
    column, weights = case["column"], case["weights"][None]
    fields = np.arange(column.p)[None]
    times, _, _ = play(fast, case["volleys"], weights, fields, column, False, events)
    np.testing.assert_array_equal(times, case["times"])
    times, weights, _ = play(fast, case["volleys"], weights, fields, column, True, events)
    np.testing.assert_array_equal(times, case["learn_times"])
    np.testing.assert_array_equal(weights[0], case["learn_weights"])


@KERNELS
@pytest.mark.parametrize("p", [1, 2, 3])
def test_every_tiny_column(p: int, events: bool):
    """A layer of one column per weight matrix plays every volley."""
    checked = 0
    for column in tiny_columns():
        if column.p == p:
            weights = all_weights(column)
            fields = np.tile(np.arange(p), (len(weights), 1))
            times, _, _ = play(
                fast, every_volley(p, column), weights, fields, column, False, events
            )
            found = times.reshape(len(times), len(weights), column.q).swapaxes(0, 1)
            np.testing.assert_array_equal(found, expected_times(column))
            checked += 1
    assert checked >= 100


def check_tiny_learning(unit: ModuleType, randomness: str, events: bool) -> int:
    """Every volley on every weight matrix of tiny columns, each as a wave that learns."""
    checked = 0
    for column in tiny_columns(most_p=2):
        if column.theta != (column.v_max + 1) // 2 or column.t_in > 2 or column.q < column.p:
            continue
        for gated in (False, True):
            changes = {"randomness": randomness, "stabilise_search": gated, "u_search": 700}
            learner = column.model_copy(update=changes)
            weights = all_weights(learner)
            fields = np.tile(np.arange(column.p), (len(weights), 1))
            volleys = every_volley(column.p, column)
            expected = layer.run(volleys, weights, fields, learner, True)
            assert_same(play(unit, volleys, weights, fields, learner, True, events), expected)
            checked += 1
    return checked


@pytest.mark.parametrize(("randomness", "events"), WAYS)
def test_every_tiny_column_learns(randomness: str, events: bool):
    assert check_tiny_learning(fast, randomness, events) >= 100


def check_random(unit: ModuleType, seed: int, most: int = 20, waves: int = 30) -> None:
    rng = np.random.default_rng(seed)
    drawn = random_column(rng, most)
    columns, lines = int(rng.integers(1, 4)), drawn.p + 3
    fields = rng.integers(0, lines, (columns, drawn.p))
    volleys = random_volleys(rng, drawn, waves, lines)
    weights = random_weights(rng, drawn, columns)
    for events in (False, True):
        expected = layer.run(volleys, weights, fields, drawn, False)
        assert_same(play(unit, volleys, weights, fields, drawn, False, events), expected)
    for randomness in ("layer", "synapse"):
        column = drawn.model_copy(update={"randomness": randomness})
        expected = layer.run(volleys, weights, fields, column, True)
        assert_same(unit.run_layer(volleys, weights, fields, column, True), expected)
        for kind, events in WAYS:
            if kind == randomness:
                assert_same(play(unit, volleys, weights, fields, column, True, events), expected)


@pytest.mark.parametrize("seed", range(60))
def test_random_layer(seed: int):
    check_random(fast, seed, waves=30 if seed < 20 else 8)


@pytest.mark.parametrize("seed", range(100, 108))
def test_more_synapses_than_a_word_has_bits(seed: int):
    check_random(fast, seed, 150, waves=4)


def test_more_spikes_than_a_byte_counts():
    rng = np.random.default_rng(7)
    column = config.ColumnConfig(p=700, q=9, theta=1500, t_in=3, k=2, tie="potential")
    volleys, weights = random_volleys(rng, column, 40), random_weights(rng, column, 1)
    fields = np.arange(700)[None]
    expected = layer.run(volleys, weights, fields, column)
    assert (expected[0] != column.none).any()
    for events in (False, True):
        assert_same(play(fast, volleys, weights, fields, column, False, events), expected)


def check_threads(unit: ModuleType) -> None:
    """Any number of threads, and blocks that end in the middle, give the same."""
    rng = np.random.default_rng(5)
    for randomness, waves in (("layer", fast.BLOCK + 3), ("synapse", 40)):
        column = config.ColumnConfig(p=8, q=3, theta=9, u_search=1024, randomness=randomness)
        fields = rng.integers(0, 20, (5, 8))
        volleys = random_volleys(rng, column, waves, 20)
        weights = random_weights(rng, column, 5)
        for learn in (False, True):
            expected = layer.run(volleys, weights, fields, column, learn)
            for jobs in (1, 2, 7):
                found = unit.run_layer(volleys, weights, fields, column, learn, jobs=jobs)
                assert_same(found, expected)


def test_threads_and_blocks():
    check_threads(fast)


def check_small_blocks(unit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "BLOCK", 3)
    for seed in range(4):
        check_random(unit, seed, 6, waves=10)


def test_blocks_of_synapses_that_draw_for_themselves(monkeypatch: pytest.MonkeyPatch):
    check_small_blocks(fast, monkeypatch)


def test_threads_can_be_limited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    all_of_them = fast.threads()
    assert all_of_them >= 1
    for wish, expected in (("1", 1), ("0", 1), ("9999", all_of_them), ("some", all_of_them)):
        monkeypatch.setenv("NUMBA_NUM_THREADS", wish)
        assert fast.threads() == expected


def test_a_layer_goes_on_where_it_stopped():
    rng = np.random.default_rng(8)
    for randomness, events in WAYS:
        column = config.ColumnConfig(p=8, q=3, theta=9, randomness=randomness)
        volleys, weights = random_volleys(rng, column, 20), random_weights(rng, column, 2)
        fields = np.tile(np.arange(8), (2, 1))
        whole = layer.run(volleys, weights, fields, column, True)
        ready = fast.Layer(weights, fields, column, events=events)
        each, after = [], []
        for n in range(20):
            each.append(ready.play(volleys[n : n + 1], True, jobs=1))
            after.append(ready.stored.copy())
        assert_same((np.concatenate(each), ready.restore(), ready.state), whole)
        again = fast.Layer(weights, fields, column, events=events)
        times, stored = again.trace(volleys)
        assert_same((times, again.restore(), again.state), whole)
        np.testing.assert_array_equal(stored, after)


def test_the_kernel_is_chosen_by_what_a_wave_costs():
    row = presets.load("rtnn-v8").column  # 16 steps x 16 planes, five lines of 28 spike
    few = np.where(np.arange(28) < 5, 0, row.none)[None]
    assert fast.suits_events(few, row, learn=True)
    volley = presets.load("cmu-cvt").column  # 7 planes of one word, half of 32 lines spike
    half = np.where(np.arange(32) < 16, 0, volley.none)[None]
    assert not fast.suits_events(half, volley, learn=True)
    alone = volley.model_copy(update={"randomness": "synapse"})
    assert fast.suits_events(half, alone, learn=True)
    assert not fast.suits_events(half, alone, learn=False)
    assert fast.suits_events(half[:0], row) in (False, True)  # no waves at all


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("place = orbit.place_of(self.state)", "place = orbit.place_of(column.seed + 1)"),
        ("base, hits = mine.start * self.column.q", "base, hits = mine.start * self.column.k"),
        ("self._fields[mine]", "self._fields[: mine.stop - mine.start]"),
        ("self.stored[mine]", "self.stored[::-1][mine]"),
        ("place + 1 + first * plan.draws", "place + first * plan.draws"),
        ("plan.hits[block]", "plan.hits"),
        ("len(volleys) * draws)", "len(volleys) * draws + 1)"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check_threads(mutated(fast, old, new))


def test_planted_bug_in_blocks(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(AssertionError):
        check_small_blocks(mutated(fast, "+ first * plan.draws", "+ 0 * plan.draws"), monkeypatch)


@pytest.mark.parametrize(
    ("way", "old", "new"),
    [
        (WAYS[0], "potential[j] > potential[best]", "potential[j] >= potential[best]"),
        (WAYS[0], "below = who if w == 0", "below = who if w <= 1"),  # weights of 0 jump to 2
        (WAYS[1], "oldest = t - w_max if ramp", "oldest = t - w_max + 1 if ramp"),
        (WAYS[1], "rows[c, i, j] > age", "rows[c, i, j] >= age"),
        (WAYS[1], "early = ends[min(y[j], t_in - 1)]", "early = ends[min(y[j], t_in)]"),
        (WAYS[1], "up[w] = w < w_max and rises", "up[w] = rises"),
        (WAYS[2], "rises = x < t_in and x <= y[j]", "rises = x < t_in and x < y[j]"),
        (WAYS[2], "else minus if x < t_in", "else minus if x <= t_in"),
        (WAYS[2], "(column * p + i)", "(column * q + i)"),
        (WAYS[2], "table or not gated_search", "table or gated_search"),
    ],
)
def test_planted_bug_in_a_kernel(
    way: tuple[str, bool], old: str, new: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fast, "kernels", mutated(kernels, old, new))
    with pytest.raises(AssertionError):
        check_learning(*way)


def check_learning(randomness: str, events: bool) -> None:
    """One kernel only: a mutant compiles no more than it must."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        column = random_column(rng, 8).model_copy(update={"randomness": randomness})
        fields = np.tile(np.arange(column.p), (2, 1))
        volleys, weights = random_volleys(rng, column, 12), random_weights(rng, column, 2)
        expected = layer.run(volleys, weights, fields, column, True)
        assert_same(play(fast, volleys, weights, fields, column, True, events, jobs=1), expected)


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


def test_both_forms_keep_weights():
    rng = np.random.default_rng(0)
    for p, w_max in ((1, 1), (63, 7), (64, 8), (65, 127), (130, 3)):
        weights = rng.integers(0, w_max, (2, 3, p), np.uint8, endpoint=True)
        stored = planes.to_planes(weights, w_max)
        assert stored.shape == (2, w_max, -(-p // 64), 3)
        np.testing.assert_array_equal(planes.from_planes(stored, p), weights)
        stored = planes.to_rows(weights)
        assert stored.shape == (2, p, 3)
        np.testing.assert_array_equal(planes.from_rows(stored), weights)
