"""Units of folded cores behind the signatures of their golden twins.

Every helper takes the module of the unit, so that a test can hand in a mutant.
"""

from __future__ import annotations

import random
from types import ModuleType

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.wiring import Component
from hw_bench import pack, simulate, unpack

from racewave.golden.config import ColumnConfig, ReadoutConfig
from racewave.golden.stage import Stage
from racewave.hw import access, counts, decide, merge, scan, votes
from racewave.hw.counts import count_bits
from racewave.hw.memory import Rows
from racewave.hw.wta import hold_cycles

WATCHDOG = 10_000  # steps of the simulator, a few times what any of these takes


def hw_counts(
    times: np.ndarray,
    weights: np.ndarray,
    column: ColumnConfig,
    stalls: float = 0.0,
    module: ModuleType = counts,
) -> np.ndarray:
    """Sums of a column (weights q x p), wave after wave: waves x q x steps.

    Lines that do not spike are left out, or sent without `hit`; between rows there is noise.
    """
    unit, noise, found = module.Counts(column), random.Random(len(times)), []
    bits = count_bits(column)

    async def clock(ctx, valid: bool, first: bool, hit: bool, row: int, time: int):
        ctx.set(unit.enable, 0)
        while noise.random() < stalls:
            ctx.set(unit.row, noise.getrandbits(len(unit.row)))
            ctx.set(unit.hit, 1)
            await ctx.tick()
        ctx.set(unit.enable, 1)
        ctx.set(unit.valid, valid)
        ctx.set(unit.first, first)
        ctx.set(unit.hit, hit)
        ctx.set(unit.row, row)
        if column.t_in > 1:
            ctx.set(unit.time, time)
        await ctx.tick()

    async def bench(ctx):
        for wave in times:
            lines = [i for i, t in enumerate(wave) if t != column.none or noise.random() < 0.3]
            for n, i in enumerate(lines or [0]):
                while noise.random() < 0.3:
                    await clock(ctx, False, True, True, noise.getrandbits(len(unit.row)), 0)
                hit = bool(wave[i] != column.none)
                row = pack(weights[:, i], column.w_bits)
                await clock(ctx, True, n == 0, hit, row, int(wave[i]) if hit else 0)
            await clock(ctx, False, True, True, noise.getrandbits(len(unit.row)), 0)
            sums = unpack(ctx.get(unit.counts), column.q * column.steps, bits)
            found.append(np.reshape(sums, (column.q, column.steps)))

    simulate(unit, bench, watchdog=WATCHDOG)
    return np.array(found)


def hw_decide(
    added: np.ndarray, column: ColumnConfig, module: ModuleType = decide
) -> tuple[np.ndarray, list[int]]:
    """Winners' times for the sums of columns (columns x q x steps), and clocks of each."""
    unit, pauses, found, clocks = module.Decide(column), random.Random(len(added)), [], []
    bits = count_bits(column)

    async def bench(ctx):
        for sums in added:
            ctx.set(unit.counts, pack(sums.reshape(-1), bits))
            ctx.set(unit.full, 1)
            while not ctx.get(unit.take):
                await ctx.tick()
            await ctx.tick()
            ctx.set(unit.release, 0)
            ctx.set(unit.full, pauses.random() < 0.5)  # the next column may wait already
            ctx.set(unit.counts, pauses.getrandbits(len(unit.counts)))
            spent = 1
            while not ctx.get(unit.done):
                assert not ctx.get(unit.take)
                spent += 1
                await ctx.tick()
            while pauses.random() < 0.5:
                assert not ctx.get(unit.take)
                await ctx.tick()
            found.append(unpack(ctx.get(unit.times), column.q, column.time_bits))
            winners = unpack(ctx.get(unit.winners), column.q, 1)
            assert winners == [int(t != column.none) for t in found[-1]]
            clocks.append(spent)
            ctx.set(unit.release, 1)
            ctx.set(unit.full, 0)
            if pauses.random() < 0.5:
                await ctx.tick()
                ctx.set(unit.release, 0)

    simulate(unit, bench, watchdog=WATCHDOG + 200 * len(added))
    assert max(clocks) <= column.steps + 3 + hold_cycles(column)
    return np.array(found), clocks


