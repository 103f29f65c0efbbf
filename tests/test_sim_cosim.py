"""Lock step of golden model and RTL: equal on random networks, and the first difference if not."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from configs import random_column, random_volleys, random_weights
from lockstep import first_difference
from numpy.testing import assert_array_equal
from planted import planted

from racewave.golden import model, network
from racewave.golden.config import (
    ColumnConfig,
    Config,
    HardwareConfig,
    InputConfig,
    LayerConfig,
    ReadoutConfig,
)
from racewave.golden.errors import BadInput
from racewave.hw.verilog import export
from racewave.sim import bench, rtl
from racewave.sim.cosim import cosim, replay
from racewave.sim.runner import SimulationError, pick, survey

SMALL = Config(name="small", column=ColumnConfig(p=6, q=3, theta=10))
GRID = Config(
    name="grid",
    column=ColumnConfig(p=8, q=3, theta=12),
    input=InputConfig(image=(3, 3)),
    layer=(LayerConfig(field=2, stride=1),),
    readout=ReadoutConfig(classes=3),
)


# Icarus compiles in no time, which is most of what a small design costs.
QUICK = next((found.name for found in survey() if found.name == "icarus" and found.usable), None)


def experiment(config: Config, waves: int, seed: int = 1):
    """Seeded weights, read-out and volleys."""
    rng = np.random.default_rng(seed)
    start = model.initial(config).with_weights(random_weights(rng, config.column, config.columns))
    if config.readout is not None:
        most = 1 << (config.readout.bits - 1)
        rows = rng.integers(-most, most, (config.outputs, config.readout.classes))
        start = dataclasses.replace(start, readout=rows.astype(np.int8))
    return start, random_volleys(rng, config.column, waves, config.lines)


@pytest.fixture(scope="module")
def small():
    return export(SMALL)


@pytest.fixture(scope="module")
def grid():
    return export(GRID)


LARGE = ColumnConfig(p=61, q=9, theta=90, t_in=4, k=3, tie="potential", stabilise="shared")


@pytest.mark.parametrize("seed", range(5))
def test_random_column_with_stalls(seed):
    column = random_column(np.random.default_rng(seed), most=14) if seed else LARGE
    start, volleys = experiment(Config(name=f"random-{seed}", column=column), 150, seed)
    text = export(start.config)
    for learn in (False, True):
        for stalls in (0.0, 0.5):
            report = cosim(start, volleys, learn, stalls=stalls, verilog=text)
            assert report.equal, f"{column}: {report.mismatch}"
            assert report.checked == len(volleys)


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("learn", [False, True])
def test_network_with_readout(grid, learn, stalls):
    start, volleys = experiment(GRID, 300)
    report = cosim(start, volleys, learn, stalls=stalls, verilog=grid)
    assert report.equal, report.mismatch


@pytest.mark.parametrize("every", [2, 7, 1000])
def test_weights_compared_less_often(small, every):
    start, volleys = experiment(SMALL, 100)
    assert cosim(start, volleys, every=every, verilog=small).equal


def test_orders_of_one_wave_give_the_same(small):
    start, volleys = experiment(SMALL, 40)
    one = bench.Capacity(waves=1, logs=1, requests=1)
    with (
        rtl.Core(SMALL, verilog=small) as whole,
        rtl.Core(SMALL, verilog=small, room=one) as single,
    ):
        whole.write(start)
        single.write(start)
        first, second = whole.play(volleys, True, True), single.play(volleys, True, True)
    assert_array_equal(first.times, second.times)
    assert_array_equal(first.layers[0], second.layers[0])


def test_run_equals_golden(grid):
    start, volleys = experiment(GRID, 50)
    for learn in (False, True):
        expected, found = network.run(start, volleys, learn), rtl.run(start, volleys, learn)
        for name in ("times", "weights", "classes"):
            assert_array_equal(getattr(found, name), getattr(expected, name))
            assert getattr(found, name).dtype == getattr(expected, name).dtype
        assert found.cycles is not None
        assert found.cycles.shape == (50,)


def slowly(text: str, start, volleys, learn: bool) -> tuple:
    """The first difference, found the slow way."""
    with rtl.Core(start.config, QUICK, verilog=text) as core:
        return first_difference(core, start, volleys, learn)


SWAPPED = ".decisions({decisions[20:4], decisions[2], decisions[3], decisions[1:0]})"
BUGS = {  # module, what is there, what is there instead, what goes wrong first
    "threshold off by one": ("potential", r"(clear \? 5'h)16", r"\g<1>15", "time"),
    "a winner is late": ("wta", r"(wins\[2\] \? )step", r"\1(step + 1)", "time"),
    "search and backoff swapped": ("column", r"\.decisions\(decisions\)", SWAPPED, "weight"),
    "wrong tap": ("lfsr", r"(following\[15\] = [^;]*?)state\[4\]", r"\1state[5]", "weight"),
    "a neuron's weights loaded wrong": ("column", r"row\[5:3\]", "row[8:6]", "weight"),
}


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug_in_a_column(small, name, tmp_path):
    module, pattern, new, kind = BUGS[name]
    broken = planted(small, module, pattern, new)
    start, volleys = experiment(SMALL, 400)
    file = tmp_path / "mismatches.json"
    report = cosim(
        start,
        volleys,
        simulator=QUICK,
        mismatches=file,
        command=lambda wave: replay("small.toml", wave, learn=True),
        verilog=broken,
    )
    assert not report.equal
    found = dataclasses.astuple(report.mismatch)[:-1]  # no class of a read-out row
    assert found == slowly(broken, start, volleys, learn=True)
    assert found[0] == kind
    written = json.loads(file.read_text())
    assert written["mismatch"] == dataclasses.asdict(report.mismatch)
    assert written["command"] == report.command
    assert f"--first-wave {report.mismatch.wave} " in report.command
    assert list(tmp_path.iterdir()) == [file]


def test_planted_bug_in_the_readout(grid):
    broken = planted(grid, "readout", r">( (?:\$signed\()?largest)", r">=\1")
    start, volleys = experiment(GRID, 600)
    readout = start.readout.copy()
    readout[:, 2] = readout[:, 0]  # ties, of which the lowest class must win
    start = dataclasses.replace(start, readout=readout)
    assert cosim(start, volleys, learn=False, verilog=grid).equal
    report = cosim(start, volleys, False, QUICK, verilog=broken)
    assert report.mismatch is not None
    found = dataclasses.astuple(report.mismatch)[:-1]  # no class of a read-out row
    assert found == slowly(broken, start, volleys, learn=False)
    assert found[0] == "class"
    assert (found[-3], found[-2]) == (0, 2)


def test_planted_bug_in_the_streams(small):
    """A core that never takes its volley plays it again, which the bench notices."""
    broken = planted(small, SMALL.module_name, r"(assign s_axis_volley_tready = )\S+;", r"\g<1>0;")
    start, volleys = experiment(SMALL, 3)
    with pytest.raises(SimulationError, match="more results than volleys"):
        cosim(start, volleys, simulator=QUICK, verilog=broken)


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.slow)])
def test_waves_begin_at_the_wave_asked_for(small, simulator, tmp_path):
    try:
        pick(simulator)
    except BadInput as error:
        pytest.skip(str(error))
    start, volleys = experiment(SMALL, 30)
    for name, first in (("all", 0), ("last", 29)):
        file = tmp_path / name
        report = cosim(start, volleys, True, simulator, waves=file, first_wave=first, verilog=small)
        assert report.equal
    assert (tmp_path / "last").stat().st_size < (tmp_path / "all").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "last"]


def test_hardware_without_learning():
    config = SMALL.model_copy(update={"hardware": HardwareConfig(learning=False)})
    start, volleys = experiment(config, 50)
    assert cosim(start, volleys, learn=False).equal
    with pytest.raises(BadInput, match=r"hardware\.learning is false"):
        cosim(start, volleys, learn=True)
