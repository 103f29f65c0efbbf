"""The streams of a core and its few control signals."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from hw_bench import Player, pack, play, simulate, unpack
from mutants import mutated

from racewave.golden import column as golden
from racewave.golden.config import ColumnConfig, Config, HardwareConfig, from_dict
from racewave.golden.streams import Streams
from racewave.hw import latency, network
from racewave.hw.latency import wave_cycles

COLUMN = ColumnConfig(p=3, q=2, theta=4, w_max=3, u_search=700, u_capture=900, initial_w=0)
CONFIG = Config(column=COLUMN)
WEIGHTS = np.array([[[3, 2, 1], [0, 3, 3]]], np.uint8)
VOLLEY = np.array([0, 0, COLUMN.none], np.uint8)


def expected(learn=False, waves=1):
    volleys = np.tile(VOLLEY, (waves, 1))
    return golden.run(volleys, WEIGHTS[0], COLUMN, learn)[:2]


def run(bench, core=None):
    core = core or network.Network(CONFIG)
    host = Player(core)

    async def driver(ctx):
        await bench(ctx, core, host)

    simulate(core, driver, watchdog=5_000)


def times_of(word):
    return unpack(word, COLUMN.q, COLUMN.time_bits)


def test_weights_survive_and_read_back_in_any_order():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        for i in (2, 0, 0, 1, 2, 1, 0):
            assert unpack(await host.read(ctx, i), 2, 2) == list(WEIGHTS[0, :, i])
        await host.request(ctx, 1, pack([1, 2], 2), write=True)
        assert unpack(await host.read(ctx, 1), 2, 2) == [1, 2]
        assert unpack(await host.read(ctx, 0), 2, 2) == list(WEIGHTS[0, :, 0])

    run(bench)


def test_address_beyond_the_rows():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        await host.request(ctx, 3, 0xF, write=True)
        assert await host.read(ctx, 3) == 0
        np.testing.assert_array_equal(await host.read_back(ctx), WEIGHTS)

    run(bench)


def test_requests_are_refused_during_a_wave():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.payload, pack(VOLLEY, COLUMN.time_bits))
        ctx.set(core.volleys.valid, 1)
        await ctx.tick()
        assert ctx.get(core.busy)
        # A write to every neuron: were it let in, the wave would see other weights.
        ctx.set(core.requests.payload, 1 << (core.streams.request_bits - 1))
        ctx.set(core.requests.valid, 1)
        while ctx.get(core.busy):
            assert not ctx.get(core.requests.ready)
            if ctx.get(core.volleys.ready):
                ctx.set(core.start, 0)
            await ctx.tick()
        ctx.set(core.volleys.valid, 0)
        assert ctx.get(core.requests.ready)
        await ctx.tick()
        ctx.set(core.requests.valid, 0)
        assert times_of(await host.receive(ctx, core.results)) == list(expected()[0][0])
        assert await host.read(ctx, 0) == 0

    run(bench)


def test_a_volley_waits_for_requests():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.payload, pack(VOLLEY, COLUMN.time_bits))
        ctx.set(core.volleys.valid, 1)
        ctx.set(core.requests.payload, 1 << core.streams.row_bits)
        ctx.set(core.requests.valid, 1)
        for _ in range(20):  # nobody takes the second reply: the second request keeps waiting
            assert not ctx.get(core.busy)
            await ctx.tick()
        ctx.set(core.replies.ready, 1)
        await ctx.tick()
        ctx.set(core.requests.valid, 0)
        while not ctx.get(core.results.valid):
            await ctx.tick()
        assert times_of(ctx.get(core.results.payload)) == list(expected()[0][0])

    run(bench)


def test_results_stay_until_taken():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.payload, pack(VOLLEY, COLUMN.time_bits))
        ctx.set(core.volleys.valid, 1)
        while not ctx.get(core.results.valid):
            await ctx.tick()
        first = ctx.get(core.results.payload)
        for _ in range(30):
            assert ctx.get(core.results.valid)
            assert ctx.get(core.results.payload) == first
            assert not ctx.get(core.busy)
            await ctx.tick()
        assert ctx.get(core.waves) == 1
        assert ctx.get(core.cycles) == wave_cycles(CONFIG)

    run(bench)


def test_no_wave_without_start():
    async def bench(ctx, core, host):
        ctx.set(core.volleys.valid, 1)
        for _ in range(20):
            assert not ctx.get(core.busy)
            assert not ctx.get(core.volleys.ready)
            await ctx.tick()
        assert ctx.get(core.cycles) == 0

    run(bench)


def test_learn_is_sampled_when_a_wave_begins():
    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.payload, pack(VOLLEY, COLUMN.time_bits))
        ctx.set(core.volleys.valid, 1)
        for learn in (False, True):
            ctx.set(core.learn, learn)
            await ctx.tick()
            ctx.set(core.learn, not learn)
            ctx.set(core.results.ready, 1)
            while not ctx.get(core.volleys.ready):
                await ctx.tick()
            ctx.set(core.learn, not learn)
            if learn:
                ctx.set(core.start, 0)
            else:
                ctx.set(core.learn, True)
            await ctx.tick()
        ctx.set(core.volleys.valid, 0)
        np.testing.assert_array_equal(await host.read_back(ctx), expected(learn=True)[1][None])

    run(bench)


def test_rows_of_rings_and_read_out_in_a_row():
    """Requests without a pause between them, each kind after each."""
    config = from_dict(IMAGE | {"readout": {"classes": 3, "bits": 4}})
    streams, bits = Streams(config), config.column.q * config.column.w_bits
    rng = np.random.default_rng(0)
    rows = [
        int(rng.integers(0, 1 << (bits if r < streams.weight_rows else 12)))
        for r in range(streams.rows)
    ]
    order = [int(r) for r in rng.integers(0, streams.rows, 60)]
    replies = []

    async def bench(ctx, core, host):
        for r, row in enumerate(rows):
            await host.request(ctx, r, row, write=True)
        ctx.set(core.replies.ready, 1)
        ctx.set(core.requests.valid, 1)
        for r in order:
            ctx.set(core.requests.payload, r << streams.row_bits)
            ready = 0
            while not ready:
                ready = ctx.get(core.requests.ready)
                if ctx.get(core.replies.valid):
                    replies.append(ctx.get(core.replies.payload))
                await ctx.tick()
        replies.append(ctx.get(core.replies.payload))
        assert replies == [rows[r] for r in order]

    run(bench, core=network.Network(config))


@pytest.mark.parametrize("clocks", range(1, 24, 3))
def test_reset_at_any_time_keeps_every_weight_in_its_place(clocks):
    still = COLUMN.model_copy(
        update={"u_capture": 0, "u_minus": 0, "u_search": 0, "u_backoff": 0, "p": 5}
    )
    weights = np.arange(10, dtype=np.uint8).reshape(1, 2, 5) % 4
    reset = Signal()
    core = network.Network(Config(column=still))

    async def bench(ctx):
        host = Player(core)
        await host.load(ctx, weights)
        await host.read(ctx, 2)  # rings are not at home
        ctx.set(core.learn, 1)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.valid, 1)
        await ctx.tick().repeat(clocks)  # in the way home, in the wave, in its update
        ctx.set(core.volleys.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not ctx.get(core.busy)
        np.testing.assert_array_equal(await host.read_back(ctx), weights)

    simulate(ResetInserter(reset)(core), bench, watchdog=5_000)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_reseed(before):
    """Waves after a reseed draw what the first waves after power-up draw."""
    columns = expected(learn=True, waves=3)[1][None]

    async def bench(ctx, core, host):
        ctx.set(core.learn, 1)
        for waves in (before, 3):
            ctx.set(core.start, 0)
            await host.load(ctx, WEIGHTS)
            ctx.set(core.reseed, 1)
            await ctx.tick()
            ctx.set(core.reseed, 0)
            ctx.set(core.start, 1)
            for _ in range(waves):
                await host.volley(ctx, VOLLEY)
                await host.receive(ctx, core.results)
        np.testing.assert_array_equal(await host.read_back(ctx), columns)

    run(bench)


def test_reseed_inside_a_wave_waits_for_its_end():
    columns = expected(learn=True, waves=1)

    async def bench(ctx, core, host):
        await host.load(ctx, WEIGHTS)
        ctx.set(core.learn, 1)
        ctx.set(core.start, 1)
        ctx.set(core.volleys.payload, pack(VOLLEY, COLUMN.time_bits))
        ctx.set(core.volleys.valid, 1)
        ctx.set(core.reseed, 1)
        while not ctx.get(core.volleys.ready):
            await ctx.tick()
        ctx.set(core.start, 0)
        await ctx.tick()
        ctx.set(core.volleys.valid, 0)
        np.testing.assert_array_equal(await host.read_back(ctx), columns[1][None])

    run(bench)


def test_frozen_hardware_ignores_learn():
    frozen = Config(column=COLUMN, hardware=HardwareConfig(learning=False))
    volleys = np.tile(VOLLEY, (4, 1))
    _, weights, _, cycles = play(frozen, WEIGHTS, volleys, learn=True)
    np.testing.assert_array_equal(weights, WEIGHTS)
    assert set(cycles) == {wave_cycles(frozen, learn=True)} == {wave_cycles(frozen)}


IMAGE = {
    "column": {"p": 2, "q": 2, "theta": 1, "w_max": 3},
    "input": {"image": [1, 3], "encoder": "posneg"},
    "layer": [{"field": 1, "stride": 1}],
}
LATENCY = {
    "shared age": CONFIG,
    "one bit": Config(column=ColumnConfig(p=2, q=2, theta=1, w_max=1)),
    "ages": Config(column=ColumnConfig(p=3, q=2, theta=4, w_max=7, t_in=4)),
    "two bits": Config(column=ColumnConfig(p=3, q=2, theta=4, w_max=3, t_in=4)),
    "steps": Config(column=ColumnConfig(p=9, q=2, theta=4, w_max=5, t_in=4, response="snl")),
    "one step": Config(column=ColumnConfig(p=9, q=2, theta=4, w_max=5, response="snl")),
    "read-out": from_dict(IMAGE | {"readout": {"classes": 9, "bits": 3}}),
    "long update": from_dict(
        {
            "column": {"p": 32, "q": 2, "theta": 1},
            "input": {"image": [4, 4], "encoder": "posneg"},
            "layer": [{"field": 4, "stride": 4}],
            "readout": {"classes": 2, "bits": 3},
        }
    ),
}


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("name", LATENCY)
def test_clocks_of_a_wave(name, learn, stalls):
    config = LATENCY[name]
    column = config.column
    weights = np.ones((config.columns, column.q, column.p), np.uint8)
    volleys = np.zeros((4, config.lines), np.uint8)
    *_, cycles = play(config, weights, volleys, learn=learn, stalls=stalls)
    clocks = wave_cycles(config, learn)
    if learn and stalls == 0:  # waves in a row wait for their draws
        clocks = max(clocks, column.draws + 1)
        assert set(cycles[1:]) == {clocks}
    elif not learn:
        assert set(cycles) == {clocks}
    else:
        assert clocks <= min(cycles)


def test_consecutive_rows_take_one_clock_each():
    core = network.Network(Config(column=ColumnConfig(p=9, q=1, theta=1)))

    async def bench(ctx, core, host):
        ctx.set(core.requests.valid, 1)
        ctx.set(core.replies.ready, 1)
        for n in range(18):
            ctx.set(core.requests.payload, n % 9 << core.streams.row_bits)
            assert ctx.get(core.requests.ready)
            await ctx.tick()

    run(bench, core=core)


PLANTED = {
    test_requests_are_refused_during_a_wave: (
        "control.idle & self.requests.valid",
        "self.requests.valid",
    ),
    test_a_volley_waits_for_requests: ("& ~self.requests.valid\n            & (turn", "& (turn"),
    test_address_beyond_the_rows: (
        "address < streams.weight_rows",
        "address <= streams.weight_rows",
    ),
    test_weights_survive_and_read_back_in_any_order: ("column.p - 1, 0", "column.p, 0"),
    test_results_stay_until_taken: ("& (~self.results.valid | self.results.ready)", ""),
    test_rows_of_rings_and_read_out_in_a_row: (
        "& ~in_rings & (address < streams.rows) & ~fetched",
        "& ~fetched",
    ),
    test_no_wave_without_start: ("self.start\n            & self", "self"),
    test_reseed_inside_a_wave_waits_for_its_end: (
        "layer.reseed.eq((self.reseed | pending) & ~waits)",
        "layer.reseed.eq(self.reseed | pending)",
    ),
    test_learn_is_sampled_when_a_wave_begins: (
        "control.learn.eq(self.learn)",
        "control.learn.eq(1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("test", PLANTED)
def test_planted_bug(test, monkeypatch):
    monkeypatch.setattr(network, "Network", mutated(network, *PLANTED[test]).Network)
    with pytest.raises((AssertionError, TimeoutError)):
        test()


def test_planted_bug_in_reset(monkeypatch):
    kept = "Signal(range(column.p), reset_less=True)"
    lost = mutated(network, kept, "Signal(range(column.p))")
    monkeypatch.setattr(network, "Network", lost.Network)
    with pytest.raises(AssertionError):
        test_reset_at_any_time_keeps_every_weight_in_its_place(1)


@pytest.mark.parametrize(
    ("name", "learn", "old", "new"),
    [
        ("long update", True, "after.append(column.p + 1)", "after.append(column.p)"),
        ("ages", False, "+ drain_cycles(column) + max", "+ max"),
        ("long update", True, "max(after)", "sum(after)"),
    ],
)
def test_planted_bug_in_latency(name, learn, old, new, monkeypatch):
    monkeypatch.setitem(globals(), "wave_cycles", mutated(latency, old, new).wave_cycles)
    with pytest.raises(AssertionError):
        test_clocks_of_a_wave(name, learn=learn, stalls=0.0)
