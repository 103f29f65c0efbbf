"""STDP: tables, the order of draws, and every case for every weight and every outcome."""

import itertools
from types import ModuleType

import definition
import numpy as np
import pytest
from configs import random_column
from mutants import mutated

from racewave.golden import stdp
from racewave.golden.config import ColumnConfig


def check_tables(unit: ModuleType) -> None:
    up, down = unit.tables(ColumnConfig(w_max=7, prob_bits=10, stabilise="split"))
    assert up.tolist() == [0, 272, 502, 690, 836, 940, 1003, 1024]
    assert down.tolist() == up.tolist()[::-1]
    for w_max, prob_bits in itertools.product((1, 2, 5, 7, 8, 16, 127), (1, 7, 10, 16)):
        for kind in ("split", "shared", "off"):
            column = ColumnConfig(
                theta=1,
                w_max=w_max,
                prob_bits=prob_bits,
                stabilise=kind,
                **dict.fromkeys(("u_capture", "u_minus", "u_search", "u_backoff", "u_min"), 0),
            )
            up, down = unit.tables(column)
            expected = [definition.table(column, w) for w in range(w_max + 1)]
            assert up.tolist() == expected
            assert down.tolist() == expected[::-1]


def check_every_case(unit: ModuleType, w_max: int, gated: bool) -> None:
    column = ColumnConfig(p=3, q=4, theta=1, t_in=2, w_max=w_max, stabilise_search=gated)
    x = np.array([0, 1, column.none], np.uint8)
    y = np.array([0, 1, min(2, column.steps - 1), column.none], np.uint8)
    for bits in itertools.product((False, True), repeat=5 + 2 * (w_max + 1)):
        up, down = np.array(bits[5 : 6 + w_max]), np.array(bits[6 + w_max :])
        decisions = unit.Decisions(*bits[:5], up, down)
        for w in range(w_max + 1):
            named = dict(
                zip(("capture", "minus", "search", "backoff", "u_min"), bits, strict=False)
            )
            named |= {"F+": bool(up[w]), "F-": bool(down[w])}
            found = unit.update(np.full((4, 3), w, np.uint8), x, y, decisions, column)
            expected = [
                [definition.change(w, xi, yj, named.__getitem__, column, column.none) for xi in x]
                for yj in y
            ]
            np.testing.assert_array_equal(found, expected)


def check_order(unit: ModuleType, seeds: int = 20) -> None:
    for seed in range(seeds):
        column = random_column(np.random.default_rng(seed))
        decisions, state = unit.draw_decisions(column.seed, column)
        source = list(
            itertools.islice(definition.draws(column.seed, column.prob_bits), column.draws)
        )
        assert state == source[-1][1]
        limits = [column.u_capture, column.u_minus, column.u_search, column.u_backoff, column.u_min]
        ramp = [definition.table(column, w) for w in range(column.w_max + 1)]
        expected = [
            value < limit
            for (value, _), limit in zip(source, limits + ramp + ramp[::-1], strict=True)
        ]
        found = [decisions.capture, decisions.minus, decisions.search, decisions.backoff]
        found += [decisions.u_min, *decisions.up.tolist(), *decisions.down.tolist()]
        assert found == expected


def check_order_of_synapses(unit: ModuleType, seeds: int = 20) -> None:
    for seed in range(seeds):
        column = random_column(np.random.default_rng(seed), 6)
        decisions, state = unit.draw_synapses(column.seed, column)
        source = definition.draws(column.seed, column.prob_bits)
        ramp = [definition.table(column, w) for w in range(column.w_max + 1)]
        for i, j in np.ndindex(column.p, column.q):
            (case, _), (least, _), (table, after) = (next(source) for _ in range(3))
            for name in definition.CASES:
                assert getattr(decisions, name)[j, i] == (case < getattr(column, f"u_{name}"))
            assert decisions.u_min[j, i] == (least < column.u_min)
            assert decisions.up[:, j, i].tolist() == [table < limit for limit in ramp]
            assert decisions.down[:, j, i].tolist() == [table < limit for limit in ramp[::-1]]
        assert state == after


def check_decide(unit: ModuleType) -> None:
    for randomness in ("layer", "synapse"):
        column = ColumnConfig(p=2, q=1, theta=1, randomness=randomness)
        found, state = unit.decide(column.seed, column, 2)
        first, after = (unit.draw_decisions if randomness == "layer" else unit.draw_synapses)(
            column.seed, column
        )
        second = first
        if randomness == "synapse":
            second, after = unit.draw_synapses(after, column)
        assert state == after
        for one, expected in zip(found, (first, second), strict=True):
            np.testing.assert_array_equal(one.up, expected.up)
            np.testing.assert_array_equal(one.backoff, expected.backoff)


def check(unit: ModuleType) -> None:
    check_tables(unit)
    check_order(unit)
    check_order_of_synapses(unit)
    check_decide(unit)
    for w_max, gated in itertools.product((1, 2), (False, True)):
        check_every_case(unit, w_max, gated)


def test_tables():
    check_tables(stdp)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("w_max", [1, 2])
def test_every_case(w_max: int, gated: bool):
    check_every_case(stdp, w_max, gated)


def test_order_of_draws():
    check_order(stdp)


def test_order_of_draws_per_synapse():
    check_order_of_synapses(stdp)


def test_decisions_of_a_layer():
    check_decide(stdp)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ over) // (2 * over)", ") // (2 * over)"),
        ("up[::-1].copy()", "up.copy()"),
        ("values < limit", "values <= limit"),
        ("[None, :] <= y", "[None, :] < y"),
        ("0, column.w_max)", "0, column.w_max + 1)"),
        ("~came & fired", "~came & ~fired"),
        ("may_rise if column.stabilise_search", "may_rise if not column.stabilise_search"),
        ("decisions.u_min | _at(decisions.down", "decisions.u_min | _at(decisions.up"),
        ("up, down = hit[5:split]", "down, up = hit[5:split]"),
        ("reshape(column.p, column.q, 3)", "reshape(column.q, column.p, 3).swapaxes(0, 1)"),
        ("case, least, table = values", "case, table, least = values"),
        ("own, state = draw_synapses", "own, _ = draw_synapses"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(stdp, old, new))
