"""Boards with a folded core behind their serial line, byte for byte against the device model."""

import numpy as np
import pytest
from boards import FOLDED, LAYERS, VOTER, model, scenario, volley_bytes, volleys
from mutants import mutated
from numpy.testing import assert_array_equal
from uart_bench import BOOT, Bench

from racewave.golden import network
from racewave.golden.frames import ERROR, Code, Command, encode
from racewave.golden.host import Host
from racewave.hw import executor, protocol
from racewave.sim import runner

CONFIGS = [FOLDED, VOTER, LAYERS]


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.name)
def shared(request):
    with Bench(model(1, request.param)) as bench:
        yield bench


@pytest.fixture
def bench(shared):
    shared.restart()
    return shared


def everything(bench, number: int) -> bytes:
    """A frame that reads all rows."""
    return encode(Command.READ, number, bytes([bench.device.layout.rows, 0, 0]))


def check_run(bench, learn: bool, labelled: bool) -> None:
    """Load, play, learn and read back over the line; twice, so that reseed matters."""
    config, rng = bench.model.config, np.random.default_rng(3)
    host = Host(config, bench.exchange)
    waves = volleys(rng, 60, config)
    labels = rng.integers(-1, 3, len(waves)) if labelled else None
    expected = network.run(model(9, config), waves, learn, "reference", labels)
    for _ in range(2):
        found = host.run(model(9, config), waves, learn, labels)
        assert_array_equal(found.times, expected.times)
        assert_array_equal(found.classes, expected.classes)
        for weights, wanted in zip(found.layers, expected.layers, strict=True):
            assert_array_equal(weights, wanted)
        if labelled:
            assert_array_equal(found.readout, expected.readout)
    status = host.status()
    assert (status.waves, status.learn, status.hash) == (120, learn, config.hash)


@pytest.mark.parametrize("learn", [False, True])
def test_host_runs_a_model_like_golden(bench, learn):
    check_run(bench, learn, labelled=False)


@pytest.mark.parametrize("learn", [False, True])
def test_labels_travel_with_the_volleys(shared, learn):
    if shared.model.config is not VOTER:
        pytest.skip("only a dual voter takes labels")
    shared.restart()
    check_run(shared, learn, labelled=True)


def test_memories_hold_the_model_at_power_up(shared):
    """Without reset and without boot rows: the bitstream brings them."""
    if runner.pick().name != "verilator":
        pytest.skip("without a reset Icarus leaves combinational values undefined")
    config = shared.model.config
    with Bench(shared.model, power_up=True) as board:
        assert board.line.play(b"", pause=BOOT) == b""
        host = Host(config, board.exchange)
        for weights, wanted in zip(host.read_layers(), shared.model.layers, strict=True):
            assert_array_equal(weights, wanted)
        if config.readout is not None:
            assert_array_equal(host.read_readout(), shared.model.readout)


def test_memories_keep_their_rows_through_a_reset(bench):
    host = Host(bench.model.config, bench.exchange)
    rng = np.random.default_rng(5)
    host.control(learn=True)
    host.play(volleys(rng, 20, bench.model.config))
    before = host.read_rows(0, host.layout.rows)
    assert before != host.layout.pack_model(bench.model)
    bench.line.play(b"", pause=BOOT, reset=True)
    assert Host(bench.model.config, bench.exchange).read_rows(0, host.layout.rows) == before


def test_times_are_reported_on_demand(bench):
    """Reported or not, switched between frames; a core without read-out always reports."""
    rng, layout = np.random.default_rng(8), bench.device.layout
    for number, flags in enumerate((0, 4, 1, 5, 2, 7), 1):
        if not layout.chooses:
            flags &= 3
        bench.compare(encode(Command.CONTROL, 2 * number, bytes([flags])))
        bench.compare(encode(Command.VOLLEYS, 2 * number + 1, volley_bytes(rng, 7, layout)))
    bench.compare(encode(Command.STATUS, 98))
    bench.compare(everything(bench, 99))


def test_flags_that_mean_nothing(bench):
    for number, flags in enumerate((0, 4, 8, 16, 128), 1):
        bench.compare(encode(Command.CONTROL, number, bytes([flags])), quiet=True)


@pytest.mark.parametrize("extra", [-1, 1, 3])
def test_part_of_a_volley(bench, extra):
    """Bytes or beats are missing or too many: refused as a whole."""
    rng, layout = np.random.default_rng(2), bench.device.layout
    payload = volley_bytes(rng, 3, layout)
    payload = payload[:extra] if extra < 0 else payload + bytes(extra)
    heard = bench.compare(encode(Command.VOLLEYS, 1, payload), quiet=True)
    assert (heard[1], heard[5]) == (ERROR, Code.LENGTH)
    whole_beats = volley_bytes(rng, 3, layout)[: -layout.beat_bytes]
    heard = bench.compare(encode(Command.VOLLEYS, 1, whole_beats), quiet=True)
    assert (heard[1], heard[5]) == (ERROR, Code.LENGTH)
    bench.compare(encode(Command.STATUS, 8))
    bench.compare(everything(bench, 9))


def test_longest_frames(bench):
    rng, layout = np.random.default_rng(6), bench.device.layout
    if layout.chooses:
        bench.compare(encode(Command.CONTROL, 5, b"\4"))
    bench.compare(encode(Command.VOLLEYS, 1, volley_bytes(rng, layout.volleys_max, layout)))
    bench.compare(everything(bench, 3))


def test_rows_sent_while_waves_run_change_nothing(bench):
    """The line is half duplex: a write during a volley frame is refused, then may be repeated."""
    rng, layout = np.random.default_rng(4), bench.device.layout
    bench.compare(encode(Command.CONTROL, 1, b"\1"))
    rows = layout.pack_model(model(5, bench.model.config))[: 3 * layout.row_bytes]
    write = encode(Command.WRITE, 3, b"\0\0" + rows)
    heard = bench.compare(
        encode(Command.VOLLEYS, 2, volley_bytes(rng, 9, layout)) + write, quiet=True
    )
    assert heard[-3] == Code.BUSY
    bench.compare(everything(bench, 4))
    bench.compare(write)
    bench.compare(everything(bench, 5))


@pytest.mark.parametrize("seed", [0, 1, 101])
def test_random_frames(bench, seed):
    bench.play(scenario(seed, 150, bench.device.layout))
    bench.compare(b"", quiet=True)
    bench.compare(everything(bench, 200), quiet=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("last_beat = beat == streams.volley_beats - 1", "last_beat = beat == 0"),
        ("m.If(~result_ends)", "m.If(0)"),
        ("reports.eq(flags[2])", "reports.eq(flags[1])"),
        ("(place != 0) | (beat != 0)", "place != 0"),
    ],
)
def test_planted_bug_in_executor(monkeypatch, old, new):
    monkeypatch.setattr(protocol, "Executor", mutated(executor, old, new).Executor)
    with Bench(model(1, VOTER)) as bench:
        bench.restart()
        with pytest.raises((AssertionError, runner.SimulationError)):
            bench.play(scenario(0, 250, bench.device.layout))
