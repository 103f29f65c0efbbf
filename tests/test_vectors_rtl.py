"""The contract's vectors on generated Verilog."""

from __future__ import annotations

import numpy as np
import pytest
import shared
from numpy.testing import assert_array_equal

from racewave.golden import model
from racewave.golden.config import Config
from racewave.sim.rtl import Core
from racewave.sim.simulators import pick


def usable(simulator: str) -> str:
    """A simulator's name, or a skip that says why it is not here."""
    try:
        return pick(simulator).name
    except ValueError as error:
        pytest.skip(str(error))


def check(number: int, simulator: str) -> None:
    """Play a vector frozen, then learning, from the weights of the file."""
    case = shared.vector(number)
    config = Config(name="vector", column=case["column"])
    start = model.initial(config).with_weights(case["weights"])
    volleys = case["volleys"]
    with Core(config, simulator) as core:
        core.write(start)
        frozen = core.play(volleys)
        assert_array_equal(frozen.times, case["times"])
        assert_array_equal(core.read()[0][0], case["weights"])
        learnt = core.play(volleys, learn=True)
        assert_array_equal(learnt.times, case["learn_times"])
        assert_array_equal(core.read()[0][0], case["learn_weights"])
    assert frozen.times.dtype == learnt.times.dtype == np.uint8


@pytest.mark.parametrize("number", range(shared.CASES))
def test_vector_on_verilator(number):
    check(number, usable("verilator"))


@pytest.mark.parametrize("number", [1, 3, 6])
def test_vector_on_icarus(number):
    check(number, usable("icarus"))
