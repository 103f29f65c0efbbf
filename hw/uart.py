"""UART, 8 data bits, no parity, one stop bit, low bit first."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit

__all__ = ["UartReceiver", "UartTransmitter", "check_divisor"]


def check_divisor(divisor: int) -> int:
    """Return `divisor` if a UART can work with it.

    Raises
    ------
    ValueError
        Fewer than 4 clocks per bit.
    """
    if divisor < 4:
        raise ValueError(f"divisor must be at least 4 (clocks per bit), not {divisor}")
    return divisor


class UartReceiver(Unit):
    """Turn a line into bytes, each bit sampled at its centre.

    Latency: a byte appears for one clock at the centre of its stop bit. A line that is high again
    at the centre of the start bit was only disturbed. After a byte without stop bit the next start
    bit is looked for once the line has been high.

    Parameters
    ----------
    divisor : int
        Clocks per bit, at least 4.
    quiet_bits : int
        Bit times of silence until `o_quiet`, a power of two.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o_byte, o_valid : Out(8), Out(1)
        A byte; one clock.
    o_broken : Out(1)
        A byte had no stop bit; one clock.
    i_mute : In(1)
        Silence does not count.
    o_quiet : Out(1)
        The line has been high, and silence counted, for `quiet_bits` bit times.
    """

    def __init__(self, divisor: int, quiet_bits: int = 1024) -> None:
        self.divisor = check_divisor(divisor)
        if quiet_bits < 1 or quiet_bits & (quiet_bits - 1):
            raise ValueError(f"quiet_bits must be a power of two, not {quiet_bits}")
        self.quiet_bits = quiet_bits
        super().__init__(
            {
                "rx": In(1, init=1),
                "o_byte": Out(8),
                "o_valid": Out(1),
                "o_broken": Out(1),
                "i_mute": In(1),
                "o_quiet": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        early = Signal(init=1, reset_less=True)  # may be metastable
        line = Signal(init=1, reset_less=True)
        before = Signal(init=1, reset_less=True)
        active = Signal()
        timer = Signal(range(self.divisor), reset_less=True)  # from the edge of a bit
        tick = Signal()
        # Start bit and data. The start bit, a zero, tells by its arrival that all are there.
        bits = Signal(9, init=-1, reset_less=True)
        silence = Signal(self.quiet_bits.bit_length())

        m.d.comb += tick.eq(timer == self.divisor // 2 - 1)
        m.d.sync += [early.eq(self.rx), line.eq(early), before.eq(line), timer.eq(timer + 1)]
        with m.If(timer == self.divisor - 1):
            m.d.sync += timer.eq(0)
        with m.If(~active):
            m.d.sync += bits.eq(-1)
            with m.If(before & ~line):
                m.d.sync += [active.eq(1), timer.eq(0)]
        with m.Elif(tick):
            m.d.sync += bits.eq(Cat(bits[1:], line))
            with m.If(~bits[0]):
                m.d.sync += active.eq(0)
                m.d.comb += [self.o_valid.eq(line), self.o_broken.eq(~line)]
            with m.Elif(bits.all() & line):
                m.d.sync += active.eq(0)

        with m.If(active | ~line | self.i_mute):
            m.d.sync += silence.eq(0)
        with m.Elif(tick & ~self.o_quiet):
            m.d.sync += silence.eq(silence + 1)

        m.d.comb += [self.o_byte.eq(bits[1:]), self.o_quiet.eq(silence[-1])]
        return m


class UartTransmitter(Unit):
    """Send bytes on a line.

    Throughput: one byte in 10 bit times. A byte is taken when its start bit begins.

    Parameters
    ----------
    divisor : int
        Clocks per bit, at least 4.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes.
    tx : Out(1)
        The line, high at reset.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()

        timer = Signal(range(self.divisor), reset_less=True)
        tick = Signal()
        # What is still to be sent; the topmost one is the stop bit, with zeros above it.
        bits = Signal(10, init=1)
        last = Signal()

        m.d.comb += [tick.eq(timer == self.divisor - 1), last.eq(bits[1:] == 0)]
        m.d.sync += timer.eq(timer + 1)
        with m.If(tick):
            m.d.sync += timer.eq(0)
            with m.If(~last):
                m.d.sync += bits.eq(bits[1:])
            with m.Elif(self.i.valid):
                m.d.sync += bits.eq(Cat(0, self.i.payload, 1))

        m.d.comb += [self.i.ready.eq(tick & last), self.tx.eq(bits[0])]
        return m
