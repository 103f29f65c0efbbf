"""The RTL level: weights through their stream at any time, learning on chip from real images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shared
from configs import random_volleys, random_weights
from numpy.testing import assert_array_equal
from planted import planted

from racewave.golden import data, encoders, model, network, presets
from racewave.golden.config import ColumnConfig, Config, from_dict
from racewave.golden.errors import BadInput
from racewave.hw.verilog import export
from racewave.sim import rtl
from racewave.sim.cosim import cosim
from racewave.sim.runner import SimulationError

CONFIG = Config(name="access", column=ColumnConfig(p=7, q=3, theta=12, t_in=3, k=2))
WAVES, READS = 60, 90


@pytest.fixture(scope="module")
def text():
    return export(CONFIG)


def experiment(seed: int = 3):
    rng = np.random.default_rng(seed)
    column = CONFIG.column
    start = model.initial(CONFIG).with_weights(random_weights(rng, column, 1))
    return start, random_volleys(rng, column, WAVES), rng.integers(0, column.p, READS)


def play_both(core: rtl.Core, start, volleys, requests, learn: bool):
    """Play volleys while weight requests wait at the same time; waves, and bits of the reads."""
    core.write(start)
    chunk = core.chunk(volleys, learn, log=True)
    order = chunk.order
    order["set"] |= core.requests(requests)
    order["get"] = [*order["get"], "replies"]
    answer = core.session.play(order)[0]
    return core.played(answer, chunk), core.replies(answer, requests)


@pytest.mark.parametrize("learn", [False, True])
def test_weights_read_back_while_waves_are_played(text, learn):
    """Requests wait for the end of a wave; waves neither notice them nor lose their order."""
    start, volleys, addresses = experiment()
    requests = [(int(address), None) for address in addresses]
    with rtl.Core(CONFIG, verilog=text, stalls=0.5) as core:
        played, replies = play_both(core, start, volleys, requests, learn)
        assert_array_equal(core.read()[0], played.layers[0][-1])
    expected = network.run(start, volleys, learn)
    assert_array_equal(played.times, expected.times)
    assert_array_equal(played.layers[0][-1], expected.weights)

    # Every reply is the row as it was between two waves, and time only goes on.
    column, wave = CONFIG.column, 0
    states = np.concatenate([start.weights[None], played.layers[0]])[:, 0]
    for address, reply in zip(addresses, replies, strict=True):
        row = reply[: column.q * column.w_bits].reshape(column.q, column.w_bits)
        row = row @ (1 << np.arange(column.w_bits))
        while not np.array_equal(states[wave, :, address], row):
            wave += 1
            assert wave < len(states), f"row {address} never was {row}"
    assert not learn or wave > 0


def test_weights_written_while_waves_are_played(text):
    """Rows written again with what they hold leave every wave as it is."""
    start, volleys, addresses = experiment()
    with rtl.Core(CONFIG, verilog=text, stalls=0.5) as core:
        rows = core.streams.rows_of(start)
        requests = [(int(address), rows[address]) for address in addresses]
        played, _ = play_both(core, start, volleys, requests, learn=False)
        assert_array_equal(core.read()[0], start.weights)
    assert_array_equal(played.times, network.run(start, volleys).times)


def test_addresses_beyond_the_last_row(text):
    """Writing there does nothing, reading gives 0."""
    start, volleys, _ = experiment()
    with rtl.Core(CONFIG, verilog=text) as core:
        core.write(start)
        ones = np.ones(core.streams.row_bits, np.uint8)
        beyond = CONFIG.column.p
        assert_array_equal(core.request([(beyond, ones), (beyond, None)]), [0 * ones])
        assert_array_equal(core.read()[0], start.weights)
        assert_array_equal(core.play(volleys).times, network.run(start, volleys).times)


def test_planted_bug_in_weight_access(text):
    """A core that serves requests in the middle of a wave is found out."""
    broken = planted(text, CONFIG.module_name, r"may = \(control__idle & ", "may = (1'b1 & ")
    start, volleys, addresses = experiment()
    requests = [(int(address), None) for address in addresses]
    with (
        pytest.raises(SimulationError, match="weight request was accepted during a wave"),
        rtl.Core(CONFIG, verilog=broken, stalls=0.5) as core,
    ):
        play_both(core, start, volleys, requests, learn=False)


def test_nothing_moves_before_start(text):
    _, volleys, _ = experiment()
    with rtl.Core(CONFIG, verilog=text) as core:
        chunk = core.chunk(volleys)
        chunk.order["set"]["flags"] &= ~rtl.START
        answer = core.session.play(chunk.order)[0]
        with pytest.raises(SimulationError, match=r"no stream made progress .*0 waves"):
            core.played(answer, chunk)


def test_stalls_take_clocks_but_none_of_the_core(text):
    """Pauses of the streams are there, and the core's own counter does not see them."""
    start, volleys, _ = experiment()
    clocks, cycles = [], []
    for stalls in (0.0, 0.5):
        with rtl.Core(CONFIG, verilog=text, stalls=stalls) as core:
            core.write(start)
            chunk = core.chunk(volleys)
            chunk.order["get"].append("clocks")
            nothing = dict.fromkeys(("beat_count", "result_count"), 0)
            empty = {"set": {**chunk.order["set"], **nothing}, "get": ["clocks"]}
            before, after = core.session.play(empty, chunk.order)
            clocks.append(int(after["clocks"], 2) - int(before["clocks"], 2))
            cycles.append(core.played(after, chunk).cycles)
    assert_array_equal(cycles[0], cycles[1])
    assert clocks[1] > clocks[0] + len(volleys) // 4


