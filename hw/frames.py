"""Both ends of the frame codec: bytes to checked frames, replies to bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from racewave.golden.frames import ERROR, REPLY, START, Code, Command
from racewave.hw.hierarchy import Unit

__all__ = ["FrameReceiver", "FrameSender", "crc16"]


def crc16(crc: Value, byte: Value) -> Value:
    """Add a byte to a CRC-16/CCITT-FALSE, as `racewave.golden.frames.crc16` does."""
    x = crc[8:] ^ byte
    x = Cat(x[:4] ^ x[4:], x[4:])
    return (Cat(0, 0, 0, 0, 0, 0, 0, 0, crc[:8]) ^ (x << 12) ^ (x << 5) ^ x)[:16]


class FrameReceiver(Unit):
    """Collect frames: the payload in a memory, the header in registers.

    A complete frame with the right check is offered as `o_frame` until it is answered (`i_done`)
    or refused (`i_refuse`); meanwhile its payload can be read, byte by byte, as often as needed.
    Every error makes the receiver deaf until the line is quiet; then `o_error` asks for an error
    reply, until `i_done`. At reset it waits for quiet, too; then it offers the boot rows, if any,
    as a frame with `o_boot`.

    Parameters
    ----------
    buffer : int
        Longest payload in bytes, a power of two.
    boot_bytes : int
        Payload of the boot frame, which lies in the memory from address `buffer` on; 0: no boot.

    Members
    -------
    i_byte, i_valid : In(8), In(1)
        A byte of the line; one clock.
    i_broken, i_quiet : In(1)
        A byte without stop bit; the line is quiet.
    o_write, o_address, o_data : Out(1), Out(...), Out(8)
        To the payload memory, for writing and reading.
    o_frame, o_boot : Out(1)
        A frame waits; it is the boot frame.
    o_command, o_number : Out(3), Out(8)
        Its command (0: unknown) and its number.
    i_rewind, i_next : In(1)
        Go to the first byte of its payload, to the next one.
    o_end : Out(1)
        There is none.
    i_refuse, i_refuse_code : In(1), In(4)
        The frame is refused; one clock.
    o_error, o_code : Out(1), Out(4)
        An error reply is due.
    i_done : In(1)
        The last byte of the reply is on its way; one clock.
    """

    def __init__(self, buffer: int, boot_bytes: int = 0) -> None:
        self.buffer = buffer
        self.boot_bytes = boot_bytes
        super().__init__(
            {
                "i_byte": In(8),
                "i_valid": In(1),
                "i_broken": In(1),
                "i_quiet": In(1),
                "o_write": Out(1),
                "o_address": Out(range(buffer + boot_bytes + 1), init=buffer if boot_bytes else 0),
                "o_data": Out(8),
                "o_frame": Out(1),
                "o_boot": Out(1),
                "o_command": Out(3, init=Command.WRITE if boot_bytes else 0),
                "o_number": Out(8),
                "i_rewind": In(1),
                "i_next": In(1),
                "o_end": Out(1),
                "i_refuse": In(1),
                "i_refuse_code": In(4),
                "o_error": Out(1),
                "o_code": Out(4),
                "i_done": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        byte = self.i_byte
        crc, next_crc = Signal(16, reset_less=True), Signal(16)
        address = self.o_address
        end = Signal.like(address, init=self.buffer + self.boot_bytes if self.boot_bytes else 0)
        booting = Signal(init=self.boot_bytes > 0)
        interrupted = Signal()

        m.d.comb += [
            next_crc.eq(crc16(crc, byte)),
            self.o_data.eq(byte),
            self.o_boot.eq(booting),
            self.o_end.eq(address == end),
        ]

        def fail(code: Code) -> None:
            m.d.sync += self.o_code.eq(code)
            m.next = "DEAF"

        @contextmanager
        def field(name: str, then: str) -> Iterator[None]:
            """Declare a state that waits for a byte within a frame."""
            with m.State(name):
                with m.If(self.i_valid):
                    m.d.sync += crc.eq(next_crc)
                    m.next = then
                    yield
                with m.If(self.i_broken):
                    fail(Code.LINE)
                with m.Elif(self.i_quiet):
                    fail(Code.TIMEOUT)

        def wait_for_answer() -> None:
            """Go on when the reply is sent: to the next frame, unless bytes came meanwhile."""
            arrived = interrupted | self.i_valid | self.i_broken
            m.d.sync += interrupted.eq(arrived)
            with m.If(self.i_done):
                m.d.sync += [booting.eq(0), self.o_code.eq(0)]
                m.next = "START"
                with m.If(arrived):
                    fail(Code.BUSY)

        with m.FSM(init="DEAF"):
            with m.State("DEAF"):
                m.d.sync += interrupted.eq(0)
                with m.If(self.i_quiet):
                    m.next = "ERROR"
                    with m.If(self.o_code == 0):  # only after reset
                        m.next = "START"
                    with m.If(booting):
                        m.next = "FRAME"
            with m.State("START"):
                m.d.sync += [crc.eq(-1), address.eq(0)]
                with m.If(self.i_valid):
                    m.next = "COMMAND"
                    with m.If(byte != START):
                        fail(Code.START)
                with m.If(self.i_broken):
                    fail(Code.LINE)
            with field("COMMAND", "NUMBER"):
                known = (byte >= min(Command)) & (byte <= max(Command))
                m.d.sync += self.o_command.eq(Mux(known, byte, 0))
            with field("NUMBER", "LENGTH_LOW"):
                m.d.sync += self.o_number.eq(byte)
            with field("LENGTH_LOW", "LENGTH_HIGH"):
                m.d.sync += end[:8].eq(byte)
            with field("LENGTH_HIGH", "MORE"):
                m.d.sync += end[8:].eq(byte)
                length, top = Cat(end[:8], byte), exact_log2(self.buffer)
                with m.If(length[top + 1 :].any() | (length[top] & length[:top].any())):
                    fail(Code.OVERSIZE)
            with m.State("MORE"):
                m.next = "PAYLOAD"
                with m.If(self.o_end):
                    m.next = "CRC_HIGH"
            with field("PAYLOAD", "MORE"):
                m.d.comb += self.o_write.eq(1)
                m.d.sync += address.eq(address + 1)
            with field("CRC_HIGH", "CRC_LOW"):
                pass
            with field("CRC_LOW", "FRAME"), m.If(next_crc != 0):
                fail(Code.CRC)
            with m.State("FRAME"):
                m.d.comb += self.o_frame.eq(1)
                with m.If(self.i_rewind):
                    m.d.sync += address.eq(Mux(booting, self.buffer, 0))
                with m.Elif(self.i_next):
                    m.d.sync += address.eq(address + 1)
                wait_for_answer()
                with m.If(self.i_refuse):
                    m.d.sync += self.o_code.eq(self.i_refuse_code)
                    m.next = "DEAF"
            with m.State("ERROR"):
                m.d.comb += self.o_error.eq(1)
                wait_for_answer()

        return m


class FrameSender(Unit):
    """Send replies: header, payload as it comes, check.

    Parameters
    ----------
    length_bits : int
        Bits of the length of a reply, at most 16.

    Members
    -------
    i_reply, i_error : In(1)
        Send the reply to the frame, or an error reply; until `o_done`.
    i_code : In(4)
        Payload of an error reply.
    i_command, i_number, i_length : In(3), In(8), In(length_bits)
        Header of a reply.
    i : In(stream.Signature(8))
        Its payload.
    i_end : In(1)
        No more payload.
    o : Out(stream.Signature(8))
        Bytes for the line.
    o_done : Out(1)
        The last byte is taken; one clock.
    """

    def __init__(self, length_bits: int = 16) -> None:
        self.length_bits = length_bits
        super().__init__(
            {
                "i_reply": In(1),
                "i_error": In(1),
                "i_code": In(4),
                "i_command": In(3),
                "i_number": In(8),
                "i_length": In(length_bits),
                "i": In(stream.Signature(8)),
                "i_end": In(1),
                "o": Out(stream.Signature(8)),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        byte, length = self.o.payload, Signal(16)
        crc = Signal(16, reset_less=True)
        sent = self.o.valid & self.o.ready

        m.d.comb += length.eq(Mux(self.i_error, 1, self.i_length))
        with m.If(sent):
            m.d.sync += crc.eq(crc16(crc, byte))

        @contextmanager
        def field(name: str, value: ValueLike, then: str) -> Iterator[None]:
            """Declare a state that sends a byte."""
            with m.State(name):
                m.d.comb += [self.o.valid.eq(1), byte.eq(value)]
                with m.If(sent):
                    m.next = then
                    yield

        with m.FSM():
            with m.State("START"):
                m.d.comb += [self.o.valid.eq(self.i_reply | self.i_error), byte.eq(START)]
                with m.If(sent):
                    m.d.sync += crc.eq(-1)
                    m.next = "COMMAND"
            command = Mux(self.i_error, ERROR, REPLY | self.i_command)
            with field("COMMAND", command, "NUMBER"):
                pass
            with field("NUMBER", self.i_number, "LENGTH_LOW"):
                pass
            with field("LENGTH_LOW", length[:8], "LENGTH_HIGH"):
                pass
            with field("LENGTH_HIGH", length[8:], "PAYLOAD"):
                pass
            with m.State("PAYLOAD"):
                with m.If(self.i_error):
                    m.d.comb += [self.o.valid.eq(1), byte.eq(self.i_code)]
                    with m.If(sent):
                        m.next = "CRC_HIGH"
                with m.Elif(self.i_end):
                    m.next = "CRC_HIGH"
                with m.Else():
                    m.d.comb += [
                        self.o.valid.eq(self.i.valid),
                        byte.eq(self.i.payload),
                        self.i.ready.eq(self.o.ready),
                    ]
            # Sending the high byte shifts the low one up: a CRC over itself.
            with field("CRC_HIGH", crc[8:], "CRC_LOW"):
                pass
            with field("CRC_LOW", crc[8:], "START"):
                m.d.comb += self.o_done.eq(1)
        return m
