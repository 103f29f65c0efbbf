"""A column: neurons on the same input lines, k-WTA among them, one STDP rule for all."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit, place
from racewave.hw.neuron import Neuron
from racewave.hw.stdp import Rule
from racewave.hw.synapse import ages
from racewave.hw.wta import Wta

__all__ = ["Column"]


class Column(Unit):
    """q neurons over p lines.

    Winners and times follow a step 3 clocks and ``synapse_cycles`` later; `hold` stops the wave
    when the k-WTA needs more. An update of the weights takes ``p + 1`` clocks: `active` in the
    first p with `index` counting, `rotate` in the last p.

    Parameters
    ----------
    column : ColumnConfig
        Its parameters.
    learning : bool
        With STDP.

    Members
    -------
    wires, age
        Input lines in this step, see `Lines`.
    enable, clear, add : In(1)
        Clock enable, start of a wave, the sums of a step are ready: see `Potential`.
    decide, step : In(1), In(time_bits)
        The neurons show this step: see `Wta`.
    hold : Out(1)
        Stop the wave.
    winners, times : Out(q), Out(q * time_bits)
        Result of the wave.
    rotate, load : In(1)
        Rotate the rings; put `row` in instead of the weights at the door.
    row, words : In(q * w_bits), Out(q * w_bits)
        Weights to load and weights at the door, neuron 0 in the low bits.
    decisions, active, index
        Decisions of the wave; line `index` of the column passes the rule (learning only).
    codes : In(p).array(time_bits)
        Time codes of the lines, bit by bit (learning, t_in > 1).
    """

    def __init__(self, column: ColumnConfig, learning: bool):
        self.column = column
        self.learning = learning
        members = {
            "wires": In(column.p),
            "enable": In(1),
            "clear": In(1),
            "add": In(1),
            "decide": In(1),
            "step": In(column.time_bits),
            "hold": Out(1),
            "winners": Out(column.q),
            "times": Out(column.q * column.time_bits),
            "rotate": In(1),
            "load": In(1),
            "row": In(column.q * column.w_bits),
            "words": Out(column.q * column.w_bits),
        }
        if ages(column):
            members["age"] = In(ages(column)).array(column.w_bits)
        if learning:
            members |= {
                "decisions": In(column.draws),
                "active": In(1),
                "index": In(range(column.p)),
            }
            if column.t_in > 1:
                members["codes"] = In(column.p).array(column.time_bits)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column = self.column

        wta = place(m, "wta", Wta, column)
        m.d.comb += [
            wta.clear.eq(self.clear),
            wta.decide.eq(self.decide),
            wta.step.eq(self.step),
            self.hold.eq(wta.hold),
            self.winners.eq(wta.winners),
            self.times.eq(wta.times),
        ]

        neurons = [place(m, f"neuron_{j}", Neuron, column, self.learning) for j in range(column.q)]
        for j, neuron in enumerate(neurons):
            m.d.comb += [
                neuron.wires.eq(self.wires),
                neuron.enable.eq(self.enable),
                neuron.clear.eq(self.clear),
                neuron.add.eq(self.add),
                wta.fire[j].eq(neuron.fire),
                neuron.rotate.eq(self.rotate),
                neuron.load.eq(self.load),
                neuron.row.eq(self.row.word_select(j, column.w_bits)),
                self.words.word_select(j, column.w_bits).eq(neuron.word),
            ]
            if ages(column):
                m.d.comb += [i.eq(o) for i, o in zip(neuron.age, self.age, strict=True)]
            if column.tie == "potential":
                m.d.comb += wta.excess[j].eq(neuron.excess)

        if self.learning:
            self._learn(m, neurons, wta)
        return m

    def _learn(self, m: Module, neurons: list, wta) -> None:
        column = self.column

        rule = place(m, "rule", Rule, column)
        m.d.comb += [rule.decisions.eq(self.decisions), rule.active.eq(self.active)]
        passing = Signal(column.time_bits)  # time code of the line that the rule looked at
        if column.t_in == 1:
            m.d.comb += rule.spike.eq(self.wires.bit_select(self.index, 1))
        else:
            code = Signal(column.time_bits)
            for b, plane in enumerate(self.codes):
                m.d.comb += code[b].eq(plane.bit_select(self.index, 1))
            m.d.comb += rule.spike.eq(~code.all())
            m.d.sync += passing.eq(code)

        for j, neuron in enumerate(neurons):
            m.d.comb += [
                neuron.winner.eq(wta.winners[j]),
                neuron.won.eq(rule.won),
                neuron.lost.eq(rule.lost),
            ]
            if column.t_in == 1:
                m.d.comb += neuron.up.eq(rule.up)
            else:
                time = wta.times.word_select(j, column.time_bits)
                m.d.comb += [neuron.later.eq(passing > time), neuron.late.eq(rule.late)]
