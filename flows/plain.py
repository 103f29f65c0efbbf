"""An ordinary column in Amaranth, without STDP: what racewave's figures are compared with.

Every synapse is a submodule with a weight, a counter and a comparator; every neuron sums its
synapses. Nothing is shared and nothing is written for a particular synthesis tool.
"""

# Amaranth makes the members of a component at run time: no checker sees them.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportArgumentType=false, reportOperatorIssue=false

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from racewave.golden.config import ColumnConfig

__all__ = ["PlainColumn", "text"]


class PlainSynapse(Component):
    """Ramp-no-leak: high for `weight` clocks from the spike on."""

    def __init__(self, w_max: int) -> None:
        self.w_max = w_max
        bits = w_max.bit_length()
        super().__init__(
            {"line": In(1), "clear": In(1), "write": In(1), "weight": In(bits), "o": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        kept, age = Signal(range(self.w_max + 1)), Signal(range(self.w_max + 1))
        with m.If(self.write):
            m.d.sync += kept.eq(self.weight)
        with m.If(self.clear):
            m.d.sync += age.eq(0)
        with m.Elif(self.o):
            m.d.sync += age.eq(age + 1)
        m.d.comb += self.o.eq(self.line & (age < kept))
        return m


class PlainNeuron(Component):
    """p synapses, a sum, a threshold."""

    def __init__(self, column: ColumnConfig) -> None:
        self.column = column
        super().__init__(
            {
                "lines": In(column.p),
                "clear": In(1),
                "write": In(column.p),
                "weight": In(column.w_bits),
                "fire": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column, outputs = self.column, []
        for i in range(column.p):
            m.submodules[f"synapse_{i}"] = synapse = PlainSynapse(column.w_max)
            m.d.comb += [
                synapse.line.eq(self.lines[i]),
                synapse.clear.eq(self.clear),
                synapse.write.eq(self.write[i]),
                synapse.weight.eq(self.weight),
            ]
            outputs.append(synapse.o)
        potential = Signal(range(column.v_max + 1))
        total = Signal(range(column.v_max + 1))
        m.d.comb += [total.eq(potential + sum(outputs)), self.fire.eq(total >= column.theta)]
        m.d.sync += potential.eq(total)
        with m.If(self.clear):
            m.d.sync += potential.eq(0)
        return m


class PlainColumn(Component):
    """q neurons; the first to fire wins, the lowest index among equals."""

    def __init__(self, column: ColumnConfig) -> None:
        self.column = column
        super().__init__(
            {
                "lines": In(column.p),
                "clear": In(1),
                "neuron": In(column.q),
                "synapse": In(column.p),
                "weight": In(column.w_bits),
                "winners": Out(column.q),
                "time": Out(column.time_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column, fires = self.column, []
        for j in range(column.q):
            m.submodules[f"neuron_{j}"] = neuron = PlainNeuron(column)
            m.d.comb += [
                neuron.lines.eq(self.lines),
                neuron.clear.eq(self.clear),
                neuron.write.eq(self.synapse & self.neuron[j].replicate(column.p)),
                neuron.weight.eq(self.weight),
            ]
            fires.append(neuron.fire)
        step = Signal(column.time_bits)
        m.d.sync += step.eq(step + 1)
        fire = Cat(*fires)
        with m.If(self.clear):
            m.d.sync += [self.winners.eq(0), self.time.eq(column.none), step.eq(0)]
        with m.Elif(~self.winners.any() & fire.any()):
            m.d.sync += [self.winners.eq(fire & ~(fire - 1)), self.time.eq(step)]
        return m


def text(column: ColumnConfig) -> str:
    """Its RTLIL, converted the ordinary way."""
    top = PlainColumn(column)
    names = ("lines", "clear", "neuron", "synapse", "weight", "winners", "time")
    return rtlil.convert(top, name="top", ports=[getattr(top, n) for n in names], emit_src=False)


def verilog(column: ColumnConfig) -> str:
    """Its Verilog, written by the same yosys that writes racewave's."""
    from racewave.flows import tools

    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "top.il").write_text(text(column), encoding="utf-8")
        script = "read_rtlil top.il; proc; memory_collect; write_verilog -noattr top.v"
        tools.run("yosys", ["-q", "-p", script], folder, folder / f"log.{os.getpid()}")
        return (folder / "top.v").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(folder)
