"""Plays units and whole cores in Amaranth's simulator, with a watchdog and seeded stalls."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
from amaranth.sim import Simulator

from racewave.golden.config import Config
from racewave.golden.streams import Streams
from racewave.hw.network import Network
from racewave.hw.verilog import pack_rows

WATCHDOG = 400_000  # steps of the simulator


def pack(values: Sequence[int] | np.ndarray, bits: int) -> int:
    """Item 0 in the low bits."""
    return sum(int(value) << (n * bits) for n, value in enumerate(values))


def unpack(word: int, count: int, bits: int) -> list[int]:
    return [(word >> (n * bits)) & ((1 << bits) - 1) for n in range(count)]


def simulate(unit, bench: Callable, *background: Callable, watchdog: int = WATCHDOG) -> None:
    """Run a bench on a unit until the bench has finished."""
    simulator = Simulator(unit)
    simulator.add_clock(1e-6, if_exists=True)
    simulator.add_testbench(bench)
    for other in background:
        simulator.add_testbench(other, background=True)
    for _ in range(watchdog):
        if not simulator.advance():
            return
    raise TimeoutError(f"{type(unit).__name__} does not come to an end")


class Player:
    """The outside of a core: what a host does on its streams, with stalls of probability `p`."""

    def __init__(self, core: Network, stalls: float = 0.0, seed: int = 0):
        self.core, self.stalls, self.random = core, stalls, random.Random(seed)

    def stalled(self) -> bool:
        return self.random.random() < self.stalls

    async def send(self, ctx, port, word: int) -> None:
        while self.stalled():
            await ctx.tick()
        ctx.set(port.payload, word)
        ctx.set(port.valid, 1)
        while not ctx.get(port.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(port.valid, 0)
        ctx.set(port.payload, 0)

    async def receive(self, ctx, port) -> int:
        while True:
            ready = not self.stalled()
            ctx.set(port.ready, ready)
            if ready and ctx.get(port.valid):
                word = ctx.get(port.payload)
                await ctx.tick()
                ctx.set(port.ready, 0)
                return word
            await ctx.tick()

    async def volley(self, ctx, volley: np.ndarray) -> None:
        await self.send(ctx, self.core.volleys, pack(volley, self.core.config.column.time_bits))

    async def request(self, ctx, address: int, row: int = 0, write: bool = False) -> None:
        streams = self.core.streams
        word = row | address << streams.row_bits | write << (streams.request_bits - 1)
        await self.send(ctx, self.core.requests, word)

    async def read(self, ctx, address: int) -> int:
        await self.request(ctx, address)
        return await self.receive(ctx, self.core.replies)

    async def load(self, ctx, weights: np.ndarray) -> None:
        column = self.core.config.column
        for c, i in np.ndindex(self.core.config.columns, column.p):
            row = pack(weights[c, :, i], column.w_bits)
            await self.request(ctx, c * column.p + i, row, write=True)

    async def read_back(self, ctx) -> np.ndarray:
        column = self.core.config.column
        weights = np.zeros((self.core.config.columns, column.q, column.p), np.uint8)
        for c, i in np.ndindex(self.core.config.columns, column.p):
            row = await self.read(ctx, c * column.p + i)
            weights[c, :, i] = unpack(row, column.q, column.w_bits)
        return weights


def play_orders(
    config: Config,
    orders: Sequence[tuple[np.ndarray, np.ndarray]],
    learn: bool = False,
    readout: np.ndarray | None = None,
    stalls: float = 0.0,
    network: type[Network] = Network,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """For each pair of weights and volleys: load, play, read back; times, weights, classes, cycles.

    Volleys are sent, results taken and requests made by three independent hosts.
    """
    rows = (
        ()
        if readout is None
        else pack_rows(
            readout.astype(np.int64) & ((1 << config.readout.bits) - 1), config.readout.bits
        )
    )
    core = network(config, rows)
    streams, column = Streams(config), config.column
    done, playing = [], []

    async def bench(ctx):
        host = Player(core, stalls)
        for weights, volleys in orders:
            await host.load(ctx, np.reshape(weights, (config.columns, column.q, column.p)))
            ctx.set(core.learn, learn)
            ctx.set(core.start, 1)
            playing.append(volleys)
            stamps, words = [ctx.get(core.cycles)], []
            for _ in volleys:
                words.append(await host.receive(ctx, core.results))
                stamps.append(ctx.get(core.cycles) - ctx.get(core.busy))
            ctx.set(core.start, 0)
            times = [unpack(word, config.outputs, column.time_bits) for word in words]
            classes = [word >> streams.times_bits for word in words]
            final = await host.read_back(ctx)
            done.append((np.array(times), final, np.array(classes), np.diff(stamps)))

    async def sender(ctx):
        host, order = Player(core, stalls, seed=1), 0
        while True:
            while order == len(playing):
                await ctx.tick()
            for volley in playing[order]:
                await host.volley(ctx, volley)
            order += 1

    simulate(core, bench, sender)
    return done


def play(config: Config, weights: np.ndarray, volleys: np.ndarray, **options):
    """As `play_orders`, for one pair."""
    return play_orders(config, [(weights, volleys)], **options)[0]
