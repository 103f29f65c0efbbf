"""The board top behind its serial line, byte for byte against the device model."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from boards import (
    ALIEN,
    BAD,
    CONFIG,
    LAYOUT,
    READ,
    damage,
    model,
    request,
    scenario,
    volley_bytes,
    volleys,
)
from mutants import mutated
from numpy.testing import assert_array_equal
from uart_bench import BOOT, QUIET, QUIET_BITS, Bench

from racewave.golden import network, presets
from racewave.golden.config import ColumnConfig, Config, HardwareConfig
from racewave.golden.device import Device
from racewave.golden.errors import BadInput
from racewave.golden.frames import ERROR, Command, encode
from racewave.golden.host import Host
from racewave.golden.model import initial
from racewave.hw import board_top, executor, frames, protocol, uart
from racewave.hw.latency import wave_cycles
from racewave.sim import runner
from racewave.sim.uart import levels


@pytest.fixture(scope="module")
def shared():
    with Bench(model()) as bench:
        yield bench


@pytest.fixture
def bench(shared):
    shared.restart()
    return shared


def test_boot_rows_are_there_after_power_up():
    """Without reset, as on a board: registers and rings power up with what the bitstream says."""
    if runner.pick().name != "verilator":
        pytest.skip("without a reset Icarus leaves combinational values undefined")
    with Bench(model(), power_up=True) as board:
        assert board.line.play(b"", pause=BOOT) == b""
        host = Host(CONFIG, board.exchange)
        assert_array_equal(host.read_layers()[0], model().weights)
        assert_array_equal(host.read_readout(), model().readout)


def test_bytes_before_the_first_silence_are_ignored(shared):
    shared.line.play(READ * 3, reset=True)
    assert shared.line.play(b"", pause=BOOT) == b""
    shared.device = Device(shared.model)
    shared.compare(READ)


def test_reset_brings_the_boot_rows_back(bench):
    host = Host(CONFIG, bench.exchange)
    before = host.read_rows(0, LAYOUT.rows)
    host.write_rows(0, bytes(len(before)))
    assert host.read_rows(0, LAYOUT.rows) == bytes(len(before))
    bench.restart()
    assert Host(CONFIG, bench.exchange).read_rows(0, LAYOUT.rows) == before


@pytest.mark.parametrize("learn", [False, True])
def test_host_runs_a_model_like_golden(bench, learn):
    """Load, play, learn and read back over the line; twice, so that reseed matters."""
    host = Host(CONFIG, bench.exchange)
    waves = volleys(np.random.default_rng(3), 120)
    expected = network.run(model(9), waves, learn, form="reference")
    for _ in range(2):
        found = host.run(model(9), waves, learn)
        assert_array_equal(found.times, expected.times)
        assert_array_equal(found.classes, expected.classes)
        assert_array_equal(found.weights, expected.weights)
    status = host.status()
    assert (status.waves, status.learn, status.hash) == (240, learn, CONFIG.hash)


def test_freeze_ends_learning(bench):
    """Learning is switched between waves of one session; the generator waits meanwhile."""
    rng = np.random.default_rng(8)
    for number, learn in enumerate((1, 0, 1, 3, 0), 1):
        bench.compare(encode(Command.CONTROL, 2 * number, bytes([learn])))
        bench.compare(request_volleys(rng, 2 * number + 1, 20))
    bench.compare(encode(Command.READ, 99, bytes([LAYOUT.rows, 0, 0])))


def request_volleys(rng, number: int, waves: int) -> bytes:
    return encode(Command.VOLLEYS, number, volley_bytes(rng, waves))


def test_longest_frames(bench):
    rng = np.random.default_rng(6)
    bench.compare(request_volleys(rng, 1, LAYOUT.volleys_max))
    full = rng.integers(0, 256, 16 * LAYOUT.row_bytes, np.uint8).tobytes()
    bench.compare(encode(Command.WRITE, 2, b"\0\0" + full))
    bench.compare(encode(Command.READ, 3, bytes([LAYOUT.rows, 0, 0])))
    # 512 bytes is the longest payload: wrong for every command here, but not oversize.
    bench.compare(encode(Command.CONTROL, 4, bytes(512)), quiet=True)
    bench.compare(encode(Command.CONTROL, 4, bytes(513)), quiet=True)


def test_cycles_and_waves_are_counted(bench):
    host = Host(CONFIG, bench.exchange)
    waves = volleys(np.random.default_rng(2), 10)
    assert (host.status().waves, host.status().cycles) == (0, 0)
    host.play(waves)
    frozen = host.status()
    host.control(learn=True)
    host.play(waves)
    learning = host.status()
    assert (frozen.waves, learning.waves) == (10, 20)
    assert frozen.cycles == 10 * wave_cycles(CONFIG)
    assert learning.cycles > 2 * frozen.cycles
    bench.restart()
    assert Host(CONFIG, bench.exchange).status().cycles == 0


@pytest.mark.parametrize("name", BAD)
def test_bad_frame_is_answered_and_changes_nothing(bench, name):
    data, code = BAD[name]
    bench.compare(encode(Command.CONTROL, 1, b"\1"))
    if name == "repeated":
        data = encode(Command.STATUS, 1)
    heard = bench.compare(data, quiet=True)
    assert heard[-8] == 0x5A
    assert heard[-7] == ERROR
    assert heard[-3] == code
    bench.compare(encode(Command.STATUS, 8))
    bench.compare(encode(Command.READ, 9, bytes([LAYOUT.rows, 0, 0])))


@pytest.mark.parametrize("at", range(len(READ)))
def test_missing_stop_bit_anywhere(bench, at):
    line = levels(READ[:at]) + levels(READ[at : at + 1], stop=0) + [1] + levels(READ[at + 1 :])
    bench.device.receive(READ[:at])
    bench.device.broken()
    expected = bench.device.quiet()
    assert bench.line.play(line, len(expected), QUIET) == expected
    bench.compare(READ)


def test_line_held_low(bench):
    bench.device.broken()
    expected = bench.device.quiet()
    assert bench.line.play([0] * (4 * QUIET_BITS) + [1], len(expected), QUIET) == expected
    bench.compare(READ)


def test_short_disturbance_is_no_byte(bench):
    assert bench.line.play([0, 1], divisor=1, pause=QUIET) == b""
    bench.compare(READ)


def test_gaps_within_a_frame(bench):
    expected = bench.device.receive(READ)
    assert bench.line.play(levels(READ, gap=QUIET_BITS - 12), len(expected)) == expected
    late = levels(READ[:-1]) + [1] * (QUIET_BITS + 4)
    bench.device.receive(READ[:-1])
    expected = bench.device.quiet()
    assert bench.line.play(late, len(expected)) == expected


def test_bytes_while_a_reply_is_sent(bench):
    """The reply is whole, the bytes are refused; the same during an error reply."""
    for data in (READ, ALIEN):
        expected = bench.device.receive(data) + (b"" if data == READ else bench.device.quiet())
        heard = bench.line.play(data, 1)
        bench.device.receive(ALIEN[:2], answering=True)
        expected += bench.device.quiet()
        assert heard + bench.line.play(ALIEN[:2], len(expected) - 1, QUIET) == expected
    bench.compare(encode(Command.STATUS, 77))


def test_silence_counts_from_the_end_of_a_reply(bench):
    """However long the reply is, BUSY waits until the line has been quiet behind it."""
    everything = encode(Command.READ, 1, bytes([LAYOUT.rows, 0, 0]))
    assert len(bench.compare(everything + ALIEN[:1])) > QUIET_BITS // 10
    bench.compare(READ)
    bench.compare(b"", quiet=True)
    bench.compare(READ)


def test_bytes_while_waves_run(bench):
    """A volley frame cut into by noise is still executed whole, and answered whole."""
    rng = np.random.default_rng(4)
    bench.compare(encode(Command.CONTROL, 1, b"\1"))
    bench.compare(request_volleys(rng, 2, 9) + damage(rng, READ), quiet=True)
    bench.compare(encode(Command.READ, 3, bytes([LAYOUT.rows, 0, 0])))


@pytest.mark.parametrize("seed", [0, 1, 101])
def test_random_frames(bench, seed):
    bench.play(scenario(seed, 250))
    bench.compare(b"", quiet=True)
    bench.compare(encode(Command.READ, 200, bytes([LAYOUT.rows, 0, 0])), quiet=True)


def test_random_bytes(bench):
    rng = np.random.default_rng(17)
    for _ in range(60):
        bench.compare(rng.bytes(int(rng.integers(1, 80))), quiet=bool(rng.integers(2)))
    bench.compare(b"", quiet=True)
    bench.compare(request(rng, 123), quiet=True)


def test_lone_column_without_learning_on_both_simulators():
    """No read-out, no STDP: other widths, other rules. On Icarus, if it is here."""
    column = ColumnConfig(p=3, q=2, theta=4, t_in=3, w_max=3)
    config = Config(name="lone", column=column, hardware=HardwareConfig(learning=False))
    lone = initial(config).with_weights(np.array([[0, 1, 2], [3, 3, 0]]))
    usable = {simulator.name for simulator in runner.survey() if simulator.usable}
    with Bench(lone, "icarus" if "icarus" in usable else None) as bench:
        bench.restart()
        host = Host(config, bench.exchange)
        waves = np.array([[0, 1, 2], [7, 7, 7], [2, 2, 0], [0, 0, 0]], np.uint8)
        found = host.run(lone, waves)
        assert_array_equal(found.times, network.run(lone, waves).times)
        assert_array_equal(found.weights, lone.weights)
        status = host.status()
        assert (status.learning, status.readout, status.waves) == (False, False, 4)
        assert status.cycles == 4 * wave_cycles(config)
        bench.device = Device(lone)
        bench.device.waves = 4
        bench.compare(encode(Command.CONTROL, 101, b"\1"), quiet=True)


def test_divisor():
    assert board_top.divisor(12e6, 115_200) == 104
    assert board_top.divisor(25e6, 115_200) == 217
    with pytest.raises(BadInput, match=r"baud must be within 2 % of 12000000 Hz / 4 = 3000000"):
        board_top.divisor(12e6, 4_000_000)


def test_export_is_named_and_repeats():
    cvt = initial(presets.load("cmu-cvt"))
    text = board_top.export(*board_top.parameters(cvt, 12e6))
    assert text == board_top.export(*board_top.parameters(cvt, 12e6))
    assert "module racewave_cmu_cvt_board" in text
    assert "SB_" not in text


# Units alone, in Amaranth's simulator.


def listen(module, line: list[int], divisor: int, sender: float) -> tuple[list[int | None], int]:
    """Bytes (None: broken) that a receiver makes of levels, and how often the line fell quiet."""
    dut = module.UartReceiver(divisor, 16)
    heard, quiets = [], 0

    async def bench(ctx):
        nonlocal quiets
        before = 0
        for n in range(int((len(line) + 24) * sender)):
            ctx.set(dut.rx, line[int(n / sender)] if n / sender < len(line) else 1)
            await ctx.tick()
            if ctx.get(dut.o_valid):
                heard.append(ctx.get(dut.o_byte))
            if ctx.get(dut.o_broken):
                heard.append(None)
            quiets += ctx.get(dut.o_quiet) > before
            before = ctx.get(dut.o_quiet)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return heard, quiets


DATA = [0x00, 0xFF, 0x55, 0xAA, 0x80, 0x01, 0x5A]


@pytest.mark.parametrize("sender", [4, 4.05, 8, 8.24, 7.76, 104, 107.12, 100.88])
def test_receiver_samples_at_the_centre(sender):
    """Back to back, from senders that are up to 3 % off."""
    assert listen(uart, levels(DATA), round(sender / 4) * 4, sender) == (DATA, 1)


def test_receiver_needs_a_stop_bit():
    line = levels([0x12], stop=0) + [0] * 12 + [1] * 2 + levels([0x34])
    assert listen(uart, line, 8, 8) == ([None, 0x34], 1)


def test_receiver_planted_bug():
    late = mutated(uart, "self.divisor // 2 - 1", "self.divisor - 2")
    assert listen(late, levels(DATA), 104, 101) != (DATA, 1)
    blind = mutated(uart, "self.o_broken.eq(~line)", "self.o_broken.eq(0)")
    assert listen(blind, levels([0x12], stop=0), 8, 8) != ([None], 1)


def test_transmitter_keeps_bit_times():
    """Every level of every byte lasts `divisor` clocks, back to back."""
    dut = uart.UartTransmitter(5)
    seen = []

    async def send(ctx):
        for byte in DATA:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(60)

    async def watch(ctx):
        while True:
            await ctx.tick()
            seen.append(ctx.get(dut.tx))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    line = levels(DATA)
    start = seen.index(0)
    assert seen[start : start + 5 * len(line)] == [level for level in line for _ in range(5)]
    assert set(seen[start + 5 * len(line) :]) == {1}


@pytest.mark.parametrize("divisor", [0, 3])
def test_divisor_must_be_4(divisor):
    with pytest.raises(ValueError, match=f"divisor must be at least 4 .*, not {divisor}"):
        uart.check_divisor(divisor)


# Planted bugs in the protocol: the random frames must find them.


@pytest.mark.parametrize(
    ("module", "unit", "old", "new"),
    [
        (frames, "FrameReceiver", "if arrived", "if False"),
        (executor, "Executor", "address >= layout.rows", "address > layout.rows"),
    ],
)
def test_planted_bug_in_protocol(monkeypatch, module, unit, old, new):
    if old == "if arrived":
        old, new = "m.If(arrived)", "m.If(0)"
    monkeypatch.setattr(protocol, unit, getattr(mutated(module, old, new), unit))
    with Bench(model()) as bench:
        bench.restart()
        with pytest.raises((AssertionError, runner.SimulationError)):
            bench.play(scenario(0, 250))
