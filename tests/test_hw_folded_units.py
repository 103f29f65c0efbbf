"""Units of folded cores, alone: what they find must be what golden units find."""

import itertools

import numpy as np
import pytest
from configs import every_volley, every_weight, random_volleys
from folded_twins import (
    hw_access,
    hw_argmax,
    hw_counts,
    hw_decide,
    hw_merge,
    hw_scan,
    hw_votes,
    scan_events,
)
from mutants import mutated
from numpy.testing import assert_array_equal

from racewave.golden import readout, response, tally, voter
from racewave.golden import wta as golden_wta
from racewave.golden.config import ColumnConfig, ReadoutConfig, from_dict
from racewave.golden.stage import Stage
from racewave.hw import access, counts, decide, merge, scan, votes
from racewave.hw.decide import decide_cycles
from racewave.hw.verilog import pack_rows

RNG = np.random.default_rng(0)


# Counts.

COUNTS = {
    "ramp": ColumnConfig(p=5, q=2, theta=1, w_max=3, t_in=3),
    "ramp of one": ColumnConfig(p=5, q=1, theta=1, w_max=1),
    "one step": ColumnConfig(p=3, q=2, theta=1, w_max=8, t_in=1),
    "steps": ColumnConfig(p=7, q=2, theta=1, w_max=5, t_in=4, response="snl"),
    "single line": ColumnConfig(p=1, q=3, theta=1, w_max=2, t_in=2),
}


def check_counts(name, stalls=0.0, module=counts):
    column = COUNTS[name]
    rng = np.random.default_rng(1)
    times = random_volleys(rng, column, 60)
    times[::7] = column.none
    weights = rng.integers(0, column.w_max + 1, (column.q, column.p))
    wanted = np.diff(response.potentials(times, weights, column), axis=2, prepend=0)
    assert_array_equal(hw_counts(times, weights, column, stalls, module), wanted)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name, stalls):
    check_counts(name, stalls)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ramp", "Mux(first, added, self._sum(count, added))", "self._sum(count, added)"),
        ("ramp", "(w > n)", "(w >= n)"),
        ("ramp", "0 <= step - x", "0 < step - x"),
        ("ramp", "self.hit & (self.time == t)", "(self.time == t)"),
        ("ramp of one", "came.eq(self.hit)", "came.eq(1)"),
        ("steps", "Mux(came[step], weight, 0)", "Mux(came[step], weight, weight)"),
        ("ramp", "with m.If(self.enable & valid):", "with m.If(valid):"),
    ],
)
def test_planted_bug_in_counts(name, old, new):
    with pytest.raises(AssertionError):
        check_counts(name, stalls=0.5, module=mutated(counts, old, new))


# Decide.

TINY = [
    ColumnConfig(p=p, q=2, theta=theta, w_max=2, t_in=t_in, k=k, tie=tie, response=way)
    for p, theta in ((1, 2), (2, 2), (2, 4))
    for t_in in (1, 2)
    for k in (1, 2)
    for tie in ("index", "potential")
    for way in ("rnl", "snl")
]
LARGE = ColumnConfig(p=9, q=5, theta=14, w_max=6, t_in=3, k=3, tie="potential")


def check_decide(column, volleys, weights, module=decide):
    """`weights` is neurons x p, every q of them a column."""
    potential = response.potentials(volleys, weights, column)
    raw = response.fire(potential, column.theta)
    height = response.at_fire(potential, raw)
    added = np.diff(potential, axis=2, prepend=0).reshape(-1, column.q, column.steps)
    wanted = golden_wta.wta(
        raw.reshape(-1, column.q),
        height.reshape(-1, column.q),
        column.k,
        column.tie,
        column.none,
    )
    found, clocks = hw_decide(added, column, module)
    assert_array_equal(found, wanted)
    return clocks


@pytest.mark.parametrize("column", TINY, ids=lambda c: f"{c.p}{c.theta}{c.t_in}{c.k}{c.tie[0]}")
def test_decide_every_column(column):
    pairs = itertools.product(every_weight(column.p, column.w_max), repeat=2)
    weights = np.array([row for pair in pairs for row in pair])
    clocks = check_decide(column, every_volley(column.p, column), weights[: 2 * 81])
    assert min(clocks) == decide_cycles(column)


