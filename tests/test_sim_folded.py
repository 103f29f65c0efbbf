"""Folded cores in lock step with the golden model: layers, voters, stalls, the first difference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from configs import random_column, random_volleys, random_weights
from lockstep import first_difference
from networks import random_model, random_network
from numpy.testing import assert_array_equal
from planted import planted

from racewave.golden import model, network
from racewave.golden.config import Config, from_dict
from racewave.golden.model import Model
from racewave.golden.streams import from_digits
from racewave.hw.verilog import export
from racewave.sim import bench, rtl
from racewave.sim.cosim import cosim, default_every
from racewave.sim.runner import SimulationError, survey

# Icarus compiles in no time, which is most of what a small design costs.
QUICK = next((found.name for found in survey() if found.name == "icarus" and found.usable), None)

VOTER: dict[str, Any] = {
    "name": "voter",
    "column": {"p": 4, "q": 3, "theta": 6, "t_in": 3, "k": 2},
    "input": {"image": [3, 4], "encoder": "intensity"},
    "layer": [
        {"field": 2, "stride": 1},
        {"field": 2, "stride": 1, "engines": 2, "column": {"q": 2, "theta": 12, "k": 1}},
    ],
    "readout": {"kind": "dual-voter", "classes": 3},
    "hardware": {"micro_architecture": "folded", "engines": 3},
}
CONFIG = from_dict(VOTER)
WAVES = 120


def experiment(config: Config, waves: int, seed: int = 1) -> tuple[Model, np.ndarray, np.ndarray]:
    """Seeded weights, read-out, volleys and labels, of which a quarter is missing."""
    rng = np.random.default_rng(seed)
    volleys = random_volleys(rng, config.column, waves, config.lines)
    classes = config.readout.classes if config.readout else 1
    labels = np.where(rng.random(waves) < 0.25, -1, rng.integers(0, classes, waves))
    start = random_model(config, seed)
    if config.readout is not None and config.readout.kind == "dual-voter":
        table = np.zeros_like(start.readout)  # hardware has counters for reachable times only
        table[:, list(config.readout_times)] = start.readout[:, list(config.readout_times)]
        start = dataclasses.replace(start, readout=table)
    return start, volleys, labels


@pytest.fixture(scope="module")
def text() -> str:
    return export(CONFIG)


@pytest.mark.parametrize(
    ("seed", "kind"), [(0, "linear"), (1, "dual-voter"), (2, "tally"), (3, None)]
)
def test_random_network_with_stalls(seed, kind):
    config = random_network(seed, kind)
    start, volleys, labels = experiment(config, 60, seed)
    text = export(config)
    for learn in (False, True):
        for stalls in (0.0, 0.5):
            report = cosim(
                start, volleys, learn, stalls=stalls, every=1, verilog=text, labels=labels
            )
            assert report.equal, f"{config}: {report.mismatch}"
            assert report.checked == len(volleys)


@pytest.mark.parametrize("seed", [0, 1])
def test_folded_core_equals_spatial_core(seed):
    rng = np.random.default_rng([seed, 5])
    column = random_column(rng, most=9)
    weights = random_weights(rng, column, 1)
    volleys = random_volleys(rng, column, 100)
    found = []
    for kind in ("spatial", "folded"):
        config = from_dict(
            {"column": column.model_dump(), "hardware": {"micro_architecture": kind}}
        )
        with rtl.Core(config, stalls=0.5) as core:
            core.write(model.initial(config).with_weights(weights))
            found.append(core.play(volleys, learn=True, log=True))
    assert_array_equal(found[0].times, found[1].times)
    assert_array_equal(found[0].layers[0], found[1].layers[0])
    assert found[0].times.dtype == found[1].times.dtype


def test_run_equals_golden():
    start, volleys, labels = experiment(CONFIG, WAVES)
    for learn, known in ((False, None), (True, labels)):
        expected = network.run(start, volleys, learn, labels=known)
        found = rtl.run(start, volleys, learn, labels=known)
        for name in ("times", "classes"):
            assert_array_equal(getattr(found, name), getattr(expected, name))
            assert getattr(found, name).dtype == getattr(expected, name).dtype
        for one, other in zip(found.layers, expected.layers, strict=True):
            assert_array_equal(one, other)
        assert found.cycles.shape == (WAVES,)
        if known is None:
            assert found.readout is expected.readout is None
        else:
            times = list(CONFIG.readout_times)
            assert_array_equal(found.readout[:, times], expected.readout[:, times])


def test_classes_alone_take_fewer_clocks(text):
    start, volleys, _ = experiment(CONFIG, WAVES)
    whole = rtl.run(start, volleys)
    alone = rtl.run(start, volleys, report=False)
    assert alone.times.shape == (WAVES, 0)
    assert_array_equal(alone.classes, whole.classes)
    assert alone.cycles.sum() < whole.cycles.sum()
    assert cosim(start, volleys, report=False, verilog=text).equal


def test_small_orders_give_the_same(text):
    start, volleys, labels = experiment(CONFIG, 40)
    one = bench.Capacity(waves=1, logs=1, requests=5)
    with (
        rtl.Core(CONFIG, verilog=text) as whole,
        rtl.Core(CONFIG, verilog=text, room=one) as single,
    ):
        played = []
        for core in (whole, single):
            core.write(start)
            played.append(core.play(volleys, True, log=True, labels=labels))
            assert_array_equal(core.read()[1], played[-1].layers[1][-1])
            assert_array_equal(core.read_readout(), played[-1].readouts[-1])
    assert_array_equal(played[0].times, played[1].times)
    assert_array_equal(played[0].readouts, played[1].readouts)
    for first, second in zip(played[0].layers, played[1].layers, strict=True):
        assert_array_equal(first, second)


@pytest.mark.parametrize("every", [2, 7, 1000, None])
def test_weights_compared_less_often(text, every):
    start, volleys, labels = experiment(CONFIG, WAVES)
    report = cosim(start, volleys, every=every, verilog=text, labels=labels)
    assert report.equal, report.mismatch
    assert report.every == every or every is None


def test_large_networks_are_compared_now_and_then():
    assert default_every(CONFIG) == 1
    large = {
        "input": {"image": [28, 28]},
        "layer": [{"field": 4, "stride": 1}],
        "column": {"q": 12},
    }
    hardware = {"hardware": {"micro_architecture": "folded"}}
    assert default_every(from_dict({**large, **hardware})) > 100


BUGS = {  # module, what is there, what is there instead, what goes wrong first
    "a weight moves the other way": ("update", r"rises = ~ ?\(", "rises = (", "weight"),
    "a label for the wrong class": ("votes", r"own_1 = label == 1'h1", "own_1 = !label", "counter"),
    "a draw from a wrong tap": (
        "lfsr",
        r"(following\[15\] = [^;]*?)state\[4\]",
        r"\1state[5]",
        None,
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_planted_bug(text, name):
    module, pattern, new, kind = BUGS[name]
    broken = planted(text, module, pattern, new)
    start, volleys, labels = experiment(CONFIG, 30)
    report = cosim(start, volleys, simulator=QUICK, every=1, verilog=broken, labels=labels)
    with rtl.Core(CONFIG, QUICK, verilog=broken) as core:
        slow = first_difference(core, start, volleys, True, labels)
    assert report.mismatch is not None
    assert dataclasses.astuple(report.mismatch)[: len(slow)] == slow
    assert kind in (None, slow[0])
    assert f"{slow[0]} at wave {slow[1]}, " in str(report.mismatch)


BROKEN_STREAMS = {
    "no result is the last": (
        r"(m_axis_result_tdata\[\d+\] = )last\w*;",
        r"\g<1>1'h0;",
        "marked last",
    ),
    "requests within waves": (r"quiet = ~ ?busy", "quiet = 1'h1", "accepted during a wave"),
    "a column twice": (r"(m_axis_result_tdata\[8\] = )[^;]*;", r"\g<1>1'h0;", "once per wave"),
}


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_planted_bug_in_the_streams(text, name):
    pattern, new, said = BROKEN_STREAMS[name]
    broken = planted(text, CONFIG.module_name, pattern, new)
    start, volleys, _ = experiment(CONFIG, 10)
    addresses = np.random.default_rng(0).integers(0, 16, 60)
    with (
        pytest.raises(SimulationError, match=said),
        rtl.Core(CONFIG, QUICK, verilog=broken, stalls=0.5) as core,
    ):
        play_both(core, start, volleys, addresses, False)


def play_both(core: rtl.Core, start: Model, volleys: np.ndarray, addresses, learn: bool):
    """Play volleys while reads of rows wait at the same time; waves, and bits of the reads."""
    core.write(start)
    chunk = core.chunk(volleys, learn)
    requests = [(int(address), None) for address in addresses]
    chunk.order["set"] |= core.requests(requests)
    chunk.order["get"].append("replies")
    answer = core.session.play(chunk.order)[0]
    return core.played(answer, chunk), core.replies(answer, requests)


@pytest.mark.parametrize("learn", [False, True])
def test_weights_read_back_while_waves_are_played(text, learn):
    """Requests wait for the end of a wave; waves neither notice them nor lose their order."""
    start, volleys, _ = experiment(CONFIG, 80)
    stage = CONFIG.stages[0]
    addresses = np.random.default_rng(3).integers(0, stage.columns * stage.column.p, 150)
    with rtl.Core(CONFIG, verilog=text, stalls=0.5) as core:
        played, replies = play_both(core, start, volleys, addresses, learn)
        core.reset()
        core.write(start)
        logged = core.play(volleys, learn, log=True)
    assert_array_equal(played.times, network.run(start, volleys, learn).times)
    assert_array_equal(played.times, logged.times)

    # Every reply is the row as it was between two waves, and time only goes on.
    states, wave = np.concatenate([start.layers[0][None], logged.layers[0]]), 0
    for address, reply in zip(addresses, replies, strict=True):
        column, line = divmod(int(address), stage.column.p)
        row = from_digits(reply[: stage.column.q * stage.column.w_bits], stage.column.w_bits)
        while not np.array_equal(states[wave, column, :, line], row):
            wave += 1
            assert wave < len(states), f"row {address} never was {row}"
    assert not learn or wave > 0


def test_no_volleys(text):
    _, volleys, _ = experiment(CONFIG, 1)
    with rtl.Core(CONFIG, verilog=text) as core:
        played = core.play(volleys[:0], log=True)
    assert played.times.shape == (0, CONFIG.outputs)
    assert [layer.shape[0] for layer in played.layers] == [0, 0]


def test_read_out_and_weights_at_power_up():
    """A model that was exported is there without being loaded."""
    start, volleys, _ = experiment(CONFIG, 10)
    with rtl.Core(CONFIG, QUICK, verilog=export(CONFIG, start)) as core:
        for one, other in zip(core.read(), start.layers, strict=True):
            assert_array_equal(one, other)
        times = list(CONFIG.readout_times)
        assert_array_equal(core.read_readout()[:, times], start.readout[:, times])
        assert_array_equal(core.play(volleys).times, network.run(start, volleys).times)
