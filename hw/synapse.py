"""Synapses of one neuron: a static weight compared with the age of the line."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit

__all__ = ["Synapses", "ages", "synapse_cycles"]


def ages(column: ColumnConfig) -> int:
    """Age counters that a column sees: none for steps, one for all if all spikes come in step 0."""
    if column.response == "snl":
        return 0
    return 1 if column.t_in == 1 else column.p


def synapse_cycles(column: ColumnConfig) -> int:
    """Clocks from the age of a line to what its synapses add."""
    return 1 if column.response == "rnl" and column.w_bits > 2 else 0


class Synapses(Unit):
    """What each synapse of a neuron adds to the body potential in this step.

    Ramp-no-leak: 1 while the line is high and its age is below the weight. Step-no-leak: the
    weight, in the step of the spike. Bit i of every vector belongs to synapse i, so this page is
    one synapse, written once.

    "Age below weight" is logic from the lowest bit up, not a subtraction: for 3 bits two LUT4 with
    the line included. The first of them looks at two bits and ends in a register, without which
    synthesis would find a third and a fourth. Hence the latency of 1 clock from the two low bits of
    the age (`synapse_cycles`; 0 for weights of one or two bits and for step-no-leak), and of 0
    clocks from the rest.

    Parameters
    ----------
    synapses : int
        Synapses of the neuron.
    w_bits : int
        Bits of a weight.
    ages : int
        Age counters: one per synapse, 1 that all share, or 0 for step-no-leak.

    Members
    -------
    enable : In(1)
        Clock enable.
    wires : In(synapses)
        Lines that are high (ramp) or rise (step) in this step.
    age : In(ages).array(w_bits)
        Age of each line, bit by bit; the two low bits one clock ahead of all else.
    planes : In(synapses).array(w_bits)
        Weights, bit by bit.
    adds : Out(synapses).array(1 or w_bits)
        What each synapse adds, bit by bit.
    """

    def __init__(self, synapses: int, w_bits: int, ages: int):
        self.synapses = synapses
        self.w_bits = w_bits
        self.ages = ages
        members = {
            "enable": In(1),
            "wires": In(synapses),
            "planes": In(synapses).array(w_bits),
            "adds": Out(synapses).array(1 if ages else w_bits),
        }
        if ages:
            members["age"] = In(ages).array(w_bits)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        if not self.ages:
            for adds, plane in zip(self.adds, self.planes, strict=True):
                m.d.comb += adds.eq(plane & self.wires)
            return m

        below = None
        for b, (plane, age) in enumerate(zip(self.planes, self.age, strict=True)):
            if self.ages < self.synapses:
                age = age[0].replicate(self.synapses)
            above = Signal(self.synapses, name=f"age_below_weight_{b}")
            if below is None:
                m.d.comb += above.eq(plane & ~age)
            else:
                m.d.comb += above.eq((plane & ~age) | (below & (plane | ~age)))
            below = above
            if b == 1 and self.w_bits > 2:
                below = Signal(self.synapses, name="age_below_weight_early", reset_less=True)
                with m.If(self.enable):
                    m.d.sync += below.eq(above)
        m.d.comb += self.adds[0].eq(self.wires & below)
        return m
