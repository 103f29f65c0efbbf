"""Random generator: a 16-bit Galois LFSR that leaps 16 shifts in one clock."""

from functools import cache

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden import lfsr as golden
from racewave.hw.hierarchy import Unit

__all__ = ["BITS", "Lfsr", "leap"]

BITS = 16


@cache
def matrix() -> tuple[int, ...]:
    """Which bits of a state make up each bit of the state 16 shifts later.

    A shift is linear over GF(2), so the image of each single bit says it all.
    """
    images = [golden.leap(1 << bit) for bit in range(BITS)]
    return tuple(
        sum(1 << source for source in range(BITS) if images[source] >> bit & 1)
        for bit in range(BITS)
    )


def leap(state: Value) -> Value:
    """Exclusive-or network of 16 shifts."""
    return Cat(
        Cat(state[source] for source in range(BITS) if row >> source & 1).xor() for row in matrix()
    )


class Lfsr(Unit):
    """One draw per clock: the value is the state after 16 shifts.

    The register holds the state of the draw that `state` offers, so that a draw is straight out of
    flip-flops. Latency 0; after reset or `reseed` the first draw from the seed is offered.

    Parameters
    ----------
    seed : int
        State before the first draw, 1..65535.

    Members
    -------
    reseed : In(1)
        Start again from the seed.
    advance : In(1)
        This draw is taken: offer the next one in the next clock.
    state : Out(16)
        State after the draw; the value of a draw is its low bits.
    """

    def __init__(self, seed: int):
        self.seed = seed
        super().__init__(
            {
                "reseed": In(1),
                "advance": In(1),
                "state": Out(BITS, init=golden.leap(seed)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        following = Signal(BITS)
        m.d.comb += following.eq(leap(self.state))
        with m.If(self.reseed):
            m.d.sync += self.state.eq(golden.leap(self.seed))
        with m.Elif(self.advance):
            m.d.sync += self.state.eq(following)
        return m
