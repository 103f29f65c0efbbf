"""STDP on chip: decisions drawn once per wave, a rule per column, a step of one per neuron.

Random numbers are shared by all synapses of a layer, so nearly everything can be worked out before
a weight is seen: the rule offers, for the input line that is passing, one bit per possible weight,
and a neuron only has to look up the bit of its own weight.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden import stdp as golden
from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit, place
from racewave.hw.lfsr import Lfsr

__all__ = ["Decisions", "Rule", "Update"]


class Decisions(Unit):
    """Draws the decisions of a learning wave ahead of time, and holds those of the current one.

    One draw per clock, compared with its threshold; the bits collect in a shift register in the
    order of drawing: capture, minus, search, backoff, u_min, F+[0..w_max], F-[0..w_max]. After
    reset, after `reseed` and after `take` a set takes ``draws`` clocks.

    Parameters
    ----------
    column : ColumnConfig
        Says the probabilities, the tables and the seed.

    Members
    -------
    reseed : In(1)
        Back to the seed; the set drawn ahead is drawn anew.
    take : In(1)
        The set is for the current wave: hold it and draw the next. Only while `ready`.
    ready : Out(1)
        A set is complete.
    decisions : Out(draws)
        The set that was taken last, first draw in the low bit.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        super().__init__(
            {
                "reseed": In(1),
                "take": In(1),
                "ready": Out(1),
                "decisions": Out(column.draws),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column = self.column

        lfsr = place(m, "lfsr", Lfsr, column.seed)
        m.d.comb += lfsr.reseed.eq(self.reseed)

        number = Signal(range(column.draws + 1))  # draws of this set so far
        threshold = Signal(column.prob_bits + 1)
        limits = [int(limit) for limit in golden.thresholds(column)]
        for b in range(len(threshold)):  # bit b of every threshold is one word, looked up by number
            table = sum((limit >> b & 1) << n for n, limit in enumerate(limits))
            m.d.comb += threshold[b].eq(Const(table, len(limits)).bit_select(number, 1))

        drawn = Signal(column.draws)
        m.d.comb += self.ready.eq(number == column.draws)
        with m.If(self.reseed):
            m.d.sync += number.eq(0)
        with m.Elif(~self.ready):
            m.d.comb += lfsr.advance.eq(1)
            m.d.sync += drawn.eq(Cat(drawn[1:], lfsr.state[: column.prob_bits] < threshold))
            m.d.sync += number.eq(number + 1)
        with m.Elif(self.take):
            m.d.sync += number.eq(0)
        with m.If(self.take):
            m.d.sync += self.decisions.eq(drawn)
        return m


class Rule(Unit):
    """What a weight of each value would do, for the input line that passes next.

    Saturation is part of the bits: nothing rises from w_max or falls from 0. Latency 1 clock, one
    line per clock. If all spikes come in step 0 (t_in 1), a winner's weight can only rise on a line
    with a spike and fall on one without, so that one vector serves both.

    Parameters
    ----------
    column : ColumnConfig
        Says w_max, t_in and stabilise_search.

    Members
    -------
    decisions : In(draws)
        Decisions of the wave, as `Decisions` orders them.
    active : In(1)
        There is a line; while low, nothing changes in the next clock.
    spike : In(1)
        The line has a spike.
    up : Out(1)
        The line had a spike (t_in 1): weights rise, if they change.
    late : Out(w_max + 1)
        Weight w falls if the neuron spiked before the line, or the line did not (t_in > 1).
    won : Out(w_max + 1)
        Weight w changes if the neuron spiked (t_in 1); it rises if the neuron spiked at the same
        time or later (t_in > 1).
    lost : Out(w_max + 1)
        Weight w rises if the neuron did not spike.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        members = {
            "decisions": In(column.draws),
            "active": In(1),
            "spike": In(1),
            "won": Out(column.w_max + 1),
            "lost": Out(column.w_max + 1),
        }
        members |= {"up": Out(1)} if column.t_in == 1 else {"late": Out(column.w_max + 1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        values = self.column.w_max + 1
        capture, minus, search, backoff, u_min = self.decisions[:5]
        up, down = self.decisions[5 : 5 + values], self.decisions[5 + values :]

        # One bit per value of a weight; the ends saturate.
        may_rise = Signal(values)
        may_fall = Signal(values)
        captured = Signal(values)
        searched = Signal(values)
        missed = Signal(values)  # minus with a spike, backoff without
        m.d.comb += [
            may_rise.eq((up | u_min.replicate(values))[:-1]),
            may_fall.eq(Cat(0, (down | u_min.replicate(values))[1:])),
            captured.eq(may_rise & capture.replicate(values)),
            missed.eq(may_fall & Mux(self.spike, minus, backoff).replicate(values)),
        ]
        if self.column.stabilise_search:
            m.d.comb += searched.eq(may_rise & search.replicate(values))
        else:
            m.d.comb += searched.eq(search.replicate(values - 1))

        nothing = Signal()
        m.d.comb += nothing.eq(~self.active)
        m.d.sync += self.lost.eq(Mux(self.spike, searched, 0))
        if self.column.t_in == 1:
            m.d.sync += [self.up.eq(self.spike), self.won.eq(Mux(self.spike, captured, missed))]
        else:
            m.d.sync += [self.won.eq(captured), self.late.eq(missed)]
        with m.If(nothing):
            m.d.sync += [self.lost.eq(0), self.won.eq(0)]
            if self.column.t_in > 1:
                m.d.sync += self.late.eq(0)
        return m


class Update(Unit):
    """Moves the weight at the door of a ring by at most one. Combinational.

    Parameters
    ----------
    column : ColumnConfig
        Says w_max and t_in.

    Members
    -------
    word, word_out : In(w_bits), Out(w_bits)
        Weight before and after.
    winner : In(1)
        The neuron has spiked.
    later : In(1)
        The line spiked later than the neuron, or not at all (t_in > 1).
    up, late, won, lost
        The rule for this line, see `Rule`.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        members = {
            "word": In(column.w_bits),
            "winner": In(1),
            "won": In(column.w_max + 1),
            "lost": In(column.w_max + 1),
            "word_out": Out(column.w_bits),
        }
        if column.t_in == 1:
            members |= {"up": In(1)}
        else:
            members |= {"later": In(1), "late": In(column.w_max + 1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()

        def look_up(bits: Value) -> Value:
            return bits.bit_select(self.word, 1)

        change = Signal()
        rises = Signal()
        m.d.comb += change.eq(Mux(self.winner, look_up(self.won), look_up(self.lost)))
        if self.column.t_in == 1:
            m.d.comb += rises.eq(self.up)
        else:
            m.d.comb += rises.eq(~(self.winner & self.later))
            with m.If(self.winner & self.later):
                m.d.comb += change.eq(look_up(self.late))

        # Count up or down: a bit toggles while all below it are ones (up) or zeros (down).
        toggle = change
        for b, bit in enumerate(self.word):
            m.d.comb += self.word_out[b].eq(bit ^ toggle)
            further = Signal(name=f"toggle_{b + 1}")
            m.d.comb += further.eq(toggle & ~(bit ^ rises))
            toggle = further
        return m
