"""One neuron: a ring of weights, its synapses, the body potential, and a step of learning."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit, place
from racewave.hw.potential import Potential, excess_bits
from racewave.hw.ring import Ring
from racewave.hw.stdp import Update
from racewave.hw.synapse import Synapses, ages

__all__ = ["Neuron", "planes"]


def planes(column: ColumnConfig) -> int:
    """Bits of what a synapse adds in one step."""
    return column.w_bits if column.response == "snl" else 1


class Neuron(Unit):
    """p synapses, their sum, and the weights behind them.

    `fire` follows a step 2 clocks (`Potential`) and ``synapse_cycles`` later. When the ring
    rotates, the weight at its door passes the update unit, or is replaced by `row`.

    Parameters
    ----------
    column : ColumnConfig
        The column it belongs to.
    learning : bool
        With an update unit; without, weights only change by loading.

    Members
    -------
    wires : In(p)
        Input lines in this step, see `Lines`.
    age : In(ages).array(w_bits)
        Age of the lines (ramps only).
    enable, clear, add : In(1)
        Of the potential, see `Potential`.
    fire : Out(1)
        At or above the threshold.
    excess : Out(excess_bits)
        How far above (tie "potential").
    rotate, load : In(1)
        Rotate the ring; put `row` in instead of the weight at the door.
    row, word : In(w_bits), Out(w_bits)
        Weight to load; weight at the door.
    winner, later, up, late, won, lost
        Of the update, see `Update`.
    """

    def __init__(self, column: ColumnConfig, learning: bool):
        self.column = column
        self.learning = learning
        members = {
            "wires": In(column.p),
            "enable": In(1),
            "clear": In(1),
            "add": In(1),
            "fire": Out(1),
            "rotate": In(1),
            "load": In(1),
            "row": In(column.w_bits),
            "word": Out(column.w_bits),
        }
        if ages(column):
            members["age"] = In(ages(column)).array(column.w_bits)
        if column.tie == "potential":
            members["excess"] = Out(excess_bits(column.p, planes(column)))
        if learning:
            values = column.w_max + 1
            members |= {"winner": In(1), "won": In(values), "lost": In(values)}
            members |= {"up": In(1)} if column.t_in == 1 else {"later": In(1), "late": In(values)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column = self.column

        ring = place(m, "ring", Ring, column.p, column.w_bits)
        synapses = place(m, "synapses", Synapses, column.p, column.w_bits, ages(column))
        potential = place(m, "potential", Potential, column.p, planes(column), column.theta)

        m.d.comb += [synapses.wires.eq(self.wires), synapses.enable.eq(self.enable)]
        m.d.comb += [i.eq(o) for i, o in zip(synapses.planes, ring.planes, strict=True)]
        if ages(column):
            m.d.comb += [i.eq(o) for i, o in zip(synapses.age, self.age, strict=True)]

        m.d.comb += [i.eq(o) for i, o in zip(potential.adds, synapses.adds, strict=True)]
        m.d.comb += [
            potential.enable.eq(self.enable),
            potential.clear.eq(self.clear),
            potential.add.eq(self.add),
            self.fire.eq(potential.fire),
        ]
        if column.tie == "potential":
            m.d.comb += self.excess.eq(potential.excess)

        passed = ring.word
        if self.learning:
            update = place(m, "update", Update, column)
            m.d.comb += [
                update.word.eq(ring.word),
                update.winner.eq(self.winner),
                update.won.eq(self.won),
                update.lost.eq(self.lost),
            ]
            if column.t_in == 1:
                m.d.comb += update.up.eq(self.up)
            else:
                m.d.comb += [update.later.eq(self.later), update.late.eq(self.late)]
            passed = update.word_out
        m.d.comb += [
            ring.rotate.eq(self.rotate),
            ring.word_in.eq(Mux(self.load, self.row, passed)),
            self.word.eq(ring.word),
        ]
        return m
