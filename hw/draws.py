"""STDP with draws of their own for every synapse (``randomness = "synapse"``).

The draws of a layer are one sequence: column by column, line by line, neuron by neuron, three for
each synapse. An engine has a lane per neuron. A jump of any length along the sequence is an
exclusive-or network, so each lane jumps from a line to the next, and from the end of a wave over
the columns of the other engines. See `racewave.golden.stdp.draw_synapses`.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden import orbit, stdp
from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit
from racewave.hw.lfsr import BITS

__all__ = ["EACH", "Draws", "SynapseUpdate", "jumped", "seeds"]

EACH = 3  # draws of a synapse: its case, u_min, F


def jumped(state: int, draws: int) -> int:
    """State of the generator after so many draws.

    Examples
    --------
    >>> hex(jumped(0xACE1, 8))
    '0x3d03'
    """
    return orbit.state_at(orbit.place_of(state) + draws)


def jump(state: Value, draws: int) -> Value:
    """Exclusive-or network of a jump over so many draws."""
    images = [jumped(1 << bit, draws) for bit in range(BITS)]  # linear: single bits say it all
    return Cat(
        Cat(state[source] for source in range(BITS) if images[source] >> bit & 1).xor()
        for bit in range(BITS)
    )


def seeds(column: ColumnConfig, first: int) -> int:
    """States of all lanes before the first line of column `first`, lane 0 in the low bits."""
    start = EACH * column.p * column.q * first
    return sum(jumped(column.seed, start + EACH * j) << (BITS * j) for j in range(column.q))


class Draws(Unit):
    """The generator of an engine: three draws for each synapse of a line.

    Latency 1 clock, a line per clock.

    Parameters
    ----------
    column : ColumnConfig
        Probabilities, p, q.
    skipped : int
        Columns of the layer that other engines play.

    Members
    -------
    begin : In(1)
        A learning wave begins.
    reseed : In(1)
        The next one begins at the seed, as the first one does; not one that begins in this clock.
    seeds : In(16 * q)
        See the function of this name.
    advance : In(1)
        There is a line.
    hits : Out(4 * q)
        Of each neuron: B(u) of capture, minus, search, backoff.
    least : Out(q)
        B(u_min).
    values : Out(q * prob_bits)
        Draws for F.
    """

    def __init__(self, column: ColumnConfig, skipped: int):
        self.column, self.skipped = column, skipped
        super().__init__(
            {
                "begin": In(1),
                "reseed": In(1),
                "seeds": In(BITS * column.q),
                "advance": In(1),
                "hits": Out(4 * column.q),
                "least": Out(column.q),
                "values": Out(column.q * column.prob_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column = self.column
        fresh = Signal(init=1)  # the next wave begins at the seed
        with m.If(self.begin):
            m.d.sync += fresh.eq(0)
        with m.If(self.reseed):
            m.d.sync += fresh.eq(1)
        chances = (column.u_capture, column.u_minus, column.u_search, column.u_backoff)
        for j in range(column.q):
            state = Signal(BITS, name=f"state_{j}", init=1)
            drawn = [jump(state, n)[: column.prob_bits] for n in range(1, EACH + 1)]
            own = self.hits.word_select(j, 4)
            m.d.sync += [own[n].eq(drawn[0] < u) for n, u in enumerate(chances)]
            m.d.sync += [
                self.least[j].eq(drawn[1] < column.u_min),
                self.values.word_select(j, column.prob_bits).eq(drawn[2]),
            ]
            with m.If(self.advance):
                m.d.sync += state.eq(jump(state, EACH * column.q))
            with m.If(self.begin):
                home = self.seeds.word_select(j, BITS)
                onward = jump(state, EACH * column.q * column.p * self.skipped)
                m.d.sync += state.eq(Mux(fresh, home, onward))
        return m


class SynapseUpdate(Unit):
    """Moves a weight by at most one, by draws of its own. Combinational.

    Parameters
    ----------
    column : ColumnConfig
        Says w_max, the tables and stabilise_search.

    Members
    -------
    word, word_out : In(w_bits), Out(w_bits)
        Weight before and after.
    winner, spike, later : In(1)
        The neuron has spiked; the line has; it did so later than the neuron.
    hits, least, value : In(4), In(1), In(prob_bits)
        See `Draws`.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        super().__init__(
            {
                "word": In(column.w_bits),
                "winner": In(1),
                "spike": In(1),
                "later": In(1),
                "hits": In(4),
                "least": In(1),
                "value": In(column.prob_bits),
                "word_out": Out(column.w_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        column = self.column
        up, down = (Array(int(limit) for limit in table) for table in stdp.tables(column))
        capture, minus, search, backoff = self.hits
        rises, gate, hit = Signal(), Signal(), Signal()
        limit = Signal(column.prob_bits + 1)
        m.d.comb += [
            rises.eq(self.spike & ~(self.winner & self.later)),
            limit.eq(Mux(rises, up[self.word], down[self.word])),
            gate.eq(self.least | (self.value < limit)),
            self.word_out.eq(self.word),
        ]
        with m.If(self.winner):
            m.d.comb += hit.eq(gate & Mux(self.spike, Mux(self.later, minus, capture), backoff))
        with m.Elif(self.spike):
            free = 0 if column.stabilise_search else 1
            m.d.comb += hit.eq(search & (gate | free))
        with m.If(hit & rises & (self.word != column.w_max)):
            m.d.comb += self.word_out.eq(self.word + 1)
        with m.If(hit & ~rises & (self.word != 0)):
            m.d.comb += self.word_out.eq(self.word - 1)
        return m
