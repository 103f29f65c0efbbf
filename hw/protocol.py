"""The UART protocol in front of the streams of a core."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from racewave.golden.layout import Layout
from racewave.hw.executor import Executor, core_ports, length_bits
from racewave.hw.frames import FrameReceiver, FrameSender
from racewave.hw.hierarchy import Unit, place
from racewave.hw.uart import UartReceiver, UartTransmitter

__all__ = ["FrameMemory", "Protocol"]


class FrameMemory(Unit):
    """Payload of the frame being received, and behind it the boot frame; block memory.

    Parameters
    ----------
    buffer : int
        Bytes for payloads.
    boot : bytes
        Contents behind them.

    Members
    -------
    i_address : In(...)
        For writing and reading.
    i_write, i_data : In(1), In(8)
        Write a byte.
    o_data : Out(8)
        The byte at the address, one clock later; unchanged by a write.
    """

    def __init__(self, buffer: int, boot: bytes = b"") -> None:
        self.buffer = buffer
        self.boot = boot
        super().__init__(
            {
                "i_address": In(range(buffer + len(boot) + 1)),
                "i_write": In(1),
                "i_data": In(8),
                "o_data": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=8, depth=self.buffer + len(self.boot), init=[*bytes(self.buffer), *self.boot]
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        data = Signal(8, reset_less=True)
        m.d.comb += [
            write.en.eq(self.i_write),
            write.addr.eq(self.i_address),
            write.data.eq(self.i_data),
            read.addr.eq(self.i_address),
            self.o_data.eq(data),
        ]
        # Never both at once: synthesis needs no logic for a byte read while it is written.
        with m.If(~self.i_write):
            m.d.sync += data.eq(read.data)
        return m


class Protocol(Unit):
    """Answer frames on a UART by playing volleys on a core, loading and reading its weights.

    Half duplex: one frame, then its reply. After reset it waits until the line is quiet, then loads
    the boot rows. docs/uart.md describes the protocol, `racewave.golden.device` is its model.

    Parameters
    ----------
    layout : Layout
        Sizes of volleys, results and rows.
    divisor : int
        Clocks per bit of the line, at least 4.
    boot : bytes
        Packed rows to load from address 0 on after reset.
    quiet_bits : int
        Bit times of silence after which a frame is given up or an error is answered, a power of 2.

    Members
    -------
    rx, tx : In(1), Out(1)
        The line.
    busy : Out(1)
        A frame is executed or answered, or the boot rows are loaded.
    volleys, results, requests, replies, learn, reseed, report, waves, cycles
        The core, see `Network`; `report` of folded cores only.
    """

    def __init__(
        self, layout: Layout, divisor: int, boot: bytes = b"", quiet_bits: int = 1024
    ) -> None:
        self.layout = layout
        self.divisor = divisor
        self.boot = bytes(2) + boot if boot else b""  # as the payload of a frame: address 0, rows
        self.quiet_bits = quiet_bits
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1), **core_ports(layout)}
        )

    def elaborate(self, platform):
        m = Module()
        layout, boot_bytes = self.layout, len(self.boot)

        uart_rx = place(m, "uart_rx", UartReceiver, self.divisor, self.quiet_bits)
        uart_tx = place(m, "uart_tx", UartTransmitter, self.divisor)
        receiver = place(m, "receiver", FrameReceiver, layout.buffer, boot_bytes)
        memory = place(m, "memory", FrameMemory, layout.buffer, self.boot)
        executor = place(m, "executor", Executor, layout)
        sender = place(m, "sender", FrameSender, length_bits(layout))

        # Line to frame to memory.
        m.d.comb += [
            uart_rx.rx.eq(self.rx),
            receiver.i_byte.eq(uart_rx.o_byte),
            receiver.i_valid.eq(uart_rx.o_valid),
            receiver.i_broken.eq(uart_rx.o_broken),
            receiver.i_quiet.eq(uart_rx.o_quiet),
            uart_rx.i_mute.eq(self.busy),
            memory.i_write.eq(receiver.o_write),
            memory.i_address.eq(receiver.o_address),
            memory.i_data.eq(receiver.o_data),
        ]
        # Memory to core.
        m.d.comb += [
            executor.i_frame.eq(receiver.o_frame),
            executor.i_boot.eq(receiver.o_boot),
            executor.i_command.eq(receiver.o_command),
            executor.i_number.eq(receiver.o_number),
            executor.i_end.eq(receiver.o_end),
            receiver.i_refuse.eq(executor.o_refuse),
            receiver.i_refuse_code.eq(executor.o_code),
            receiver.i_rewind.eq(executor.o_rewind),
            receiver.i_next.eq(executor.o_next),
            executor.i_data.eq(memory.o_data),
        ]
        for name in ("volleys", "results", "requests", "replies"):
            inner, outer = getattr(executor, name), getattr(self, name)
            source, sink = (outer, inner) if name in ("results", "replies") else (inner, outer)
            m.d.comb += [
                sink.payload.eq(source.payload),
                sink.valid.eq(source.valid),
                source.ready.eq(sink.ready),
            ]
        m.d.comb += [
            self.learn.eq(executor.learn),
            self.reseed.eq(executor.reseed),
            executor.waves.eq(self.waves),
            executor.cycles.eq(self.cycles),
        ]
        if layout.streams.folded:
            m.d.comb += self.report.eq(executor.report)
        # Reply to line.
        m.d.comb += [
            sender.i_reply.eq(executor.o_reply),
            sender.i_error.eq(receiver.o_error),
            sender.i_code.eq(receiver.o_code),
            sender.i_command.eq(receiver.o_command),
            sender.i_number.eq(receiver.o_number),
            sender.i_length.eq(executor.o_length),
            sender.i.payload.eq(executor.o.payload),
            sender.i.valid.eq(executor.o.valid),
            executor.o.ready.eq(sender.i.ready),
            sender.i_end.eq(executor.o_end),
            uart_tx.i.payload.eq(sender.o.payload),
            uart_tx.i.valid.eq(sender.o.valid),
            sender.o.ready.eq(uart_tx.i.ready),
            executor.i_done.eq(sender.o_done),
            receiver.i_done.eq(sender.o_done | executor.o_booted),
            self.tx.eq(uart_tx.tx),
            self.busy.eq(receiver.o_frame | receiver.o_error),
        ]
        return m