def test_decide_large():
    rng = np.random.default_rng(3)
    weights = rng.integers(0, LARGE.w_max + 1, (LARGE.q * 8, LARGE.p))
    check_decide(LARGE, random_volleys(rng, LARGE, 20), weights)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("potential.eq(-column.theta)", "potential.eq(1 - column.theta)"),
        ("go.eq(~wta.hold)", "go.eq(1)"),
        ("(idle | (self.done & self.release))", "(idle | self.done)"),
        ("step == steps - 1", "step == steps - 2"),
        ("raised.eq(counted)", "raised.eq(step)"),
        ("wta.clear.eq(self.take)", "wta.clear.eq(0)"),
        ("wta.excess[j].eq(potential)", "wta.excess[j].eq(0)"),
        ("with m.Elif(go & adds):", "with m.Elif(adds):"),
    ],
)
def test_planted_bug_in_decide(old, new):
    broken = mutated(decide, old, new)
    rng = np.random.default_rng(3)
    weights = rng.integers(0, LARGE.w_max + 1, (LARGE.q * 4, LARGE.p))
    with pytest.raises((AssertionError, TimeoutError)):
        check_decide(LARGE, random_volleys(rng, LARGE, 10), weights, broken)


# Scan.


def stage_of(image, field, stride, engines=1, encoder="intensity", copies=1, **column) -> Stage:
    config = from_dict(
        {
            "column": {"q": 1, "theta": 1, "t_in": 3, "w_max": 1, **column},
            "input": {"image": image, "encoder": encoder},
            "layer": [{"field": field, "stride": stride, "copies": copies}],
            "hardware": {"micro_architecture": "folded", "engines": engines},
        }
    )
    return config.stages[0]


STAGES = {
    "overlap": stage_of([4, 5], [2, 3], 1, engines=2, copies=2),
    "one line": stage_of([3, 3], [1, 1], 2, engines=4),
    "whole image": stage_of([3, 4], [3, 4], 1, t_in=1),
    "two lines": stage_of([6, 4], [2, 2], 2, engines=2, encoder="posneg", t_in=1),
    "rows": stage_of([5, 1], [2, 1], 1, engines=2, t_in=8),
}


def check_scan(name, learn, stalls, module=scan, waves=4):
    stage = STAGES[name]
    columns = stage.columns // stage.engines
    for engine in range(stage.engines):
        rng = np.random.default_rng(engine)
        volleys = random_volleys(rng, stage.column, waves, stage.lines)
        volleys[1] = np.where(rng.random(stage.lines) < 0.8, stage.column.none, volleys[1])
        found = hw_scan(stage, columns, engine, volleys, learn, stalls, module)
        wanted = scan_events(stage, columns, engine, volleys, learn)
        for events, others in zip(found, wanted, strict=True):
            assert events == others


def check_scans(names, *options):
    for name in names:
        check_scan(name, *options)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("name", STAGES)
def test_scan(name, learn, stalls):
    check_scan(name, learn, stalls)


@pytest.mark.parametrize(
    ("learn", "old", "new"),
    [
        (False, "one.eq(lowest(left))", "one.eq(lowest(left & (left - 1)) | lowest(left))"),
        (False, "left.any() | s_bottom", "left.any()"),
        (False, "e_last.eq(s_bottom & over)", "e_last.eq(s_bottom)"),
        (False, "e_last.eq(s_bottom & over)", "e_last.eq(over)"),
        (False, "fresh.eq(f_top | (fresh & ~sends))", "fresh.eq(f_top)"),
        (False, "fresh.eq(f_top | (fresh & ~sends))", "fresh.eq(fresh)"),
        (False, "e_hit.eq(left.any())", "e_hit.eq(1)"),
        (False, "self.address.eq(Cat(row, half))", "self.address.eq(Cat(row, 0))"),
        (False, "(~loaded | over)", "1"),
        (False, "((~fetched | take) & ~self.held)", "(~self.held)"),
        (False, "((~fetched | take) & ~self.held)", "(~fetched | take)"),
        (False, "above.eq(above + stage.stride)", "above.eq(above + 1)"),
        (False, "self.base + width * stage.channels", "self.base + width"),
        (False, "row * stage.stride", "row"),
        (False, '"place": place, "copy"', '"place": 0, "copy"'),
        (False, '"copy": copy}', '"copy": 0}'),
        (False, "stage.stride * stage.channels * codes", "stage.channels * codes"),
        (True, "left.eq(~0)", "left.eq(present)"),
        (True, "learn & (cursor.last | ~cursor.first)", "learn"),
        (True, "(self.known & ~under_way)", "self.known"),
        (True, "(self.known & ~under_way)", "1"),
        (True, "with m.Elif(~scanned):", "with m.Else():"),
        (True, "(spikes & one).any() if self.learning", "left.any() if self.learning"),
    ],
)
def test_planted_bug_in_scan(learn, old, new, monkeypatch):
    broken = mutated(scan, old, new)
    monkeypatch.setattr(scan, "origins", broken.origins)
    with pytest.raises((AssertionError, TimeoutError, IndexError)):
        check_scans(("overlap", "two lines"), learn, 0.5, broken)


