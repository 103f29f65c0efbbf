"""What the spikes of a volley add to the body potentials, step by step of the wave."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit

__all__ = ["Counts", "added_bits", "count_bits"]


def added_bits(column: ColumnConfig) -> int:
    """Bits of what one synapse adds in one step."""
    return column.w_bits if column.response == "snl" else 1


def count_bits(column: ColumnConfig) -> int:
    """Bits of what all synapses of a neuron may add in one step."""
    most = column.p * (column.w_max if column.response == "snl" else 1)
    return most.bit_length()


class Counts(Unit):
    """For each neuron of a column and each step, the sum of what the synapses add in that step.

    A row of weights per clock: a ramp adds 1 in the w steps from its spike on, a step adds w in
    one. Latency 2 clocks; the sums stay until the next column's first row arrives there.

    Parameters
    ----------
    column : ColumnConfig
        Its parameters.

    Members
    -------
    enable : In(1)
        Clock enable.
    valid, first, hit : In(1)
        There is a row; it is the first of a column; it counts.
    row : In(q * w_bits)
        Weights of the line, neuron 0 in the low bits.
    time : In
        Step of the line's spike (t_in > 1).
    counts : Out(q * steps * count_bits)
        Sums, neuron by neuron, step 0 of each in the low bits.
    """

    def __init__(self, column: ColumnConfig):
        self.column = column
        bits = column.q * column.steps * count_bits(column)
        members = {
            "enable": In(1),
            "valid": In(1),
            "first": In(1),
            "hit": In(1),
            "row": In(column.q * column.w_bits),
            "counts": Out(bits),
        }
        if column.t_in > 1:
            members["time"] = In((column.t_in - 1).bit_length())
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column = self.column
        bits = count_bits(column)

        came = Signal(column.t_in)  # the step of the spike, one-hot
        if column.t_in == 1:
            m.d.comb += came.eq(self.hit)
        else:
            m.d.comb += came.eq(Cat(self.hit & (self.time == t) for t in range(column.t_in)))

        valid, first = Signal(), Signal()
        with m.If(self.enable):
            m.d.sync += [valid.eq(self.valid), first.eq(self.first)]
        for j in range(column.q):
            weight = self.row.word_select(j, column.w_bits)
            for step, value in enumerate(self._added(weight, came)):
                added = Signal(added_bits(column), name=f"added_{j}_{step}", reset_less=True)
                count = Signal(bits, name=f"count_{j}_{step}", reset_less=True)
                with m.If(self.enable):
                    m.d.sync += added.eq(value)
                with m.If(self.enable & valid):
                    # Not `Mux(first, 0, count) + added`: bits that fall to 0 are a reset then.
                    m.d.sync += count.eq(Mux(first, added, self._sum(count, added)))
                m.d.comb += self.counts.word_select(j * column.steps + step, bits).eq(count)
        return m

    def _sum(self, count: Signal, added: Signal) -> Value:
        """Sum of a count and what is added; one bit goes in without a carry chain.

        A bit toggles while all below it are ones. As logic that is smaller than as a chain, which
        has its own ends, and hundreds of chains are hard to place.
        """
        if len(added) > 1:
            return count + added
        toggles = [added]
        for bit in count[:-1]:
            toggles.append(toggles[-1] & bit)
        return Cat(bit ^ toggle for bit, toggle in zip(count, toggles, strict=True))

    def _added(self, weight: Value, came: Value) -> list[Value]:
        """What a synapse adds in each step."""
        column = self.column
        if column.response == "snl":
            return [Mux(came[step], weight, 0) for step in range(column.steps)]
        values = range(1 << column.w_bits)
        above = [  # the weight is larger than n, looked up: "<" would become a carry chain
            Const(sum((w > n) << w for w in values), len(values)).bit_select(weight, 1)
            for n in range(column.w_max)
        ]
        return [
            Cat(
                came[x] & above[step - x]
                for x in range(column.t_in)
                if 0 <= step - x < column.w_max
            ).any()
            for step in range(column.steps)
        ]
