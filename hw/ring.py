"""Weights of one neuron in a ring: no address, no multiplexer, no LUT per synapse."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit

__all__ = ["Ring"]


class Ring(Unit):
    """The weights of one neuron, kept in shift registers that rotate past one door.

    At home, synapse 0 is at the door. Every clock with `rotate` takes the word at the door out and
    puts `word_in` in at the far end; after as many clocks as there are synapses the ring is home
    again. Learning, loading and reading back all happen at the door. Each bit of the weights has a
    register of its own, so that bit b of all synapses is one vector.

    Not reset: weights survive `rst`. They are 0 at power-up.

    Parameters
    ----------
    synapses : int
        Weights in the ring.
    w_bits : int
        Bits of a weight.

    Members
    -------
    rotate : In(1)
        Move on by one synapse.
    word_in : In(w_bits)
        What enters at the far end.
    word : Out(w_bits)
        The weight at the door.
    planes : Out(synapses).array(w_bits)
        Bit b of every weight, for the synapses.
    """

    def __init__(self, synapses: int, w_bits: int):
        self.synapses = synapses
        self.w_bits = w_bits
        super().__init__(
            {
                "rotate": In(1),
                "word_in": In(w_bits),
                "word": Out(w_bits),
                "planes": Out(synapses).array(w_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()

        # Bit planes, little-endian: synapse i of a ring at home is bit i.
        planes = [
            Signal(self.synapses, name=f"plane_{b}", reset_less=True) for b in range(self.w_bits)
        ]
        with m.If(self.rotate):
            for plane, bit in zip(planes, self.word_in, strict=True):
                m.d.sync += plane.eq(Cat(plane[1:], bit))
        m.d.comb += self.word.eq(Cat(plane[0] for plane in planes))
        m.d.comb += [port.eq(plane) for port, plane in zip(self.planes, planes, strict=True)]

        return m
