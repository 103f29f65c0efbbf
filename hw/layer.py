"""A layer: columns on receptive fields of the same lines, with one random generator for all."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.column import Column
from racewave.hw.hierarchy import Unit, place
from racewave.hw.line import Lines
from racewave.hw.stdp import Decisions
from racewave.hw.synapse import ages

__all__ = ["Layer"]


def gather(bits: Value, lines: Sequence[int]) -> Value:
    """Pick the bits of a receptive field, in runs of neighbours."""
    parts, start = [], 0
    for n in range(1, len(lines) + 1):
        if n == len(lines) or lines[n] != lines[n - 1] + 1:
            parts.append(bits[lines[start] : lines[n - 1] + 1])
            start = n
    return Cat(parts)


class Layer(Unit):
    """Equal columns, side by side; all rings rotate together.

    Parameters
    ----------
    column : ColumnConfig
        Parameters of every column.
    fields : tuple[tuple[int, ...], ...]
        Lines of each column's receptive field, columns x p.
    lines : int
        Input lines of the layer.
    learning : bool
        With STDP.

    Members
    -------
    volley : In(lines * time_bits)
        Time code of every line, stable during a wave.
    step, run : In(time_bits), In(1)
        Step of the wave at the lines, see `Lines`.
    enable, clear, add, decide, fired_step
        Of the columns, see `Column`; `fired_step` is the step that the neurons show.
    hold : Out(1)
        A column stops the wave.
    winners, times : Out(columns * q), Out(columns * q * time_bits)
        Result of the wave, column by column.
    rotate, load : In(1), In(columns)
        Rotate all rings; load `row` into the rings of these columns.
    row, words : In(q * w_bits), Out(columns * q * w_bits)
        Weights to load and weights at the door.
    reseed, take, ready
        Of the random decisions, see `Decisions` (learning only).
    active, index : In(1), In(range(p))
        Synapse `index` of every column passes the rule (learning only).
    """

    def __init__(
        self,
        column: ColumnConfig,
        fields: tuple[tuple[int, ...], ...],
        lines: int,
        learning: bool,
    ):
        self.column = column
        self.fields = fields
        self.lines = lines
        self.learning = learning
        outputs = len(fields) * column.q
        members = {
            "volley": In(lines * column.time_bits),
            "step": In(column.time_bits),
            "run": In(1),
            "enable": In(1),
            "clear": In(1),
            "add": In(1),
            "decide": In(1),
            "fired_step": In(column.time_bits),
            "hold": Out(1),
            "winners": Out(outputs),
            "times": Out(outputs * column.time_bits),
            "rotate": In(1),
            "load": In(len(fields)),
            "row": In(column.q * column.w_bits),
            "words": Out(outputs * column.w_bits),
        }
        if learning:
            members |= {
                "reseed": In(1),
                "take": In(1),
                "ready": Out(1),
                "active": In(1),
                "index": In(range(column.p)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column, q = self.column, self.column.q

        lines = place(m, "lines", Lines, self.lines, column)
        m.d.comb += [
            lines.times.eq(self.volley),
            lines.step.eq(self.step),
            lines.run.eq(self.run),
            lines.enable.eq(self.enable),
        ]
        if self.learning:
            decisions = place(m, "decisions", Decisions, column)
            m.d.comb += [
                decisions.reseed.eq(self.reseed),
                decisions.take.eq(self.take),
                self.ready.eq(decisions.ready),
            ]

            codes = [Signal(self.lines, name=f"code_{b}") for b in range(column.time_bits)]
            m.d.comb += [
                plane.eq(self.volley[b :: column.time_bits]) for b, plane in enumerate(codes)
            ]

        holds = Signal(len(self.fields))
        m.d.comb += self.hold.eq(holds.any())
        for c, field in enumerate(self.fields):
            unit = place(m, f"column_{c}", Column, column, self.learning)
            m.d.comb += [
                unit.wires.eq(gather(lines.wires, field)),
                unit.enable.eq(self.enable),
                unit.clear.eq(self.clear),
                unit.add.eq(self.add),
                unit.decide.eq(self.decide),
                unit.step.eq(self.fired_step),
                holds[c].eq(unit.hold),
                self.winners.word_select(c, q).eq(unit.winners),
                self.times.word_select(c, q * column.time_bits).eq(unit.times),
                unit.rotate.eq(self.rotate),
                unit.load.eq(self.load[c]),
                unit.row.eq(self.row),
                self.words.word_select(c, q * column.w_bits).eq(unit.words),
            ]
            if ages(column) == 1:
                m.d.comb += [i.eq(o) for i, o in zip(unit.age, lines.age, strict=True)]
            elif ages(column):
                m.d.comb += [
                    i.eq(gather(o, field)) for i, o in zip(unit.age, lines.age, strict=True)
                ]
            if self.learning:
                m.d.comb += [
                    unit.decisions.eq(decisions.decisions),
                    unit.active.eq(self.active),
                    unit.index.eq(self.index),
                ]
                if column.t_in > 1:
                    m.d.comb += [
                        i.eq(gather(plane, field))
                        for i, plane in zip(unit.codes, codes, strict=True)
                    ]
        return m
