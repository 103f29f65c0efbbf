"""Hardware units behind the signatures of their golden twins.

Every helper takes the module of the unit, so that a test can hand in a mutant.
"""

from __future__ import annotations

import random
from types import ModuleType

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.lib.wiring import Component
from hw_bench import pack, play, simulate, unpack

from racewave.golden.config import ColumnConfig, Config
from racewave.golden.stdp import Decisions
from racewave.hw import line, readout, stdp, synapse


def hw_draws(seed: int, count: int, prob_bits: int, module: ModuleType) -> list[int]:
    """`count` draws, the generator stopped now and then; reseeded after half of them."""
    unit, values = module.Lfsr(seed), []
    pauses = random.Random(count)

    async def bench(ctx):
        while len(values) < count:
            advance = pauses.random() < 0.7
            ctx.set(unit.advance, advance)
            if advance:
                values.append(ctx.get(unit.state) & ((1 << prob_bits) - 1))
            await ctx.tick()

    simulate(unit, bench)
    return values


def hw_adds(
    times: np.ndarray,
    weights: np.ndarray,
    column: ColumnConfig,
    stalls: float = 0.0,
    lines: ModuleType = line,
    synapses: ModuleType = synapse,
) -> np.ndarray:
    """What each synapse adds in each step: waves x lines x steps for `times` waves x lines."""
    count = times.shape[1]
    ages = 0 if column.response == "snl" else 1 if column.t_in == 1 else count
    front = lines.Lines(count, column)
    unit = synapses.Synapses(count, column.w_bits, ages)
    delay = line.line_cycles(column) + synapse.synapse_cycles(column)
    seen: list[list[int]] = []
    pauses = random.Random(count)

    class Pair(Component):
        def __init__(self):
            super().__init__({})

        def elaborate(self, platform):
            m = Module()
            m.domains.sync = ClockDomain()  # some pairs are combinational
            m.submodules.lines, m.submodules.synapses = front, unit
            m.d.comb += [unit.wires.eq(front.wires), unit.enable.eq(front.enable)]
            if ages:
                m.d.comb += [i.eq(o) for i, o in zip(unit.age, front.age, strict=True)]
            return m

    async def bench(ctx):
        for b, plane in enumerate(unit.planes):
            ctx.set(plane, pack(np.asarray(weights) >> b & 1, 1))
        for wave in times:
            ctx.set(front.times, pack(wave, column.time_bits))
            for clock in range(column.steps + delay):
                ctx.set(front.run, clock < column.steps)
                ctx.set(front.step, clock if clock < column.steps else 0)
                ctx.set(front.enable, 0)
                while pauses.random() < stalls:
                    await ctx.tick()
                ctx.set(front.enable, 1)
                if clock >= delay:
                    planes = [unpack(ctx.get(adds), count, 1) for adds in unit.adds]
                    seen.append([sum(bits[i] << b for b, bits in enumerate(planes))
                                 for i in range(count)])  # fmt: skip
                await ctx.tick()

    simulate(Pair(), bench)
    return np.array(seen).reshape(len(times), column.steps, count).swapaxes(1, 2)


