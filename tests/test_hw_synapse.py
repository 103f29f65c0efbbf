"""Lines and synapses: what every weight adds for every spike time, side by side in one vector."""

import numpy as np
import pytest
from hw_twins import hw_adds
from mutants import mutated

from racewave.golden import response
from racewave.golden.config import ColumnConfig
from racewave.hw import line, synapse


def lanes(column):
    """Every spike time with every weight."""
    times = [*range(column.t_in), column.none]
    pairs = [(x, w) for x in times for w in range(column.w_max + 1)]
    return np.array(pairs).T


def expected(times, weights, column):
    potentials = [
        response.potentials(np.array([[x]], np.uint8), np.array([[w]], np.uint8), column)[0, 0]
        for x, w in zip(times, weights, strict=True)
    ]
    return np.diff(np.array(potentials, np.int64), axis=1, prepend=0)


def check(column, **options):
    times, weights = lanes(column)
    waves = np.array([times, np.roll(times, 1 + column.w_max), times[::-1]])
    found = hw_adds(waves, weights, column, **options)
    for wave, adds in zip(waves, found, strict=True):
        np.testing.assert_array_equal(adds, expected(wave, weights, column))


@pytest.mark.parametrize("stalls", [0.0, 0.5])
@pytest.mark.parametrize("response", ["rnl", "snl"])
@pytest.mark.parametrize("t_in", [1, 2, 5])
@pytest.mark.parametrize("w_max", [1, 2, 3, 4, 7, 9])
def test_every_time_and_weight(w_max, t_in, response, stalls):
    check(ColumnConfig(p=1, q=1, theta=1, w_max=w_max, t_in=t_in, response=response), stalls=stalls)


RAMP = ColumnConfig(p=1, q=1, theta=1, w_max=5, t_in=6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(wires & ~last)", "wires"),
        ("(age ^ carry) & ~rises", "age ^ carry"),
        ("Mux(self.run, rises | (wires & ~last), 0)", "rises | (wires & ~last)"),
        ("if b < 2 or not late", "if b < 3 or not late"),
        ("m.d.sync += delayed.eq(bits)", "m.d.comb += delayed.eq(bits)"),
    ],
)
def test_planted_bug_in_lines(old, new):
    with pytest.raises(AssertionError):
        check(RAMP, stalls=0.5, lines=mutated(line, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("plane & ~age)\n", "plane | ~age)\n"),
        ("(plane & ~age) | (below", "plane | (below"),
        ("self.wires & below", "below"),
        ("with m.If(self.enable):", "if True:"),
    ],
)
def test_planted_bug_in_synapses(old, new):
    with pytest.raises(AssertionError):
        check(RAMP, stalls=0.5, synapses=mutated(synapse, old, new))
