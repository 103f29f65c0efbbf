"""The reference column: contract vectors, every tiny column, learning against the definition."""

from types import ModuleType

import definition
import numpy as np
import pytest
import shared
from configs import every_volley, every_weight, random_column, random_volleys, random_weights
from configs import tiny_columns as every_tiny_column
from mutants import mutated

from racewave.golden import column
from racewave.golden.config import ColumnConfig


@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector(number: int):
    case = shared.vector(number)
    parameters: ColumnConfig = case["column"]
    assert (parameters.steps, parameters.none) == (case["steps"], case["none"])
    times, weights, state = column.run(case["volleys"], case["weights"], parameters)
    np.testing.assert_array_equal(times, case["times"])
    np.testing.assert_array_equal(weights, case["weights"])
    assert state == parameters.seed
    times, weights, _ = column.run(case["volleys"], case["weights"], parameters, learn=True)
    np.testing.assert_array_equal(times, case["learn_times"])
    np.testing.assert_array_equal(weights, case["learn_weights"])


def all_weights(parameters: ColumnConfig) -> np.ndarray:
    """Every weight matrix of a tiny column."""
    return every_weight(parameters.p * parameters.q, parameters.w_max).reshape(
        -1, parameters.q, parameters.p
    )


def expected_times(parameters: ColumnConfig) -> np.ndarray:
    """Definition's times for every weight matrix and every volley."""
    volleys = every_volley(parameters.p, parameters).tolist()
    rows = every_weight(parameters.p, parameters.w_max).tolist()
    raw = {tuple(w): [definition.fire(x, w, parameters) for x in volleys] for w in rows}
    none, after = parameters.none, {}

    def decide(fired: tuple) -> list[int]:
        if fired not in after:
            after[fired] = definition.wta(fired, parameters.k, parameters.tie, none)
        return after[fired]

    return np.array(
        [
            [decide(fired) for fired in zip(*(raw[tuple(row)] for row in matrix), strict=True)]
            for matrix in all_weights(parameters).tolist()
        ]
    )


def check_tiny(unit: ModuleType, parameters: ColumnConfig) -> None:
    volleys = every_volley(parameters.p, parameters)
    found = np.stack([unit.evaluate(volleys, w, parameters) for w in all_weights(parameters)])
    np.testing.assert_array_equal(found, expected_times(parameters))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_every_tiny_column(p: int):
    """All volleys, weights, responses, k and ties; the fast form plays all thresholds."""
    checked = 0
    for parameters in every_tiny_column():
        most = parameters.v_max
        middle = (most + 1) // 2
        large = len(every_volley(p, parameters)) > 8 and parameters.q * p * parameters.w_max > 6
        thresholds = range(1, most + 1) if p < 3 else [middle] if large else [1, middle, most]
        if parameters.p == p and parameters.theta in thresholds:
            check_tiny(column, parameters)
            checked += 1
    assert checked >= 60


def check_learning(unit: ModuleType, seed: int, randomness: str = "layer") -> None:
    rng = np.random.default_rng(seed)
    parameters = random_column(rng, 8).model_copy(update={"randomness": randomness})
    volleys = random_volleys(rng, parameters, 30)
    weights = random_weights(rng, parameters, 1)[0]
    times, after, state = unit.run(volleys, weights, parameters, learn=True)
    expected, expected_weights, expected_state = [], weights.tolist(), parameters.seed
    for x in volleys.tolist():
        y, expected_weights, expected_state = definition.wave(
            x, expected_weights, expected_state, parameters, True
        )
        expected.append(y)
    np.testing.assert_array_equal(times, expected)
    np.testing.assert_array_equal(after, expected_weights)
    assert state == expected_state


@pytest.mark.parametrize("randomness", ["layer", "synapse"])
@pytest.mark.parametrize("seed", range(20))
def test_learning(seed: int, randomness: str):
    check_learning(column, seed, randomness)


def check(unit: ModuleType) -> None:
    for parameters in every_tiny_column(most_p=2):
        check_tiny(unit, parameters)
    for seed in range(8):
        check_learning(unit, seed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("potential, column.theta)", "potential, column.theta + 1)"),
        ("raw, at_fire, column.k", "raw, -at_fire, column.k"),
        ("np.arange(column.p)[None]", "np.arange(column.p)[None, ::-1]"),
        ("column, learn, state)", "column, False, state)"),
        ("layers[0], state", "layers[0], column.seed"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(column, old, new))


def test_freezing_leaves_weights_and_generator():
    parameters = ColumnConfig(p=4, q=2, theta=3)
    weights = np.full((2, 4), 3, np.uint8)
    volleys = np.zeros((5, 4), np.uint8)
    _, after, state = column.run(volleys, weights, parameters, learn=False, state=77)
    assert state == 77
    np.testing.assert_array_equal(after, weights)


def test_no_waves():
    parameters = ColumnConfig(p=4, q=2, theta=3)
    times, weights, state = column.run(
        np.zeros((0, 4), np.uint8), np.zeros((2, 4), np.uint8), parameters, learn=True
    )
    assert times.shape == (0, 2)
    assert state == parameters.seed
    assert weights.sum() == 0