def test_reset_and_reseed_repeat_the_draws(text):
    start, volleys, _ = experiment()
    with rtl.Core(CONFIG, verilog=text) as core:
        runs = []
        for again in (core.reset, core.reseed, lambda: None):
            core.write(start)
            again()
            runs.append(core.play(volleys, learn=True, log=True).layers[0])
    assert_array_equal(runs[0], runs[1])
    assert (runs[1] != runs[2]).any()


def test_no_volleys(text):
    _, volleys, _ = experiment()
    with rtl.Core(CONFIG, verilog=text) as core:
        played = core.play(volleys[:0], log=True)
    assert played.times.shape == (0, 3)
    assert played.layers[0].shape == (0, 1, 3, 7)


def test_read_out_at_power_up():
    """An exported read-out is there without being loaded."""
    grid = from_dict(
        {
            "column": {"p": 8, "q": 2, "theta": 12},
            "input": {"image": [3, 2]},
            "layer": [{"field": 2, "stride": 1}],
            "readout": {"classes": 3, "bits": 4},
        }
    )
    rng = np.random.default_rng(0)
    rows = rng.integers(-8, 8, (grid.outputs, 3)).astype(np.int8)
    with rtl.Core(
        grid, verilog=export(grid, dataclasses.replace(model.initial(grid), readout=rows))
    ) as core:
        assert_array_equal(core.read_readout(), rows)
        start = dataclasses.replace(model.initial(grid), readout=rows[::-1])
        core.write(start)
        assert_array_equal(core.read_readout(), rows[::-1])


def test_bad_volleys_are_refused():
    with pytest.raises(BadInput, match="times must be waves x 7"):
        rtl.run(model.initial(CONFIG), np.zeros((2, 3), np.uint8))


def real_volleys(config: Config, waves: int) -> np.ndarray:
    """A 4 x 4 field in the middle of MNIST images, or of digits where MNIST is not there."""
    if (shared.SHARED / "mnist").is_dir():
        images = data.load("mnist", shared.SHARED / "mnist").train_images[:waves, 12:16, 12:16]
    else:
        images = data.load("digits").train_images[:, 2:6, 2:6]
        images = np.resize(images, (waves, 4, 4))
    column = config.column
    return encoders.posneg(images, column.t_in, column.none)


def test_learning_from_2000_images_equals_golden():
    config = presets.load("cmu-cvt")
    start = model.initial(config)
    volleys = real_volleys(config, 2_000)
    report = cosim(start, volleys)
    assert report.equal, report.mismatch
    assert report.checked == 2_000
    expected, found = network.run(start, volleys, learn=True), rtl.run(start, volleys, learn=True)
    assert_array_equal(found.weights, expected.weights)
    assert_array_equal(found.times, expected.times)
    assert len(np.unique(expected.weights)) > 4