# Votes.

COLUMN = ColumnConfig(p=4, q=3, theta=3, w_max=3, t_in=2, k=2)


def random_winners(rng, waves, columns, column=COLUMN):
    """Times of at most k winners per column."""
    raw = rng.integers(0, column.steps + 2, (waves * columns, column.q))
    raw = np.where(raw < column.steps, raw, column.none)
    found = golden_wta.wta(raw, np.zeros_like(raw), column.k, "index", column.none)
    return found.reshape(waves, -1)


def check_votes(kind, module=votes, codes=(0, 1, 2)):
    rng = np.random.default_rng(5)
    times = random_winners(rng, 40, 2)
    times[3] = COLUMN.none
    outputs = times.shape[1]
    if kind == "linear":
        rules = ReadoutConfig(kind="linear", classes=3, bits=4)
        table = rng.integers(-8, 8, (outputs, 3))
        rows = pack_rows(table & 15, 4)
        sums, left = hw_votes(times, list(rows), rules, COLUMN, module=module)
        assert_array_equal(sums, readout.sums(times, table, COLUMN.none))
    elif kind == "tally":
        rules = ReadoutConfig(kind="tally", classes=3)
        labels = np.array([0, 1, 3, 2, 2, 1])  # 3: none
        rows = tuple(map(int, labels))
        sums, left = hw_votes(times, list(rows), rules, COLUMN, module=module)
        assert_array_equal(sums.argmax(axis=1), tally.classify(times, labels, 3, COLUMN.none))
        won = (times != COLUMN.none)[:, :, None] & (labels[:, None] == np.arange(3))
        assert_array_equal(sums, won.sum(axis=1))
    else:
        rules = ReadoutConfig(kind="dual-voter", classes=3)
        least = codes[0]
        counters = rng.choice([0, 1, 14, 15, 111, 112, 193, 200, 207, 224], (outputs, 3, 3, 2))
        counters = counters.astype(np.uint8)
        labels = rng.integers(-1, 3, len(times))
        own = counters[:, list(codes)].reshape(outputs * len(codes), -1)
        sums, left = hw_votes(times, list(pack_rows(own, 8)), rules, COLUMN, codes, labels, module)
        for n, wave in enumerate(times):
            wanted = voter.votes(wave, counters, COLUMN.none, least)
            assert_array_equal(sums[n], wanted)
            _, counters = voter.step(wave, counters, int(labels[n]), COLUMN.none, least)
        rows = pack_rows(counters[:, list(codes)].reshape(outputs * len(codes), -1), 8)
    assert left == list(rows)


@pytest.mark.parametrize("kind", ["linear", "tally", "dual-voter"])
def test_votes(kind):
    check_votes(kind)


@pytest.mark.parametrize("codes", [(1, 2), (2,)])
def test_votes_by_reachable_times(codes):
    check_votes("dual-voter", codes=codes)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("linear", "& ~((number == 0) & self.finished)", ""),
        ("linear", "with m.If(begins & (number == 0)):", "with m.If(begins):"),
        ("linear", "bits).as_signed() for n in", "bits) for n in"),
        ("linear", "base.eq(base + q * self.per_neuron)", "base.eq(base + q)"),
        ("linear", "asked.eq(left.any())", "asked.eq(1)"),
        ("linear", "~left.any() & ~asked & ~shown", "~left.any()"),
        ("tally", "self.row == n for", "self.row != n for"),
        ("dual-voter", "LEAST = (31, 17)", "LEAST = (31, 15)"),
        ("dual-voter", "(1, 15), 224, 112", "(1, 17), 224, 112"),
        ("dual-voter", "(1, 15), 224, 112", "(2, 15), 224, 112"),
        ("dual-voter", "(1, 15), 224, 112", "(1, 15), 225, 112"),
        ("dual-voter", "(1, 15), 224, 112", "(1, 15), 224, 111"),
        ("dual-voter", "Mux(more > MOST, MOST, more)", "more"),
        ("dual-voter", "Mux(less < 0, 0, less)", "less"),
        ("dual-voter", "own.eq(self.label == n)", "own.eq(self.label != n)"),
        ("dual-voter", "self._write(m, shown & self.known", "self._write(m, shown"),
        ("dual-voter", "write_address.eq(shown_address)", "write_address.eq(self.address)"),
        ("dual-voter", "code >= 2", "code == 2"),
        ("dual-voter", "Mux(late, 2, early)", "late"),
    ],
)  # fmt: skip
def test_planted_bug_in_votes(kind, old, new):
    broken = mutated(votes, old, new)
    with pytest.raises((AssertionError, TimeoutError)):
        check_votes("dual-voter" if "per_neuron" in old else kind, broken)


