"""Read-outs by kind: what each table must be, and one fault per line."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated
from networks import random_network

from racewave.golden import config, kinds, presets
from racewave.golden.errors import BadInput


def built(kind: str, **more: object) -> config.Config:
    tables = random_network(3).to_dict()
    return config.from_dict({**tables, "readout": {"kind": kind, "classes": 3, **more}})


OUTPUTS = built("tally").outputs
PAIRS = (OUTPUTS, 3, 3, 2)

FAULTS = [
    (built("linear"), np.zeros((OUTPUTS, 4), int), f"{OUTPUTS} x 3, not {OUTPUTS} x 4"),
    (built("linear"), np.full((OUTPUTS, 3), -129), r"in -128\.\.127 \(8 bits\), not -129"),
    (built("linear", bits=4), np.full((OUTPUTS, 3), 8), r"in -8\.\.7 \(4 bits\), not 8"),
    (built("linear"), np.zeros((OUTPUTS, 3)), "integers, not float64"),
    (built("perceptron"), np.zeros((OUTPUTS, 2), int), f"{OUTPUTS} x 3, not {OUTPUTS} x 2"),
    (built("perceptron", bits=3), np.full((OUTPUTS, 3), 4), r"in -4\.\.3 \(3 bits\), not 4"),
    (
        built("dual-voter"),
        np.zeros(PAIRS[:-1], int),
        f"{OUTPUTS} x 3 x 3 x 2, not {OUTPUTS} x 3 x 3",
    ),
    (built("dual-voter"), np.full(PAIRS, 225), r"in 0\.\.224 \(a counter\), not 225"),
    (built("dual-voter"), np.full(PAIRS, -1), r"in 0\.\.224 \(a counter\), not -1"),
    (built("tally"), np.zeros((OUTPUTS, 1), int), f"{OUTPUTS}, not {OUTPUTS} x 1"),
    (built("tally"), np.full(OUTPUTS, 3), r"in 0\.\.2 \(a label\) or 255 \(none\), not 3"),
    (built("tally"), np.full(OUTPUTS, 256), r"in 0\.\.2 \(a label\) or 255 \(none\), not 256"),
    (presets.load("cmu-cvt"), np.zeros(3, int), r"come with a \[readout\] table"),
]


def check(unit: ModuleType) -> None:
    for given, table, message in FAULTS:
        with pytest.raises(BadInput, match=f"readout must (be )?{message}") as caught:
            unit.check(table, given)
        assert "\n" not in str(caught.value)


def test_every_fault_is_one_line():
    check(kinds)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(table < low) | ", ""),
        (" | (table > high)", ""),
        ('table.dtype.kind not in "ui"', "False"),
        ("table.shape != wanted", "len(table) != wanted[0]"),
        ("half - 1, f", "half, f"),
        ("(0, voter.MOST,", "(0, 255,"),
        ("(0, rules.classes - 1,", "(0, rules.classes,"),
    ],
)
def test_planted_bug(old: str, new: str):
    unit = mutated(kinds, old, new)
    with pytest.raises((pytest.fail.Exception, AssertionError)):
        check(unit)


@pytest.mark.parametrize(
    ("kind", "low", "high", "dtype"),
    [
        ("linear", -128, 127, np.int8),
        ("perceptron", -128, 127, np.int8),
        ("dual-voter", 0, 224, np.uint8),
        ("tally", 0, 2, np.uint8),
    ],
)
def test_whole_range_is_taken(kind: str, low: int, high: int, dtype: type):
    given = built(kind)
    table = np.resize(np.arange(low, high + 1), kinds.shape(given))
    found = kinds.check(table, given)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, table)


def test_tally_takes_none():
    assert kinds.check(np.full(OUTPUTS, 255), built("tally")).tolist() == [255] * OUTPUTS


def test_only_what_learns_starts_with_a_table():
    assert kinds.blank(built("linear")) is None
    assert kinds.blank(built("tally")) is None
    assert kinds.blank(presets.load("cmu-cvt")) is None
    counters = kinds.blank(built("dual-voter"))
    assert counters is not None
    assert (counters.shape, int(counters.max())) == (PAIRS, 0)
    rows = kinds.blank(built("perceptron"))
    assert rows is not None
    assert (rows.shape, rows.dtype, rows.any()) == ((OUTPUTS, 3), np.int8, False)


@pytest.mark.parametrize("form", ["fast", "reference"])
def test_unreachable_times_read_the_earliest_row(form: kinds.Form):
    """`posneg` images cannot fire a neuron of digits before step 3; a volley from a file may."""
    tables = presets.load("digits-folded").to_dict()
    given = config.from_dict({**tables, "readout": {"kind": "dual-voter"}})
    assert given.readout_times == (2,)
    counters = kinds.blank(given)
    times = np.full((1, given.outputs), 7, np.uint8)
    times[0, 5] = 0
    _, after = kinds.play(times, counters, given, np.array([4]), form)
    assert after[5, 2, 4].tolist() == [31, 17]
    assert after.astype(int).sum() == 48
