"""Body potential: adder tree, accumulator, threshold."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit

__all__ = ["Potential", "add_up", "compress", "excess_bits"]


# Bits per weight at the register inside the tree: half of the delay before it, half behind.
MIDDLE = 4


def excess_bits(synapses: int, planes: int) -> int:
    """Bits of V - theta in the step a neuron fires: less than one step's largest sum."""
    return max(1, (synapses * ((1 << planes) - 1) - 1).bit_length())


def compress(m: Module, rows: list[Value], most: int, prefix: str) -> list[Value]:
    """Reduce vectors of equally weighted bits to at most `most` bits per weight (2 or more).

    One full adder takes three bits of one weight to one of the same and one of the next. Here a
    third of a vector at a time goes through a vector of full adders (a carry-save tree).
    """
    rows, level = list(rows), 0
    while max(len(row) for row in rows) > most:
        result: list[list[Value]] = [[] for _ in range(len(rows) + 1)]
        for weight, row in enumerate(rows):
            third = len(row) // 3
            if third == 0:
                result[weight].append(row)
                continue
            a, b, c = row[:third], row[third : 2 * third], row[2 * third : 3 * third]
            sums = Signal(third, name=f"{prefix}_sum_{level}_{weight}")
            carries = Signal(third, name=f"{prefix}_carry_{level}_{weight}")
            m.d.comb += [sums.eq(a ^ b ^ c), carries.eq((a & b) | (c & (a | b)))]
            result[weight] += [row[3 * third :], sums]
            result[weight + 1].append(carries)
        rows = [Cat(*parts) for parts in result if sum(len(part) for part in parts)]
        level += 1
    return rows


def add_up(m: Module, rows: list[Value], prefix: str) -> Value:
    """Sum of vectors of bits, the n-th of weight 2**n."""
    rows = compress(m, rows, 2, prefix)
    return Cat(row[0] for row in rows) + Cat(row[1] if len(row) > 1 else 0 for row in rows)


class Potential(Unit):
    """Sums what the synapses add and says when the sum over the wave has reached theta.

    The accumulator starts at -theta, so that its sign is the threshold. It is just wide enough to
    be right up to the first step at or above theta; what it shows later means nothing, and nothing
    looks at it. Latency 2 clocks: one register behind the tree, one in the accumulator; one step
    per clock.

    Parameters
    ----------
    synapses : int
        Synapses of the neuron.
    planes : int
        Bits of what a synapse adds in one step.
    theta : int
        Threshold, at least 1.

    Members
    -------
    adds : In(synapses).array(planes)
        What each synapse adds in this step, bit by bit.
    enable : In(1)
        Clock enable of both registers.
    clear : In(1)
        Start a wave: potential 0.
    add : In(1)
        The register behind the tree holds a step of the wave.
    fire : Out(1)
        The potential has reached theta.
    excess : Out(excess_bits)
        V - theta in the first step in which `fire` is high.
    """

    def __init__(self, synapses: int, planes: int, theta: int):
        self.synapses = synapses
        self.planes = planes
        self.theta = theta
        super().__init__(
            {
                "adds": In(synapses).array(planes),
                "enable": In(1),
                "clear": In(1),
                "add": In(1),
                "fire": Out(1),
                "excess": Out(excess_bits(synapses, planes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        most = self.synapses * ((1 << self.planes) - 1)

        rows = []
        for weight, row in enumerate(compress(m, list(self.adds), MIDDLE, "upper")):
            rows.append(Signal(len(row), name=f"partial_{weight}", reset_less=True))
            with m.If(self.enable):
                m.d.sync += rows[weight].eq(row)
        rows = compress(m, rows, 2, "lower")
        # At most two bits per weight are left: the second one of weight 1 goes in as a carry.
        ones = Cat(row[0] for row in rows)
        twos = Cat(0, *(row[1] if len(row) > 1 else 0 for row in rows[1:]))
        carry = rows[0][1] if len(rows[0]) > 1 else 0
        count = Signal(most.bit_length())
        m.d.comb += count.eq(ones + twos if any(len(row) > 1 for row in rows[1:]) else ones)

        # From -theta to the largest excess, which is most - 1; two's complement.
        bits = max((self.theta - 1).bit_length(), (most - 1).bit_length()) + 1
        potential = Signal(bits, reset_less=True)
        raised = Signal(bits + 1)  # the lowest bit only makes the carry
        m.d.comb += raised.eq(Cat(1, potential) + Cat(carry, count))
        with m.If(self.clear):
            m.d.sync += potential.eq(-self.theta)
        with m.Elif(self.enable & self.add):
            m.d.sync += potential.eq(raised[1:])
        m.d.comb += [self.fire.eq(~potential[-1]), self.excess.eq(potential)]
        return m
