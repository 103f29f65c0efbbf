"""Columns on receptive fields with one generator, and the read-out behind them."""

import numpy as np
import pytest
from hw_bench import play
from hw_twins import hw_classify
from mutants import mutated

from racewave.golden import layer as golden
from racewave.golden import readout as golden_readout
from racewave.golden.config import Config, from_dict
from racewave.hw import layer, network, readout


def grid(readout_bits: int | None = 6, **column) -> Config:
    """Nine overlapping 2 x 2 fields on a 4 x 4 image, two lines per pixel."""
    encoder = "posneg" if column.get("t_in", 1) == 1 else "posneg-graded"
    data = {
        "column": {"p": 8, "q": 3, "theta": 9, "w_max": 3, "u_search": 300, **column},
        "input": {"image": [4, 4], "encoder": encoder},
        "layer": [{"field": 2, "stride": 1}],
    }
    if readout_bits:
        data["readout"] = {"classes": 3, "bits": readout_bits}
    return from_dict(data)


def check(config, waves=6, learn=True, stalls=0.3):
    column, rng = config.column, np.random.default_rng(config.column.k)
    weights = rng.integers(0, column.w_max + 1, (config.columns, column.q, column.p))
    weights = weights.astype(np.uint8)
    volleys = rng.choice([*range(column.t_in), column.none], (waves, config.lines))
    volleys = volleys.astype(np.uint8)
    rows = None
    if config.readout:
        most = 1 << (config.readout.bits - 1)
        rows = rng.integers(-most, most, (config.outputs, config.readout.classes))
    times, final, classes, _ = play(
        config, weights, volleys, learn=learn, readout=rows, stalls=stalls
    )
    expected, expected_final, _ = golden.run(volleys, weights, config.field_lines(), column, learn)
    expected = expected.reshape(waves, config.outputs)
    np.testing.assert_array_equal(times, expected)
    np.testing.assert_array_equal(final, expected_final)
    if rows is not None:
        np.testing.assert_array_equal(classes, golden_readout.classify(expected, rows, column.none))


@pytest.mark.parametrize(
    "column",
    [
        {},
        {"k": 2, "tie": "potential", "theta": 5},
        {"t_in": 3, "k": 3, "theta": 5},
        {"t_in": 4, "response": "snl", "w_max": 5, "theta": 9, "tie": "potential"},
    ],
)
def test_layer(column):
    check(grid(**column))


def test_layer_without_readout():
    check(grid(readout_bits=None))


@pytest.mark.parametrize(
    ("user", "name", "unit", "old", "new"),
    [
        (network, "Layer", layer, "wires, field)", "wires, self.fields[0])"),
        (network, "Layer", layer, "unit.load.eq(self.load[c])", "unit.load.eq(self.load[0])"),
        (network, "Readout", readout, "base.eq(base + q)", "base.eq(base + 1)"),
    ],
)  # fmt: skip
def test_planted_bug(user, name, unit, old, new, monkeypatch):
    monkeypatch.setattr(user, name, getattr(mutated(unit, old, new), name))
    with pytest.raises((AssertionError, TimeoutError)):
        check(grid(), waves=4, learn=False, stalls=0)


@pytest.mark.parametrize(("columns", "q", "k"), [(1, 1, 1), (1, 4, 3), (3, 2, 2), (5, 3, 1)])
@pytest.mark.parametrize("classes", [2, 7])
def test_readout(columns, q, k, classes):
    times, rows = waves(columns, q, k, classes)
    np.testing.assert_array_equal(
        hw_classify(times, rows, (columns, q, k)), golden_readout.classify(times, rows, 3)
    )


def waves(columns, q, k, classes):
    """Waves with up to k winners in each column; read-out weights that often tie."""
    rng = np.random.default_rng(q)
    times = np.full((20, columns, q), 3)
    for wave in times[1:]:
        for c in range(columns):
            winners = rng.permutation(q)[: rng.integers(0, k + 1)]
            wave[c, winners] = rng.integers(0, 3, len(winners))
    rows = rng.choice([-128, -1, 0, 1, 127], (columns * q, classes))
    return times.reshape(20, -1), rows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sums[0] > largest", "sums[0] >= largest"),
        (".as_signed()", ""),
        ("left.eq(left & ~pick)", "left.eq(left)"),
        ("found.eq(left_valid & left.any())", "found.eq(left_valid)"),
    ],
)
def test_planted_bug_in_readout(old, new):
    times, rows = waves(3, 3, 2, 3)
    found = hw_classify(times, rows, (3, 3, 2), mutated(readout, old, new))
    assert found != golden_readout.classify(times, rows, 3).tolist()
