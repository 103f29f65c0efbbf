"""What figures are compared with must be a working design, and rows must say what they are."""

import warnings

import numpy as np
import pytest
from amaranth.sim import Simulator
from numpy.testing import assert_array_equal

from racewave.flows import bench, bench_golden, bench_verilog
from racewave.flows.console import Console
from racewave.flows.plain import PlainColumn
from racewave.golden import column, data
from racewave.golden.config import ColumnConfig

SMALL = ColumnConfig(p=4, q=3, theta=6, w_max=3)


def plain_winners(weights, volleys):
    """Winners' times of the ordinary column."""
    dut, found = PlainColumn(SMALL), []

    async def play(ctx):
        for j, i in np.ndindex(weights.shape):
            ctx.set(dut.neuron, 1 << j)
            ctx.set(dut.synapse, 1 << i)
            ctx.set(dut.weight, int(weights[j, i]))
            await ctx.tick()
        ctx.set(dut.synapse, 0)
        for volley in volleys:
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            ctx.set(dut.lines, sum(1 << i for i, time in enumerate(volley) if time == 0))
            await ctx.tick().repeat(SMALL.steps)
            time, winners = ctx.get(dut.time), ctx.get(dut.winners)
            found.append([time if winners >> j & 1 else SMALL.none for j in range(SMALL.q)])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
    return found


def test_the_ordinary_column_works():
    weights = np.random.default_rng(2).integers(0, 4, (3, 4), np.uint8)
    volleys = np.array([[SMALL.none * (n >> i & 1) for i in range(4)] for n in range(16)], np.uint8)
    wanted, _, _ = column.run(volleys, weights, SMALL, False)
    assert (wanted != SMALL.none).any()
    assert_array_equal(plain_winners(weights, volleys), wanted)


def test_rows_of_verilog_say_what_they_are(monkeypatch):
    monkeypatch.setattr(bench_verilog, "SIZES", {"a 4x2 column": (4, 2), "8 synapses": (2, 4)})
    monkeypatch.setattr(bench_verilog, "BASELINE", (4, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = bench.bench(["verilog"], None, Console())
    assert first["name"] == "Verilog of a 4x2 column"
    assert first["baseline"] == "a submodule per synapse"
    assert first["ratio"] == pytest.approx(first["baseline_value"] / first["value"], rel=0.05)
    assert (second["baseline"], second["ratio"], second["unit"]) == (None, None, "s")


def test_rows_of_accuracy_have_both_baselines(monkeypatch):
    whole = data.load("digits")
    few = data.Dataset(
        "digits",
        whole.train_images[:60],
        whole.train_labels[:60],
        whole.test_images[:40],
        whole.test_labels[:40],
    )
    monkeypatch.setattr(data, "load", lambda *_: few)
    monkeypatch.setattr(bench_golden, "SEEDS", [4, 5])
    rows = bench.bench(["digits"], None, Console())
    assert [row["baseline"].split(" (")[0] for row in rows] == ["random weights", "raw pixels"]
    for row in rows:
        assert row["seeds"] == [4, 5]
        assert 0 <= row["value"] <= 100
        fewer = (100 - row["baseline_value"]) / (100 - row["value"])
        assert row["ratio"] == pytest.approx(fewer, abs=0.01)
