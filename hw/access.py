"""Weight requests of a folded core: find the memory that holds a row, then read or write it."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit
from racewave.hw.scan import bits_for

__all__ = ["Access"]


class Access(Unit):
    """Looks for the bank of an address, one bank per clock, beginning where the last request ended.

    A write takes 3 clocks, a read 4, in the bank of the request before or the next one.

    Parameters
    ----------
    banks : tuple[int, ...]
        Rows of every bank; their addresses follow each other.
    address_bits, row_bits : int
        Bits of an address and of a row.

    Members
    -------
    requests, replies : In(stream), Out(stream)
        {write, address, row}, row in the low bits; the row.
    quiet : In(1)
        Nothing is under way.
    on : Out(1)
        The memories are in use.
    target, address, row, write : Out(banks), Out, Out, Out(1)
        Bank, one-hot; row in it; bits to write.
    shown : In(row_bits)
        The row, one clock after its address.
    """

    def __init__(self, banks: tuple[int, ...], address_bits: int, row_bits: int):
        self.banks = banks
        self.address_bits, self.row_bits = address_bits, row_bits
        super().__init__(
            {
                "requests": In(stream.Signature(1 + address_bits + row_bits)),
                "replies": Out(stream.Signature(row_bits)),
                "quiet": In(1),
                "on": Out(1),
                "target": Out(len(banks)),
                "address": Out(bits_for(max(banks))),
                "row": Out(row_bits),
                "write": Out(1),
                "shown": In(row_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        wanted = self.requests.payload[self.row_bits : -1]
        write = self.requests.payload[-1]
        bank = Signal(range(len(self.banks) + 1))  # one more: beyond the last row
        base = Signal(range(sum(self.banks) + 1))
        rest = Signal(self.address_bits + 1)
        size = Signal(range(max(self.banks) + 1))
        beyond = Signal()
        m.d.comb += [
            rest.eq(wanted - base),
            size.eq(Array([*self.banks, 0])[bank]),
            beyond.eq(bank == len(self.banks)),
            self.row.eq(self.requests.payload[: self.row_bits]),
        ]
        with m.If(self.replies.ready):
            m.d.sync += self.replies.valid.eq(0)
        with m.FSM(name="access"):
            with m.State("IDLE"):
                room = write | ~self.replies.valid | self.replies.ready
                with m.If(self.requests.valid & self.quiet & room):
                    m.next = "SEARCH"
            with m.State("SEARCH"):
                m.d.comb += self.on.eq(1)
                m.d.sync += self.address.eq(rest)
                with m.If(wanted < base):
                    m.d.sync += [bank.eq(0), base.eq(0)]
                with m.Elif((rest < size) | beyond):
                    m.next = "ACT"
                with m.Else():
                    m.d.sync += [bank.eq(bank + 1), base.eq(base + size)]
            with m.State("ACT"):
                m.d.comb += [self.on.eq(1), self.write.eq(write)]
                m.d.comb += self.target.bit_select(bank, 1).eq(~beyond)
                with m.If(write):
                    m.d.comb += self.requests.ready.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "SHOW"
            with m.State("SHOW"):
                m.d.comb += [self.on.eq(1), self.requests.ready.eq(1)]
                m.d.sync += [self.replies.valid.eq(1), self.replies.payload.eq(self.shown)]
                m.next = "IDLE"
        return m
