"""Linear read-out: every winner selects a row of weights, the largest sum is the class."""

import itertools

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit
from racewave.hw.wta import lowest

__all__ = ["Readout", "readout_cycles"]


def readout_cycles(columns: int, k: int, classes: int) -> int:
    """Clocks from `start` to `done`, both included."""
    return columns * k + classes + 3


class Readout(Unit):
    """One row of weights per output in a block memory, k slots per column, then the largest sum.

    Latency `readout_cycles`, whoever wins; one wave at a time. Rows can be read and written between
    waves.

    Parameters
    ----------
    columns, q, k : int
        Columns, neurons and winners of each.
    classes, bits : int
        Classes and bits of a weight (two's complement).
    rows : tuple[int, ...]
        Rows at power-up: class 0 in the low bits; output 0 first.

    Members
    -------
    start : In(1)
        Winners are final.
    winners : In(columns * q)
        Winners of every column; stable until `done`.
    done : Out(1)
        The class is known from the next clock on.
    best : Out
        Class, stable until the next `start`.
    address, row_in, write : In
        Row to read or write while no read-out is under way.
    row : Out(classes * bits)
        Row at `address`, one clock later.
    """

    def __init__(
        self, columns: int, q: int, k: int, classes: int, bits: int, rows: tuple[int, ...] = ()
    ):
        self.columns, self.q, self.k = columns, q, k
        self.classes, self.bits = classes, bits
        self.rows = rows
        super().__init__(
            {
                "start": In(1),
                "winners": In(columns * q),
                "done": Out(1),
                "best": Out(range(classes)),
                "address": In(range(columns * q)),
                "row_in": In(classes * bits),
                "write": In(1),
                "row": Out(classes * bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        q, k, classes = self.q, self.k, self.classes

        m.submodules.memory = memory = Memory(
            shape=classes * self.bits, depth=self.columns * q, init=self.rows
        )
        writer = memory.write_port()
        reader = memory.read_port()
        scan = Signal(range(self.columns * q))
        scanning = Signal()
        m.d.comb += [
            writer.addr.eq(self.address),
            writer.data.eq(self.row_in),
            writer.en.eq(self.write),
            reader.addr.eq(self.address),
            reader.en.eq(1),
            self.row.eq(reader.data),
        ]
        with m.If(scanning):
            m.d.comb += reader.addr.eq(scan)

        # Clock 1 of a slot: the column's winners that are left. Clock 2: the row of the lowest.
        # Clock 3: add the row.
        column = Signal(range(self.columns))
        slot = Signal(range(k))
        base = Signal.like(scan)
        left = Signal(q)
        left_base = Signal.like(scan)
        left_valid = Signal()
        found = Signal()
        pick = Signal(q)
        place = Signal(range(q))
        m.d.comb += [
            pick.eq(lowest(left)),
            place.eq(
                Cat(Cat(pick[j] for j in range(q) if j >> b & 1).any() for b in range(len(place)))
            ),
            scan.eq(left_base + place),
        ]
        m.d.sync += [
            left_base.eq(base),
            left_valid.eq(scanning),
            found.eq(left_valid & left.any()),
        ]
        with m.If(slot == 0):
            m.d.sync += left.eq(self.winners.word_select(column, q))
        with m.Else():
            m.d.sync += left.eq(left & ~pick)

        sum_bits = self.bits + (self.columns * k - 1).bit_length()
        sums = [Signal(signed(sum_bits), name=f"sum_{n}") for n in range(classes)]
        with m.If(found):
            for n, total in enumerate(sums):
                m.d.sync += total.eq(total + reader.data.word_select(n, self.bits).as_signed())

        number = Signal(range(classes))
        largest = Signal(signed(sum_bits))
        with m.FSM(name="readout"):
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [total.eq(0) for total in sums]
                m.d.sync += [column.eq(0), slot.eq(0), base.eq(0), number.eq(0)]
                m.next = "SCAN"
            with m.State("SCAN"):
                m.d.comb += scanning.eq(1)
                with m.If(slot == k - 1):
                    m.d.sync += [slot.eq(0), column.eq(column + 1), base.eq(base + q)]
                    with m.If(column == self.columns - 1):
                        m.next = "DRAIN_1"
                with m.Else():
                    m.d.sync += slot.eq(slot + 1)
            with m.State("DRAIN_1"):
                m.d.comb += scanning.eq(1)
                m.next = "DRAIN_2"
            with m.State("DRAIN_2"):
                m.next = "ARGMAX"
            with m.State("ARGMAX"):
                m.d.sync += [a.eq(b) for a, b in itertools.pairwise(sums)]
                with m.If((number == 0) | (sums[0] > largest)):
                    m.d.sync += [largest.eq(sums[0]), self.best.eq(number)]
                m.d.sync += number.eq(number + 1)
                with m.If(number == classes - 1):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m
