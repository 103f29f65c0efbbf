"""Plays a core in Amaranth's simulator: the same streams as in Verilog, in pure Python."""

from __future__ import annotations

import random

import numpy as np
from amaranth.sim import Simulator

from racewave.golden.config import Config
from racewave.hw.network import Network, Widths, pack_readout

WATCHDOG = 200_000


def pack(values, bits: int) -> int:
    """Item 0 in the low bits."""
    return sum(int(value) << (n * bits) for n, value in enumerate(values))


def unpack(word: int, count: int, bits: int) -> list[int]:
    return [(word >> (n * bits)) & ((1 << bits) - 1) for n in range(count)]


def simulate(component, bench, *others) -> None:
    """Run benches on a component until the first has finished; all clocked by `sync`."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    for other in others:
        simulator.add_testbench(other, background=True)
    simulator.run_until(WATCHDOG * 1e-6) if False else simulator.run()


class Streams:
    """Drives one core; every stream may stall with a probability of its own, seeded."""

    def __init__(self, core: Network, stalls: float = 0.0, seed: int = 0):
        self.core, self.stalls, self.random = core, stalls, random.Random(seed)
        self.clocks = 0

    async def tick(self, ctx) -> None:
        await ctx.tick()
        self.clocks += 1
        if self.clocks > WATCHDOG:
            raise TimeoutError("the core does not answer")

    def stalled(self) -> bool:
        return self.random.random() < self.stalls

    async def send(self, ctx, port, word: int) -> None:
        while self.stalled():
            await self.tick(ctx)
        ctx.set(port.payload, word)
        ctx.set(port.valid, 1)
        while not ctx.get(port.ready):
            await self.tick(ctx)
        await self.tick(ctx)
        ctx.set(port.valid, 0)
        ctx.set(port.payload, 0)

    async def receive(self, ctx, port) -> int:
        while True:
            ctx.set(port.ready, not self.stalled())
            if ctx.get(port.valid) and ctx.get(port.ready):
                word = ctx.get(port.payload)
                await self.tick(ctx)
                ctx.set(port.ready, 0)
                return word
            await self.tick(ctx)

    async def request(self, ctx, address: int, row: int = 0, write: bool = False) -> int | None:
        widths = self.core.widths
        word = row | address << widths.row_bits | write << (widths.request_bits - 1)
        await self.send(ctx, self.core.requests, word)
        return None if write else await self.receive(ctx, self.core.replies)


def play(
    config: Config,
    weights: np.ndarray,
    volleys: np.ndarray,
    learn: bool = False,
    readout: np.ndarray | None = None,
    stalls: float = 0.0,
    network: type[Network] = Network,
):
    """Load weights, play volleys, read everything back.

    Returns
    -------
    times, weights, classes, cycles
        As the golden model gives them; `cycles` per wave.
    """
    column, widths = config.column, Widths.of(config)
    rows = pack_readout(readout, config.readout.bits) if config.readout else ()
    core = network(config, rows)
    weights = np.asarray(weights).reshape(config.columns, column.q, column.p)
    times, classes, cycles, final = [], [], [], np.zeros_like(weights)
    streams = Streams(core, stalls)

    async def bench(ctx):
        for c in range(config.columns):
            for i in range(column.p):
                row = pack(weights[c, :, i], column.w_bits)
                await streams.request(ctx, c * column.p + i, row, write=True)
        ctx.set(core.start, 1)
        ctx.set(core.learn, learn)
        for _ in volleys:
            before = ctx.get(core.cycles)
            word = await streams.receive(ctx, core.results)
            cycles.append(ctx.get(core.cycles) - before)
            times.append(unpack(word, config.outputs, column.time_bits))
            classes.append(word >> widths.times_bits)
        ctx.set(core.start, 0)
        assert ctx.get(core.waves) == len(volleys)
        for c in range(config.columns):
            for i in range(column.p):
                row = await streams.request(ctx, c * column.p + i)
                final[c, :, i] = unpack(row, column.q, column.w_bits)

    async def sender(ctx):
        sends = Streams(core, stalls, seed=1)
        for volley in volleys:
            await sends.send(ctx, core.volleys, pack(volley, column.time_bits))

    simulate(core, bench, sender)
    return (
        np.array(times),
        final,
        np.array(classes) if config.readout else None,
        np.array(cycles),
    )
