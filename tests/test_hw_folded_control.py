"""The streams of a folded core and its few control signals."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from configs import random_volleys
from folded_bench import Host, Waves, compare, core_of, expected, from_bits, play, random_waves
from hw_bench import simulate
from mutants import mutated
from networks import random_model
from numpy.testing import assert_array_equal

from racewave.golden.config import from_dict
from racewave.golden.streams import Streams
from racewave.hw import folded, folded_layer, verilog

CONFIG = from_dict(
    {
        "column": {"q": 2, "theta": 3, "w_max": 3, "t_in": 2, "u_search": 700, "seed": 77},
        "input": {"image": [3, 4], "encoder": "intensity"},
        "layer": [
            {"field": 2, "stride": 1, "engines": 2},
            {"field": [1, 2], "stride": 1, "column": {"theta": 4, "response": "snl"}},
        ],
        "readout": {"kind": "linear", "classes": 3},
        "hardware": {"micro_architecture": "folded"},
    }
)
MODEL = random_model(CONFIG, 1)
STREAMS = Streams(CONFIG)
WAVES = random_waves(CONFIG, 4, 1, learn=True)
BEATS = STREAMS.volleys(WAVES.volleys)
WATCHDOG = 20_000


def run(bench, reset=None):
    """Run a bench that is given the core and a host."""
    unit = core_of(MODEL)
    host = Host(unit)

    async def driver(ctx):
        await bench(ctx, unit, host)

    simulate(unit if reset is None else ResetInserter(reset)(unit), driver, watchdog=WATCHDOG)


def rows_of(found) -> np.ndarray:
    """Bits of the weights of a golden outcome."""
    return STREAMS.rows_of(MODEL.with_weights(found.layers))


async def offer(ctx, port, word: int) -> None:
    """Put a word on a stream and leave it there."""
    ctx.set(port.payload, word)
    ctx.set(port.valid, 1)


def write_request(row: int = 0, address: int = 0) -> int:
    return row | address << STREAMS.row_bits | 1 << (STREAMS.request_bits - 1)


def test_no_volley_without_start():
    async def bench(ctx, unit, host):
        await offer(ctx, unit.volleys, from_bits(BEATS[0][0]))
        for _ in range(20):
            assert not ctx.get(unit.volleys.ready)
            assert not ctx.get(unit.busy)
            await ctx.tick()
        assert ctx.get(unit.cycles) == 0

    run(bench)


def test_busy_from_the_first_row_to_the_last_beat():
    """One volley at a time: nothing hides a clock in which the core forgets its wave."""

    async def bench(ctx, unit, host):
        ctx.set(unit.start, 1)
        for n, volley in enumerate(BEATS):
            for r, row in enumerate(volley):
                assert ctx.get(unit.busy) == bool(r)
                await host.send(ctx, unit.volleys, from_bits(row))
            beat = 0
            while not beat >> (STREAMS.result_bits - 1):
                ctx.set(unit.results.ready, n % 2 == 0 or host.random.random() < 0.2)
                assert ctx.get(unit.busy)
                if ctx.get(unit.results.valid) and ctx.get(unit.results.ready):
                    beat = ctx.get(unit.results.payload)
                await ctx.tick()
            ctx.set(unit.results.ready, 0)
            assert ctx.get(unit.waves) == n + 1
        assert not ctx.get(unit.busy)

    run(bench)


@pytest.mark.parametrize("after", [1, 2, 5, 20, 40, 60])
def test_requests_wait_for_the_end_of_the_image(after):
    """A row that is written in the middle of an image changes nothing of it, only the next one."""
    first = expected(MODEL, Waves(WAVES.volleys[:1], learn=True))

    async def bench(ctx, unit, host):
        ctx.set(unit.start, 1)
        await host.send(ctx, unit.volleys, from_bits(BEATS[0][0]))
        ones = (1 << 2 * CONFIG.column.w_bits) - 1
        sent, found, clocks = 1, [], 0
        ctx.set(unit.learn, 1)
        ctx.set(unit.report, 1)
        while not found or not found[-1] >> (STREAMS.result_bits - 1):
            clocks += 1
            if clocks == after:
                await offer(ctx, unit.requests, write_request(ones))
            if sent < len(BEATS[0]):
                await offer(ctx, unit.volleys, from_bits(BEATS[0][sent]))
                sent += ctx.get(unit.volleys.ready)
            else:
                ctx.set(unit.volleys.valid, clocks > after)  # the next image waits
                assert not (clocks > after and ctx.get(unit.volleys.ready))
            assert not ctx.get(unit.requests.ready)
            ready = host.random.random() < 0.5
            ctx.set(unit.results.ready, ready)
            if ready and ctx.get(unit.results.valid):
                found.append(ctx.get(unit.results.payload))
            await ctx.tick()
        ctx.set(unit.results.ready, 0)
        ctx.set(unit.volleys.valid, 0)
        while not ctx.get(unit.requests.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(unit.requests.valid, 0)
        bits = np.array([[word >> b & 1 for b in range(STREAMS.result_bits)] for word in found])
        times, classes = STREAMS.results(bits.astype(np.uint8))
        assert_array_equal(times, first.times)
        assert_array_equal(classes, first.classes)
        wanted = rows_of(first)
        wanted[0, : 2 * CONFIG.column.w_bits] = 1
        assert_array_equal(await host.read_all(ctx), wanted)

    run(bench)


def test_requests_hold_the_next_image_back():
    async def bench(ctx, unit, host):
        ctx.set(unit.start, 1)
        await offer(ctx, unit.volleys, from_bits(BEATS[0][0]))
        await offer(ctx, unit.requests, 1 << STREAMS.row_bits)
        for _ in range(30):  # nobody takes the reply: the second request waits
            assert not ctx.get(unit.volleys.ready)
            await ctx.tick()
        assert not ctx.get(unit.busy)
        ctx.set(unit.requests.valid, 0)
        assert ctx.get(unit.volleys.ready)

    run(bench)


def test_weights_between_waves():
    """Each wave sees the rows that were written before it."""
    rng = np.random.default_rng(5)
    rows = STREAMS.rows_of(MODEL).copy()
    own = 2 * CONFIG.column.w_bits  # bits of a row of weights, in both layers

    async def bench(ctx, unit, host):
        ctx.set(unit.start, 1)
        for volley, beats in zip(WAVES.volleys[:3], BEATS, strict=False):
            for address in rng.permutation(STREAMS.weight_rows)[:12]:
                rows[address, :own] = rng.integers(0, 2, own)
                await host.request(ctx, int(address), from_bits(rows[address]), write=True)
                assert await host.read(ctx, int(address)) == from_bits(rows[address])
            await host.volley(ctx, beats, report=False)
            (last,) = await host.result(ctx)
            layers = STREAMS.layers_of(rows[: STREAMS.weight_rows])
            wanted = expected(MODEL.with_weights(layers), Waves(volley[None]))
            label = last >> (STREAMS.times_bits + STREAMS.column_bits)
            assert label & 3 == wanted.classes[0]

    run(bench)


def test_address_beyond_the_rows():
    async def bench(ctx, unit, host):
        before = await host.read_all(ctx)
        for address in range(STREAMS.rows, 1 << STREAMS.address_bits):
            await host.request(ctx, address, (1 << STREAMS.row_bits) - 1, write=True)
            assert await host.read(ctx, address) == 0
        assert_array_equal(await host.read_all(ctx), before)

    run(bench)


def test_reseed():
    """Waves after a reseed draw what the first waves after power-up draw."""
    wanted = expected(MODEL, WAVES)

    async def bench(ctx, unit, host):
        for waves in (1, 3, len(BEATS)):
            ctx.set(unit.start, 0)
            await host.write(ctx, MODEL)
            ctx.set(unit.reseed, 1)
            await ctx.tick()
            ctx.set(unit.reseed, 0)
            ctx.set(unit.start, 1)
            for beats in BEATS[:waves]:
                await host.volley(ctx, beats, learn=True)
                await host.result(ctx)
        assert_array_equal(await host.read_all(ctx), rows_of(wanted))

    run(bench)


@pytest.mark.parametrize("clocks", [1, 4, 9, 23, 48, 77])
def test_reset_at_any_time(clocks):
    """A reset forgets the wave, not the weights; what follows is as after power-up."""
    reset = Signal()
    wanted = expected(MODEL, WAVES)

    async def bench(ctx, unit, host):
        ctx.set(unit.start, 1)
        ctx.set(unit.report, 1)
        ctx.set(unit.results.ready, 1)
        for n in range(clocks):
            await offer(ctx, unit.volleys, from_bits(BEATS[0][n % len(BEATS[0])]))
            await ctx.tick()
        ctx.set(unit.volleys.valid, 0)
        ctx.set(unit.results.ready, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(unit.busy)
        assert ctx.get(unit.waves) == ctx.get(unit.cycles) == 0
        assert_array_equal(await host.read_all(ctx), STREAMS.rows_of(MODEL))
        for n, beats in enumerate(BEATS):
            await host.volley(ctx, beats, learn=True)
            result = await host.result(ctx)
            label = result[-1] >> (STREAMS.times_bits + STREAMS.column_bits)
            assert label & 3 == wanted.classes[n]
        assert_array_equal(await host.read_all(ctx), rows_of(wanted))

    run(bench, reset=reset)


def test_a_wave_that_learns_does_not_overlap_with_one_that_does_not():
    """All waves are in the streams at once; each has its own wish."""
    rng = np.random.default_rng(0)
    volleys = random_volleys(rng, CONFIG.column, 24, CONFIG.lines)
    for seed in range(2):
        learn, report = np.random.default_rng(seed).integers(0, 2, (2, 24))
        waves = Waves(volleys, learn, report)
        compare(play(MODEL, waves), expected(MODEL, waves))


PLANTED = {
    test_no_volley_without_start: (folded, "(self.start & ~blocked)", "~blocked"),
    test_busy_from_the_first_row_to_the_last_beat: (
        folded_layer,
        "| ended | self.outcome.valid",
        "",
    ),
    test_requests_wait_for_the_end_of_the_image: (folded, "quiet.eq(~self.busy)", "quiet.eq(1)"),
    test_requests_hold_the_next_image_back: (folded, "self.start & ~blocked", "self.start"),
    test_reseed: (folded, "layer.reseed.eq(self.reseed)", "layer.reseed.eq(0)"),
}


@pytest.mark.parametrize("test", PLANTED)
def test_planted_bug(test, monkeypatch):
    module, old, new = PLANTED[test]
    broken = mutated(module, old, new)
    if module is folded:
        monkeypatch.setattr(verilog, "Folded", broken.Folded)
    else:
        monkeypatch.setattr(folded, "FoldedLayer", broken.FoldedLayer)
    options = {"after": 20} if test is test_requests_wait_for_the_end_of_the_image else {}
    with pytest.raises((AssertionError, TimeoutError)):
        test(**options)
