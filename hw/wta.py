"""k-winners-take-all, on line: winners are chosen step by step as neurons fire."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit
from racewave.hw.potential import add_up, excess_bits

__all__ = ["Wta", "hold_cycles", "lowest"]


def hold_cycles(column: ColumnConfig) -> int:
    """Clocks for which the k-WTA may stop a wave, at most."""
    if column.tie == "index":
        return column.k - 1
    bits = column.w_bits if column.response == "snl" else 1
    return 0 if column.q == 1 else excess_bits(column.p, bits) + column.k


def lowest(bits: Value) -> Value:
    """Keep the lowest bit that is set."""
    return bits & (~bits + 1)[: len(bits)]


class Wta(Unit):
    """The first k spikes of a wave, with their times.

    Neurons that fire in the same step win as long as places are left. With tie "index" they are
    served lowest index first, one per clock; with tie "potential" all at once while there are
    places for all, else in a contest over their potentials, bit by bit from the top, then lowest
    index first. While more than one clock is needed, `hold` stops the wave.

    Latency: times and winners one clock after `decide`. `hold` lasts `hold_cycles` in a wave at
    most: k - 1 clocks with tie "index", ``excess_bits + k`` with tie "potential".

    Parameters
    ----------
    column : ColumnConfig
        Says q, k, tie and the time code.

    Members
    -------
    clear : In(1)
        Start a wave: no winners.
    decide : In(1)
        `fire` belongs to step `step` of the wave.
    step : In(time_bits)
        Step, stable during `hold`.
    fire : In(q)
        Neurons at or above the threshold.
    excess : In(excess_bits).array(q)
        How far above (tie "potential").
    hold : Out(1)
        Not all winners of this step are chosen: stop the wave.
    winners : Out(q)
        Neurons that have won.
    times : Out(q * time_bits)
        Spike time of each winner, no-spike code for all others.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        self.contested = column.tie == "potential"
        bits = column.w_bits if column.response == "snl" else 1
        self.excess_bits = excess_bits(column.p, bits)
        members = {
            "clear": In(1),
            "decide": In(1),
            "step": In(column.time_bits),
            "fire": In(column.q),
            "hold": Out(1),
            "winners": Out(column.q),
            "times": Out(column.q * column.time_bits),
        }
        if self.contested:
            members["excess"] = In(self.excess_bits).array(column.q)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        q, k = self.column.q, self.column.k

        places = Signal(range(k + 1), reset_less=True)  # that are left
        firing = Signal(q)
        wins = Signal(q)
        m.d.comb += firing.eq(self.fire & ~self.winners if k > 1 else self.fire)

        if self.contested:
            self._contest(m, firing, wins, places)
        else:
            with m.If(self.decide & (places != 0)):
                m.d.comb += wins.eq(lowest(firing))
            if k > 1:
                m.d.comb += self.hold.eq(
                    self.decide & (places > 1) & (firing & ~lowest(firing)).any()
                )
            with m.If(wins.any()):
                m.d.sync += places.eq(places - 1)

        with m.If(self.clear):
            m.d.sync += places.eq(k)
        for j in range(q):
            won = Signal(name=f"won_{j}", reset_less=True)
            time = Signal(self.column.time_bits, name=f"time_{j}", reset_less=True)
            with m.If(self.clear):
                m.d.sync += [won.eq(0), time.eq(self.column.none)]
            with m.Elif(wins[j]):
                m.d.sync += [won.eq(1), time.eq(self.step)]
            m.d.comb += self.winners[j].eq(won)
            m.d.comb += self.times.word_select(j, self.column.time_bits).eq(time)
        return m

    def _contest(self, m: Module, firing: Signal, wins: Signal, places: Signal) -> None:
        q, k = self.column.q, self.column.k
        rivals = Signal(q)  # still in the contest
        digit = Signal(range(self.excess_bits))

        def count(bits: Value, name: str) -> Value:
            return add_up(m, [bits], name) if k > 1 else bits.any()

        firing_count = count(firing, "firing")
        with m.FSM(name="contest"):
            with m.State("STEP"):
                crowded = firing_count > places if k > 1 else (firing & ~lowest(firing)).any()
                with m.If(self.decide & (places != 0)):
                    with m.If(crowded):
                        m.d.comb += self.hold.eq(1)
                        m.d.sync += [rivals.eq(firing), digit.eq(self.excess_bits - 1)]
                        m.next = "POTENTIAL"
                    with m.Else():
                        m.d.comb += wins.eq(firing)
                        m.d.sync += places.eq(places - firing_count)
            with m.State("POTENTIAL"):
                # The winners lie among the rivals with this bit set, or are all of those and more.
                m.d.comb += self.hold.eq(1)
                larger = Signal(q)
                m.d.comb += larger.eq(
                    rivals & Cat(excess.bit_select(digit, 1) for excess in self.excess)
                )
                larger_count = count(larger, "larger")
                with m.If(larger_count >= places):
                    m.d.sync += rivals.eq(larger)
                with m.Else():
                    m.d.comb += wins.eq(larger)
                    m.d.sync += [rivals.eq(rivals & ~larger), places.eq(places - larger_count)]
                m.d.sync += digit.eq(digit - 1)
                with m.If(digit == 0):
                    m.next = "INDEX"
            with m.State("INDEX"):
                # Equal potentials: as many as there are places, lowest index first.
                m.d.comb += [self.hold.eq(places != 1), wins.eq(lowest(rivals))]
                m.d.sync += [rivals.eq(rivals & ~wins), places.eq(places - 1)]
                with m.If(places == 1):
                    m.next = "STEP"