# Argmax, merge.


def check_argmax(module=merge):
    rng = np.random.default_rng(0)
    for engines, classes in ((1, 2), (2, 3), (3, 4), (5, 2)):
        sums = rng.integers(-2, 2, (30, engines, classes))
        assert hw_argmax(sums, 4, module) == list(sums.sum(axis=1).argmax(axis=1))
    ends = np.array([[[-8, 7], [-8, 7]], [[7, -8], [7, -8]], [[-8, -8], [-8, -8]]])
    assert hw_argmax(ends, 4, module) == [1, 0, 0]


def test_argmax():
    check_argmax()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("values[0] > largest", "values[0] >= largest"),
        ("(place == 0) | (values[0] > largest)", "values[0] > largest"),
        ("word_select(n, self.sum_bits).as_signed()", "word_select(n, self.sum_bits)"),
        ("signed(self.sum_bits + level)", "signed(self.sum_bits)"),
        ("self.number == self.classes - 1", "self.number == self.classes - 2"),
        ("[running.eq(1), self.number.eq(0), place.eq(0)]", "[running.eq(1), self.number.eq(0)]"),
        ("& ~Cat(*arrives, self.done).any()", ""),
    ],
)
def test_planted_bug_in_argmax(old, new):
    with pytest.raises((AssertionError, TimeoutError)):
        check_argmax(mutated(merge, old, new))


def check_merge(stalls, module=merge):
    words = [[n << 4 | w for w in range(12)] for n in range(3)]
    found = hw_merge(words, 8, stalls, module)
    assert [[word for word in found if word >> 4 == n] for n in range(3)] == words


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_merge(stalls):
    check_merge(stalls)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port.ready.eq(room & chosen[n])", "port.ready.eq(room)"),
        ("port.ready.eq(room & chosen[n])", "port.ready.eq(chosen[n])"),
        ("chosen.eq(lowest(waiting))", "chosen.eq(waiting)"),
        ("room.eq(~self.o.valid | self.o.ready)", "room.eq(1)"),
    ],
)
def test_planted_bug_in_merge(old, new):
    with pytest.raises((AssertionError, TimeoutError)):
        check_merge(0.5, mutated(merge, old, new))


# Access.


def check_access(module=access):
    banks = (3, 1, 5, 2)
    rng = np.random.default_rng(2)
    flat, wanted, orders = [0] * 16, [], []
    for address in [*range(11), *rng.integers(0, 16, 120)]:
        row = int(rng.integers(0, 256)) if rng.random() < 0.5 or len(orders) < 11 else None
        orders.append((int(address), row))
        if row is None:
            wanted.append(flat[address])
        elif address < sum(banks):
            flat[address] = row
    replies, memory = hw_access(banks, orders, module)
    assert replies == wanted
    assert [row for bank in memory for row in bank] == flat[: sum(banks)]


def test_access():
    check_access()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with m.If(wanted < base):", "with m.If(wanted <= base):"),
        ("(rest < size) | beyond", "(rest <= size) | beyond"),
        ("base.eq(base + size)", "base.eq(base)"),
        ("rest.eq(wanted - base)", "rest.eq(wanted)"),
        ("[bank.eq(0), base.eq(0)]", "[bank.eq(0)]"),
        ("self.requests.valid & self.quiet & room", "self.requests.valid & room"),
        ("write | ~self.replies.valid | self.replies.ready", "1"),
        ("self.replies.payload.eq(self.shown)", "self.replies.payload.eq(self.row)"),
    ],
)
def test_planted_bug_in_access(old, new):
    with pytest.raises((AssertionError, TimeoutError, IndexError)):
        check_access(mutated(access, old, new))
