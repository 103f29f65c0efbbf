"""Synapses of one neuron: a static weight compared with the age of the line."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit

__all__ = ["Synapses"]


class Synapses(Unit):
    """What each synapse of a neuron adds to the body potential in this step.

    Ramp-no-leak: 1 while the line is high and its age is below the weight. Step-no-leak: the
    weight, in the step of the spike. Bit i of every vector belongs to synapse i, so this page is
    one synapse, written once. Combinational: "age < weight" as logic from the lowest bit up, which
    for 3 bits is two LUT4 with the line included; a carry chain would take more.

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
    wires : In(synapses)
        Lines that are high (ramp) or rise (step) in this step.
    age : In(ages).array(w_bits)
        Age of each line, bit by bit.
    planes : In(synapses).array(w_bits)
        Weights, bit by bit.
    adds : Out(synapses).array(1 or w_bits)
        What each synapse adds, bit by bit.
    """

    def __init__(self, synapses: int, w_bits: int, ages: int):
        self.synapses = synapses
        self.ages = ages
        members = {
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
            upto = Signal(self.synapses, name=f"age_below_weight_{b}")
            if below is None:
                m.d.comb += upto.eq(plane & ~age)
            else:
                m.d.comb += upto.eq((plane & ~age) | (below & ~(plane ^ age)))
            below = upto
        m.d.comb += self.adds[0].eq(self.wires & below)
        return m
