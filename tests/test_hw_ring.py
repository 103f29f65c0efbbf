"""The ring of weights against a list that turns."""

import random

import pytest
from hw_bench import simulate, unpack
from mutants import mutated

from racewave.hw import ring


def check(synapses, w_bits, module=ring):
    """Turn, replace or stand still, at random; every bit plane shows the list all the time."""
    unit = module.Ring(synapses, w_bits)
    rng = random.Random(synapses)
    weights = [0] * synapses

    async def bench(ctx):
        for _ in range(8 * synapses + 20):
            planes = [unpack(ctx.get(plane), synapses, 1) for plane in unit.planes]
            shown = [sum(plane[i] << b for b, plane in enumerate(planes)) for i in range(synapses)]
            assert shown == weights
            assert ctx.get(unit.word) == weights[0]
            rotate, word = rng.random() < 0.7, rng.getrandbits(w_bits)
            if rng.random() < 0.5:
                word = weights[0]
            ctx.set(unit.rotate, rotate)
            ctx.set(unit.word_in, word)
            await ctx.tick()
            if rotate:
                weights[:] = [*weights[1:], word]

    simulate(unit, bench)


@pytest.mark.parametrize(("synapses", "w_bits"), [(1, 1), (1, 3), (2, 1), (5, 2), (32, 3), (70, 7)])
def test_ring(synapses, w_bits):
    check(synapses, w_bits)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Cat(plane[1:], bit)", "Cat(bit, plane[:-1])"),
        ("Cat(plane[1:], bit)", "Cat(plane[1:], plane[0])"),
        ("with m.If(self.rotate):", "if True:"),
        ("Cat(plane[0] for", "Cat(plane[-1] for"),
    ],
)
def test_planted_bug(old, new):
    with pytest.raises(AssertionError):
        check(5, 2, mutated(ring, old, new))
