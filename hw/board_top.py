"""A core behind a UART: everything of a board but its pins."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module
from amaranth.lib.wiring import In, Out, connect

from racewave.golden.errors import BadInput
from racewave.golden.layout import Layout
from racewave.golden.model import Model
from racewave.hw.hierarchy import Library, Unit, place
from racewave.hw.protocol import Protocol
from racewave.hw.verilog import header, text_of, tidy, unit

__all__ = ["BoardTop", "divisor", "export", "parameters"]


def divisor(clock_hz: float, baud: int) -> int:
    """Clocks per bit of a UART.

    Raises
    ------
    BadInput
        The clock is too slow, or no whole number of clocks is within 2 % of a bit.
    """
    clocks = max(4, round(clock_hz / baud))
    if abs(clocks * baud / clock_hz - 1) > 0.02:
        raise BadInput(
            f"baud must be within 2 % of {clock_hz:.0f} Hz / {clocks} = {clock_hz / clocks:.0f}, "
            f"not {baud} (at least 4 clocks per bit)"
        )
    return clocks


class BoardTop(Unit):
    """A core, the UART protocol in front of it, and the rows it starts with.

    No vendor cells: a board adds pins, a clock and perhaps a reset. Spatial hardware is loaded from
    boot rows after every reset. The memories of folded hardware begin with their rows and keep what
    was written and learned through a reset.

    Parameters
    ----------
    layout : Layout
        The network's config and sizes.
    divisor : int
        Clocks per bit of the UART.
    boot : bytes
        Packed rows, weights and then read-out, loaded after reset; without, all are 0 at power-up.
    quiet_bits : int
        See `Protocol`.
    core : tuple
        Class of the core and what it takes, see `racewave.hw.verilog.unit`; by default the
        layout's, all memories 0.

    Members
    -------
    rx, tx : In(1), Out(1)
        UART; idle high.
    busy : Out(1)
        A frame is executed or answered.
    """

    def __init__(
        self,
        layout: Layout,
        divisor: int,
        boot: bytes = b"",
        quiet_bits: int = 1024,
        core: tuple = (),
    ) -> None:
        self.layout = layout
        self.divisor = divisor
        self.boot = boot
        self.quiet_bits = quiet_bits
        self.core = core or unit(layout.config)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        protocol = place(
            m, "protocol", Protocol, self.layout, self.divisor, self.boot, self.quiet_bits
        )
        core = place(m, "network", *self.core)
        if self.layout.streams.folded:
            m.d.comb += core.report.eq(protocol.report)
        for name in ("volleys", "results", "requests", "replies"):
            connect(m, getattr(protocol, name), getattr(core, name))
        m.d.comb += [
            protocol.rx.eq(self.rx),
            self.tx.eq(protocol.tx),
            self.busy.eq(protocol.busy),
            core.start.eq(Const(1)),
            core.learn.eq(protocol.learn),
            core.reseed.eq(protocol.reseed),
            protocol.waves.eq(core.waves),
            protocol.cycles.eq(core.cycles),
        ]
        return m


def parameters(model: Model, clock_hz: float, quiet_bits: int = 1024) -> tuple:
    """What `BoardTop` and `export` take to make a board that starts with a model.

    Parameters
    ----------
    model
        Config, weights to boot with, read-out.
    clock_hz
        Clock of the board; the baud rate is the config's.
    quiet_bits
        See `Protocol`.

    Raises
    ------
    BadInput
        No divisor of the clock gives the baud rate, or a reply would not fit a frame.
    """
    config = model.config
    layout = Layout(config)
    clocks = divisor(clock_hz, config.hardware.baud)
    if layout.streams.folded:
        return layout, clocks, b"", quiet_bits, unit(config, model)
    return layout, clocks, layout.pack_model(model), quiet_bits


def export(layout: Layout, divisor: int, *rest: Any) -> str:
    """Verilog of a board top, without vendor cells; the module's name ends with ``_board``.

    Takes what `BoardTop` takes.
    """
    units, config = Library(), layout.config
    module = f"{config.module_name}_board"
    units.add(BoardTop, layout, divisor, *rest, module=module)
    return header(config) + tidy(text_of(units), units)
