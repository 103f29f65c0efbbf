"""Plays the steps of a wave on the sums of a column: potentials, threshold, k-WTA."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.counts import count_bits
from racewave.hw.hierarchy import Unit, place
from racewave.hw.scan import bits_for
from racewave.hw.wta import Wta

__all__ = ["Decide", "decide_cycles"]


def decide_cycles(column: ColumnConfig) -> int:
    """Clocks from one column to the next when the k-WTA never stops."""
    return column.steps + 3


class Decide(Unit):
    """Takes the sums of a column and finds its winners, a step of the wave per clock.

    Latency ``steps + 3`` clocks from `take` to `done`, more while the k-WTA stops it.

    Parameters
    ----------
    column : ColumnConfig
        Its parameters.

    Members
    -------
    full, take : In(1), Out(1)
        The sums of a column are complete; they are taken.
    counts : In(q * steps * count_bits)
        See `Counts`.
    done, release : Out(1), In(1)
        Winners and times are final; they are no longer needed. The next column is taken in the
        clock of `release` at the earliest.
    winners, times : Out(q), Out(q * time_bits)
        Result of the wave.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        super().__init__(
            {
                "full": In(1),
                "take": Out(1),
                "counts": In(column.q * column.steps * count_bits(column)),
                "done": Out(1),
                "release": In(1),
                "winners": Out(column.q),
                "times": Out(column.q * column.time_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column = self.column
        bits, steps = count_bits(column), column.steps

        wta = place(m, "wta", Wta, column)
        go = Signal()
        m.d.comb += [go.eq(~wta.hold), self.winners.eq(wta.winners), self.times.eq(wta.times)]

        sums = Signal.like(self.counts, reset_less=True)
        step = Signal(bits_for(steps))
        counted, raised = Signal(bits_for(steps)), Signal(bits_for(steps))
        running, adds, decides = Signal(), Signal(), Signal()
        idle = Signal(init=1)

        m.d.comb += [
            self.take.eq(self.full & (idle | (self.done & self.release))),
            wta.clear.eq(self.take),
            wta.decide.eq(decides),
            wta.step.eq(raised),
        ]
        with m.If(go):
            m.d.sync += [adds.eq(running), decides.eq(adds), counted.eq(step), raised.eq(counted)]
            with m.If(running):
                m.d.sync += step.eq(step + 1)
                with m.If(step == steps - 1):
                    m.d.sync += running.eq(0)
            with m.If(decides & (raised == steps - 1)):
                m.d.sync += self.done.eq(1)
        with m.If(self.done & self.release):
            m.d.sync += [self.done.eq(0), idle.eq(1)]
        with m.If(self.take):
            m.d.sync += [sums.eq(self.counts), step.eq(0), running.eq(1), idle.eq(0)]

        # A potential starts at -theta: its sign is the threshold. What it shows after the first
        # step at or above theta means nothing, and the k-WTA does not look at it (see Potential).
        most = column.p * (column.w_max if column.response == "snl" else 1)
        potential_bits = max((column.theta - 1).bit_length(), (most - 1).bit_length()) + 1
        for j in range(column.q):
            own = sums.word_select(j, steps * bits)
            added = Signal(bits, name=f"added_{j}", reset_less=True)
            potential = Signal(potential_bits, name=f"potential_{j}", reset_less=True)
            with m.If(go):
                m.d.sync += added.eq(Array(own.word_select(s, bits) for s in range(steps))[step])
            with m.If(self.take):
                m.d.sync += potential.eq(-column.theta)
            with m.Elif(go & adds):
                m.d.sync += potential.eq(potential + added)
            m.d.comb += wta.fire[j].eq(~potential[-1])
            if column.tie == "potential":
                m.d.comb += wta.excess[j].eq(potential)
        return m