class Kept(Rows):
    """Rows whose memory a bench may look into."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.memory = m.submodules.memory
        return m


def hw_votes(
    times: np.ndarray,
    rows: list[int],
    readout: ReadoutConfig,
    column: ColumnConfig,
    codes: tuple[int, ...] = (),
    labels: np.ndarray | None = None,
    module: ModuleType = votes,
) -> tuple[np.ndarray, list[int]]:
    """Sums of every wave (waves x classes) and the rows at the end; `times` waves x outputs."""
    q, none = column.q, column.none
    columns = times.shape[1] // q
    bits = votes.VotesShape.sum_bits(readout, columns * column.k)
    shape = (readout, columns, q, column.k, codes, column.time_bits, bits)
    unit = module.Votes(*shape)
    width = votes.VotesShape.row_bits(readout)
    memory = Kept(width, len(rows), unit.voter, tuple(rows))
    sums: list[list[int]] = []
    left: list[int] = []
    pauses = random.Random(len(times))
    waves = times.reshape(len(times), columns, q)

    class Pair(Component):
        def __init__(self):
            super().__init__({})

        def elaborate(self, platform):
            m = Module()
            m.submodules.votes, m.submodules.memory = unit, memory
            m.d.comb += [memory.read.eq(1), memory.address.eq(unit.address)]
            m.d.comb += unit.row.eq(memory.row)
            if unit.voter:
                m.d.comb += [
                    memory.write.eq(unit.write),
                    memory.write_address.eq(unit.write_address),
                    memory.write_row.eq(unit.write_row),
                ]
            return m

    async def start(ctx, wave: int, c: int):
        if unit.voter:
            label = -1 if labels is None else int(labels[wave])
            ctx.set(unit.known, label >= 0)
            ctx.set(unit.label, max(label, 0))
        ctx.set(unit.winners, pack(waves[wave, c] != none, 1))
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.times, pack(waves[wave, c], column.time_bits))
        ctx.set(unit.winners, pauses.getrandbits(q))
        ctx.set(unit.start, 0)

    async def bench(ctx):
        begun = False  # the first column of the wave is there already
        for wave in range(len(waves)):
            for c in range(columns):
                if not begun:
                    await start(ctx, wave, c)
                begun = False
                clocks = 0
                while ctx.get(unit.busy):
                    assert not ctx.get(unit.finished)
                    clocks += 1
                    await ctx.tick()
                assert clocks <= (waves[wave, c] != none).sum() + 3
            assert ctx.get(unit.finished)
            if wave + 1 < len(waves) and pauses.random() < 0.5:
                begun = True
                await start(ctx, wave + 1, 0)
            sums.append([])
            for number in range(readout.classes):
                ctx.set(unit.number, number)
                await ctx.tick()
                sums[-1].append(ctx.get(unit.sum))
            assert ctx.get(unit.finished)
            ctx.set(unit.take, 1)
            await ctx.tick()
            ctx.set(unit.take, 0)
        await ctx.tick()
        left.extend(ctx.get(memory.memory.data[address]) for address in range(len(rows)))

    simulate(Pair(), bench, watchdog=WATCHDOG)
    return np.array(sums), left


def hw_argmax(sums: np.ndarray, bits: int, module: ModuleType = merge) -> list[int]:
    """Class of the largest sum: waves x engines x classes in, waves out. Checks the latency."""
    _, engines, classes = sums.shape
    unit, found = module.Argmax(engines, classes, bits), []
    levels = (engines - 1).bit_length()

    async def bench(ctx):
        for wave in sums:
            ctx.set(unit.start, 1)
            clocks, asked = 0, 0
            while not ctx.get(unit.done):
                column = [int(v) & ((1 << bits) - 1) for v in wave[:, asked % classes]]
                ctx.set(unit.sums, pack(column, bits))
                asked = ctx.get(unit.number)
                clocks += 1
                await ctx.tick()
            assert clocks == classes + levels + 2
            found.append(ctx.get(unit.best))
            ctx.set(unit.start, len(found) % 2)  # at once, or after a while
            await ctx.tick()

    simulate(unit, bench, watchdog=WATCHDOG)
    return found


def hw_merge(
    words: list[list[int]], bits: int, stalls: float, module: ModuleType = merge
) -> list[int]:
    """Words of several streams in the order in which they come out of one."""
    unit, found = module.Merge(len(words), bits), []
    total = sum(map(len, words))

    def sender(n: int):
        async def send(ctx):
            pauses = random.Random(n)
            for word in words[n]:
                while pauses.random() < stalls:
                    await ctx.tick()
                ctx.set(unit.i[n].payload, word)
                ctx.set(unit.i[n].valid, 1)
                while not ctx.get(unit.i[n].ready):
                    await ctx.tick()
                await ctx.tick()
                ctx.set(unit.i[n].valid, 0)

        return send

    async def bench(ctx):
        pauses = random.Random(99)
        while len(found) < total:
            ready = pauses.random() >= stalls
            ctx.set(unit.o.ready, ready)
            if ready and ctx.get(unit.o.valid):
                found.append(ctx.get(unit.o.payload))
            await ctx.tick()
        ctx.set(unit.o.ready, 1)
        assert not ctx.get(unit.o.valid)

    simulate(unit, bench, *(sender(n) for n in range(len(words))), watchdog=WATCHDOG)
    return found


def hw_access(
    banks: tuple[int, ...], orders: list[tuple[int, int | None]], module: ModuleType = access
) -> tuple[list[int], list[list[int]]]:
    """Replies to requests (address, row or None to read), and what the banks hold at the end."""
    rows, bits = sum(banks), 8
    address_bits = max(1, rows.bit_length())
    unit = module.Access(banks, address_bits, bits)
    memory = [[0] * size for size in banks]
    replies: list[int] = []
    pauses = random.Random(len(orders))

    async def memories(ctx):
        while True:
            shown, target = 0, ctx.get(unit.target)
            if ctx.get(unit.on):
                hit = [n for n in range(len(banks)) if target >> n & 1]
                assert len(hit) < 2
                for n in hit:
                    if ctx.get(unit.write):
                        memory[n][ctx.get(unit.address)] = ctx.get(unit.row)
                    shown = memory[n][ctx.get(unit.address)]
            await ctx.tick()
            ctx.set(unit.shown, shown)

    async def receiver(ctx):
        while True:
            ready = pauses.random() < 0.5
            ctx.set(unit.replies.ready, ready)
            if ready and ctx.get(unit.replies.valid):
                replies.append(ctx.get(unit.replies.payload))
            await ctx.tick()

    async def bench(ctx):
        reads = 0
        for address, row in orders:
            word = address << bits | (0 if row is None else row | 1 << (bits + address_bits))
            reads += row is None
            ctx.set(unit.requests.payload, word)
            ctx.set(unit.requests.valid, 1)
            quiet = 0
            while not ctx.get(unit.requests.ready):
                assert quiet or not ctx.get(unit.on)
                now = pauses.random() < 0.5
                quiet |= now
                ctx.set(unit.quiet, now)
                await ctx.tick()
            await ctx.tick()
            ctx.set(unit.requests.valid, 0)
            ctx.set(unit.quiet, 0)
            await ctx.tick()
        while len(replies) < reads:
            await ctx.tick()

    simulate(unit, bench, memories, receiver, watchdog=WATCHDOG)
    return replies, memory


def hw_scan(
    stage: Stage,
    columns: int,
    engine: int,
    volleys: np.ndarray,
    learn: bool,
    stalls: float,
    module: ModuleType = scan,
) -> list[list[tuple]]:
    """Events of every wave: (walk, row, time, first, last) of lines, in their order.

    `volleys` are spike times, waves x lines. Row is -1 where an event only ends a column; time is
    None for a line that did not spike.
    """
    unit = module.Scan(stage, columns, learn)
    bits = scan.code_bits(stage.column.t_in)
    none, pauses = stage.column.none, random.Random(len(volleys))
    words = [
        [
            pack([0 if t == none else 1 | int(t) << 1 if bits > 1 else 1 for t in row], bits)
            for row in volley.reshape(stage.source_grid[0], -1)
        ]
        for volley in volleys
    ]
    half_bit = len(unit.address) - 1
    store: list[list[int]] = [[], []]
    waves: list[list[tuple]] = []
    where = scan.origins(stage, columns, engine)

    async def memory(ctx):
        while True:
            held = pauses.random() < stalls
            ctx.set(unit.held, held)
            word = None
            if ctx.get(unit.read):
                assert not held
                address = ctx.get(unit.address)
                row = address & ((1 << half_bit) - 1)
                word = store[address >> half_bit][row]
            await ctx.tick()
            if word is not None:
                ctx.set(unit.word, word)

    async def bench(ctx):
        for name, value in where.items():
            ctx.set(getattr(unit, f"origin_{name}"), value)
        for wave, rows in enumerate(words):
            half = wave * 3 // 2 % 2
            store[half] = rows
            if not learn:  # the next wave begins while the last events are on their way
                store[1 - half] = [pauses.getrandbits(len(unit.word)) for _ in rows]
            waves.append([])
            ctx.set(unit.half, half)
            ctx.set(unit.begin, 1)
            if learn:
                ctx.set(unit.learn, 1)
            await ctx.tick()
            ctx.set(unit.begin, 0)
            if learn:
                ctx.set(unit.learn, 0)
            left = columns  # columns whose last event has not come
            updates = columns if learn else 0
            ended, known, updated, grace = 0, False, False, 0
            while left or updates:
                enable = pauses.random() >= stalls
                ctx.set(unit.enable, enable)
                if learn:
                    if not known and ended and pauses.random() < 0.3:
                        known, ended = True, ended - 1
                    ctx.set(unit.known, known)
                    ctx.set(unit.updated, updated)
                    if updated:
                        known, updated = False, False
                if enable and ctx.get(unit.valid):
                    last = ctx.get(unit.last)
                    update = bool(ctx.get(unit.update))
                    assert known or not update
                    spike = bool(ctx.get(unit.spike))
                    time = (ctx.get(unit.time) if bits > 1 else 0) if spike else None
                    row = ctx.get(unit.row) if ctx.get(unit.hit) else -1
                    waves[-1].append(
                        ("update" if update else "scan", row, time, ctx.get(unit.first), last)
                    )
                    if last and update:
                        updates -= 1
                        updated = True
                    elif last:
                        left -= 1
                        ended += 1
                await ctx.tick()
                grace += 1
            if learn:
                ctx.set(unit.known, known)
                ctx.set(unit.updated, updated)
                await ctx.tick()
                ctx.set(unit.known, 0)
                ctx.set(unit.updated, 0)
            assert ctx.get(unit.done)

    simulate(unit, bench, memory, watchdog=3 * WATCHDOG)
    return waves


def scan_events(
    stage: Stage, columns: int, engine: int, volleys: np.ndarray, learn: bool
) -> list[list[tuple]]:
    """What `hw_scan` must see."""
    none, p = stage.column.none, stage.column.p
    fields = stage.field_lines()[columns * engine :][:columns]
    width = stage.field[1] * stage.channels
    waves = []
    for volley in volleys:

        def times(c: int, volley=volley) -> list[int | None]:
            return [None if volley[i] == none else int(volley[i]) for i in fields[c]]

        def mark(walk: str, lines: list[tuple]) -> list[tuple]:
            ends = range(len(lines))
            return [(walk, *line, int(n == 0), int(n == ends[-1])) for n, line in enumerate(lines)]

        def scanned(c: int) -> list[tuple]:
            found = times(c)
            lines = [(c * p + i, t) for i, t in enumerate(found) if t is not None]
            if all(t is None for t in found[-width:]):
                lines.append((-1, None))
            return mark("scan", lines)

        def updated(c: int) -> list[tuple]:
            return mark("update", [(c * p + i, t) for i, t in enumerate(times(c))])

        events = []
        for c in range(columns):
            events += scanned(c)
            if learn and c:
                events += updated(c - 1)
        if learn:
            events += updated(columns - 1)
        waves.append(events)
    return waves
