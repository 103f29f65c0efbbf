"""Random decisions, the rule and the step of one, against the golden STDP."""

import itertools

import numpy as np
import pytest
from hw_twins import bits_of, hw_decisions, hw_update
from mutants import mutated

from racewave.golden import stdp as golden
from racewave.golden.config import ColumnConfig
from racewave.hw import stdp

TAKES = ["take", "take", "late", "take", "reseed", "late", "take"]


def golden_decisions(column):
    sets, state = [], column.seed
    for take in TAKES:
        decisions, state = golden.draw_decisions(column.seed if take == "reseed" else state, column)
        sets.append(bits_of(decisions))
    return sets


PRESETS = [
    ColumnConfig(),
    ColumnConfig(w_max=4, prob_bits=16, u_capture=65_536, u_minus=1, stabilise="shared", seed=7),
    ColumnConfig(
        w_max=1, prob_bits=1, u_capture=1, u_minus=2, u_search=0, u_backoff=1, u_min=1, theta=1
    ),
]


@pytest.mark.parametrize("column", PRESETS)
def test_decisions(column):
    assert hw_decisions(column, TAKES, stdp) == golden_decisions(column)


def every_case(column):
    """All decisions, spike times and weights of a small column; (y, w) pairs side by side."""
    values = range(column.w_max + 1)
    y, w = np.array([*itertools.product([*range(column.steps), column.none], values)]).T
    for bits in itertools.product((False, True), repeat=column.draws):
        up, down = np.array(bits[5:]).reshape(2, -1)
        for x in [*range(column.t_in), column.none]:
            yield w, x, y, golden.Decisions(*bits[:5], up, down)


def check(column, cases, module=stdp):
    out = hw_update(cases, column, module)
    for (weights, x, y, decisions), found in zip(cases, out, strict=True):
        expected = golden.update(
            np.array(weights, np.uint8)[:, None], np.array([x]), np.array(y), decisions, column
        )
        np.testing.assert_array_equal(found, expected[:, 0])


SMALL = {"p": 1, "q": 1, "theta": 1, "w_max": 1}


@pytest.mark.parametrize("stabilise_search", [False, True])
@pytest.mark.parametrize("t_in", [1, 2])
def test_every_case(t_in, stabilise_search):
    column = ColumnConfig(**SMALL, t_in=t_in, stabilise_search=stabilise_search)
    check(column, list(every_case(column)))


def random_cases(column, count=60, seed=0):
    rng = np.random.default_rng(seed)
    values = column.w_max + 1
    for _ in range(count):
        bits = rng.random(column.draws) < 0.6
        decisions = golden.Decisions(*map(bool, bits[:5]), bits[5 : 5 + values], bits[5 + values :])
        y = rng.choice([*range(column.steps), column.none], 12)
        x = int(rng.choice([*range(column.t_in), column.none]))
        yield rng.integers(0, values, 12), x, y, decisions


@pytest.mark.parametrize("w_max", [2, 5, 7, 16])
@pytest.mark.parametrize("t_in", [1, 8])
def test_random(w_max, t_in):
    column = ColumnConfig(p=1, q=1, theta=1, t_in=t_in, w_max=w_max, stabilise_search=w_max == 5)
    check(column, list(random_cases(column)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Mux(self.spike, minus, backoff)", "Mux(self.spike, backoff, minus)"),
        ("(up | u_min.replicate(values))[:-1]", "up | u_min.replicate(values)"),
        ("searched.eq(search.replicate(values - 1))", "searched.eq(search.replicate(values))"),
        ("Cat(0, (down | u_min.replicate(values))[1:])", "down | u_min.replicate(values)"),
        ("rises.eq(~(self.winner & self.later))", "rises.eq(~self.winner)"),
        ("toggle & ~(bit ^ rises)", "toggle & bit"),
        ("Mux(self.spike, searched, 0)", "searched"),
    ],
)
def test_planted_bug(old, new):
    column = ColumnConfig(p=1, q=1, theta=1, t_in=3, w_max=3)
    with pytest.raises(AssertionError):
        check(column, list(random_cases(column, 200)), mutated(stdp, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Cat(drawn[1:], lfsr", "Cat(drawn[:-1], lfsr"),
        ("< threshold", "<= threshold"),
        ("lfsr.reseed.eq(self.reseed)", "lfsr.reseed.eq(0)"),
        ("number == column.draws)", "number == column.draws - 1)"),
    ],
)
def test_planted_bug_in_decisions(old, new):
    column = PRESETS[2]
    try:
        found = hw_decisions(column, TAKES, mutated(stdp, old, new))
    except (AssertionError, TimeoutError):
        return
    assert found != golden_decisions(column)