def hw_fire(
    adds: np.ndarray, planes: int, theta: int, module: ModuleType, stalls: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Step in which the sum of `adds` (waves x steps x synapses) reaches theta, and the excess."""
    waves, steps, count = adds.shape
    unit = module.Potential(count, planes, theta)
    found = np.full((waves, 2), (steps, 0))
    pauses = random.Random(count)

    async def bench(ctx):
        for wave in range(waves):
            first = wave % 3  # clocks from `clear` to the first step, with noise in them
            for clock in range(first + steps + 2):
                step = clock - first
                ctx.set(unit.clear, clock == 0)
                ctx.set(unit.add, 1 <= step <= steps)
                for b, port in enumerate(unit.adds):
                    bits = adds[wave, step] >> b & 1 if 0 <= step < steps else np.ones(count, int)
                    ctx.set(port, pack(bits, 1))
                ctx.set(unit.enable, 0)
                while clock and pauses.random() < stalls:
                    await ctx.tick()
                ctx.set(unit.enable, 1)
                if step >= 2 and found[wave, 0] == steps and ctx.get(unit.fire):
                    found[wave] = step - 2, ctx.get(unit.excess)
                await ctx.tick()

    simulate(unit, bench)
    return found[:, 0], found[:, 1]


def hw_wta(
    raw: np.ndarray, excess: np.ndarray, column: ColumnConfig, module: ModuleType
) -> tuple[np.ndarray, list[int]]:
    """Winners' times, and for how many clocks each wave was held.

    `excess` is V - theta in the step of a raw spike. What neurons show after it is noise.
    """
    unit, out, holds = module.Wta(column), [], []
    noise = random.Random(len(raw))

    async def bench(ctx):
        for times, above in zip(raw, excess, strict=True):
            ctx.set(unit.clear, 1)
            ctx.set(unit.decide, 0)
            await ctx.tick()
            ctx.set(unit.clear, 0)
            held = 0
            for step in range(column.steps):
                ctx.set(unit.step, step)
                ctx.set(unit.decide, 1)
                later = [noise.random() < 0.5 for _ in times]
                fires = [t == step or (t < step and later[j]) for j, t in enumerate(times)]
                ctx.set(unit.fire, pack(fires, 1))
                if column.tie == "potential":
                    for j, port in enumerate(unit.excess):
                        ctx.set(port, int(above[j]) if times[j] == step else noise.getrandbits(3))
                while ctx.get(unit.hold):
                    held += 1
                    await ctx.tick()
                await ctx.tick()
            ctx.set(unit.decide, 0)
            out.append(unpack(ctx.get(unit.times), column.q, column.time_bits))
            spiked = [int(t != column.none) for t in out[-1]]
            assert unpack(ctx.get(unit.winners), column.q, 1) == spiked
            holds.append(held)

    simulate(unit, bench)
    return np.array(out), holds


def hw_decisions(column: ColumnConfig, takes: list[str], module: ModuleType) -> list[list[int]]:
    """Sets of decisions: "take" as soon as one is ready, "late" after a while, "reseed" first."""
    unit, sets = module.Decisions(column), []

    async def bench(ctx):
        for take in takes:
            if take == "reseed":
                ctx.set(unit.reseed, 1)
                await ctx.tick()
                ctx.set(unit.reseed, 0)
            clocks = 0
            while not ctx.get(unit.ready) or (take == "late" and clocks < 2 * column.draws):
                clocks += 1
                await ctx.tick()
            assert clocks <= 2 * column.draws
            ctx.set(unit.take, 1)
            await ctx.tick()
            ctx.set(unit.take, 0)
            sets.append(unpack(ctx.get(unit.decisions), column.draws, 1))
            await ctx.tick()

    simulate(unit, bench)
    return sets


def bits_of(decisions: Decisions) -> list[int]:
    """Decisions in the order of drawing."""
    single = [getattr(decisions, n) for n in ("capture", "minus", "search", "backoff", "u_min")]
    return [int(bit) for bit in (*single, *decisions.up, *decisions.down)]


def hw_update(
    cases: list[tuple[np.ndarray, int, list[int], Decisions]],
    column: ColumnConfig,
    module: ModuleType = stdp,
) -> np.ndarray:
    """Weights of `lanes` neurons after one line has passed, for each (weights, x, y, decisions)."""
    lanes = len(cases[0][0])
    rule = module.Rule(column)
    updates = [module.Update(column) for _ in range(lanes)]
    out = []

    class Door(Component):
        def __init__(self):
            super().__init__({})

        def elaborate(self, platform):
            m = Module()
            m.submodules.rule = rule
            for n, update in enumerate(updates):
                m.submodules[f"update_{n}"] = update
                m.d.comb += [update.won.eq(rule.won), update.lost.eq(rule.lost)]
                m.d.comb += update.up.eq(rule.up) if column.t_in == 1 else update.late.eq(rule.late)
            return m

    async def bench(ctx):
        for weights, x, y, decisions in cases:
            ctx.set(rule.decisions, pack(bits_of(decisions), 1))
            ctx.set(rule.spike, int(x != column.none))
            ctx.set(rule.active, 1)
            await ctx.tick()
            for n, update in enumerate(updates):
                ctx.set(update.word, int(weights[n]))
                ctx.set(update.winner, int(y[n] != column.none))
                if column.t_in > 1:
                    ctx.set(update.later, int(x > y[n]))
            out.append([ctx.get(update.word_out) for update in updates])
            ctx.set(rule.active, 0)
            await ctx.tick()
            assert [ctx.get(update.word_out) for update in updates] == list(weights)

    simulate(Door(), bench)
    return np.array(out)


def hw_column(
    volleys: np.ndarray, weights: np.ndarray, column: ColumnConfig, learn: bool, **options
) -> tuple[np.ndarray, np.ndarray]:
    """Times and final weights of a lone column."""
    times, final, _, _ = play(Config(column=column), weights, volleys, learn=learn, **options)
    return times, final[0]


def hw_classify(
    times: np.ndarray, rows: np.ndarray, config: tuple[int, int, int], module: ModuleType = readout
) -> list[int]:
    """Classes of winners' times; `config` is columns, q and k. Checks the latency of each."""
    columns, q, k = config
    outputs, classes = rows.shape
    unit = module.Readout(columns, q, k, classes, 8)
    none, out = times.max(), []

    async def bench(ctx):
        ctx.set(unit.write, 1)
        for r, row in enumerate(rows):
            ctx.set(unit.address, r)
            ctx.set(unit.row_in, pack(row.astype(np.int64) & 0xFF, 8))
            await ctx.tick()
        ctx.set(unit.write, 0)
        for wave in times:
            ctx.set(unit.winners, pack(wave != none, 1))
            ctx.set(unit.start, 1)
            clocks = 1
            await ctx.tick()
            ctx.set(unit.start, 0)
            while not ctx.get(unit.done):
                clocks += 1
                await ctx.tick()
            await ctx.tick()
            assert clocks + 1 == readout.readout_cycles(columns, k, classes)
            out.append(ctx.get(unit.best))
        for r in (0, outputs - 1):
            ctx.set(unit.address, r)
            await ctx.tick()
            assert unpack(ctx.get(unit.row), classes, 8) == list(rows[r].astype(np.int64) & 0xFF)

    simulate(unit, bench)
    return out
