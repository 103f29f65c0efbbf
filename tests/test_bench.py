"""What figures are compared with must be a working design, and rows must say what they are."""

import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from amaranth.sim import Simulator
from numpy.testing import assert_array_equal

from racewave.flows import bench, bench_golden, bench_online, bench_scaling, bench_verilog, engines
from racewave.flows.cli import execute
from racewave.flows.console import Console
from racewave.flows.plain import PlainColumn
from racewave.flows.synthesis import Cells
from racewave.golden import column, data, fast
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


def test_rows_of_on_line_training_say_what_they_are_compared_with(monkeypatch):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    labels = np.zeros(4, np.uint8)
    monkeypatch.setattr(
        data, "load", lambda *_: data.Dataset("mnist", images, labels, images, labels)
    )
    monkeypatch.setattr(bench_online, "FEW", 1)
    rows = bench.bench(["online"], None, Console())
    names = [row["name"].rpartition(" ")[2] for row in rows if row["baseline"] == "reference form"]
    assert names == ["synapse", "synapse", "layer", "layer"]
    for one, every in zip(rows[::2], rows[1::2], strict=True):
        assert (one["unit"], every["unit"]) == ("images/s", "waves/s")
        assert every["value"] == pytest.approx(28 * one["value"], rel=0.05)
        assert one["ratio"] == every["ratio"] > 1
        assert one["ratio"] == pytest.approx(one["value"] / one["baseline_value"], rel=0.05)


def test_what_is_timed_fires_and_learns():
    """A bench of waves without winners would be fast."""
    column = bench_online.presets.load("rtnn-v8").column
    column = column.model_copy(update={"randomness": "synapse"})
    images = np.random.default_rng(4).integers(0, 256, (300, 28, 28), np.uint8)
    weights = bench_online._teach(images, column)
    times, after, state = bench_online._learn(fast.run_layer, column, weights, images)
    assert times.shape == (300 * 28, 100)
    assert ((times != column.none).sum(axis=1) == column.k).mean() > 0.9
    assert (after != weights).any()
    assert state != column.seed


def points():
    """Three engine counts, as if they had been synthesised."""
    return [
        bench_scaling.Point(n, Cells(1_000 + 800 * n, 300 * n, 600 * n, 16 + n, 0), 9_600 // n, 50)
        for n in (1, 2, 8)
    ]


def test_rows_of_scaling_stand_beside_one_engine():
    rows = bench_scaling.rows(bench_scaling.network(), points(), "at 50 MHz")
    found = {row["name"].removeprefix("mnist-576 on "): row for row in rows}
    assert len(rows) == 3 * 6
    assert found["1 engine: cycles"]["baseline"] is None
    speed = found["8 engines: images/s at 50 MHz"]
    assert (speed["value"], speed["unit"], speed["baseline"]) == (41_667, "images/s", "1 engine")
    assert speed["ratio"] == pytest.approx(8, abs=0.01)
    area = found["2 engines: LUT4"]
    assert (area["value"], area["baseline_value"]) == (2_600, 1_800)
    assert area["ratio"] == pytest.approx(1_800 / 2_600, abs=0.01)
    share = found["8 engines: LUT4 per synapse"]
    assert share["value"] == pytest.approx(7_400 / 345_600, abs=1e-4)


def test_the_network_of_scaling_is_what_it_says():
    config = bench_scaling.network()
    assert (config.columns, config.synapses) == (576, 345_600)
    assert set(bench_scaling.ENGINES) <= set(engines.choices(config))
    assert list(bench_scaling.ENGINES) == [1, 2, 4, 8, 16]


def test_chart_of_scaling(tmp_path, capsys, monkeypatch):
    """Written whole, the same for the same rows, every point at its place."""
    rows = bench_scaling.rows(bench_scaling.network(), points(), "at 50 MHz")
    monkeypatch.setitem(bench.BENCHES, "scaling", lambda *_: rows)
    out = tmp_path / "s.svg"
    assert execute(["bench", "scaling", "--plot", str(out)]) == 0
    capsys.readouterr()
    root = ElementTree.fromstring(out.read_text())
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == 4
    assert len(root.findall(f"{space}circle")) == 4 * 3
    across = {float(c.attrib["cx"]) for c in root.findall(f"{space}circle")}
    left, middle, right = sorted(across)
    assert (right - left) / (middle - left) == pytest.approx(3, abs=0.02)  # 1, 2, 8
    assert execute(["bench", "area", "--plot", str(out)]) == 2
    assert capsys.readouterr().err == (
        "racewave: --plot must come with scaling or scaling-routed, not with area\n"
    )
    assert execute(["bench", "scaling", "--plot", str(tmp_path / "no" / "s.svg")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["s.svg"]
