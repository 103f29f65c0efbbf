"""The formulas for the clocks of folded hardware, against the cycle counter."""

import numpy as np
import pytest
from folded_bench import Waves, play
from mutants import mutated

from racewave.golden import config, model
from racewave.hw import folded_latency
from racewave.hw.folded_latency import ENDS, alone_cycles, column_cycles

SHAPES = [  # field, image, w_max, engines, classes
    (4, 6, 7, 1, 10),  # spikes decide
    (3, 5, 7, 1, 10),  # steps decide
    (3, 5, 7, 3, 10),
    (3, 4, 3, 1, 10),
    (2, 4, 3, 1, 10),  # sums of the wave before decide
    (2, 4, 7, 9, 10),  # one column per engine
    (2, 3, 7, 2, 30),  # many classes
]


def network(field, image, w_max, engines, classes, learning=False):
    """Strong weights and one winner: the k-WTA never stops a column, every column has a winner."""
    hardware = {"micro_architecture": "folded", "engines": engines, "learning": learning}
    tables = {
        "column": {"q": 2, "theta": w_max, "w_max": w_max},
        "input": {"image": [image, image], "encoder": "posneg"},
        "layer": [{"field": field, "stride": 1}],
        "readout": {"classes": classes},
        "hardware": hardware,
    }
    return config.from_dict(tables)


def cycles(built, learn=False, report=False, count=5):
    """Clocks of every wave."""
    column = built.column
    shape = (built.columns, column.q, column.p)
    table = np.zeros((built.outputs, built.readout.classes), np.int8)
    given = model.Model(built, np.full(shape, column.w_max, np.uint8), table)
    bright = np.random.default_rng(0).random((count, built.lines // 2)) < 0.5
    lines = np.stack([np.where(bright, 0, column.none), np.where(bright, column.none, 0)], -1)
    volleys = lines.reshape(count, -1).astype(column.times_dtype)
    return play(given, Waves(volleys, learn, report)).cycles


@pytest.mark.parametrize("shape", SHAPES)
def test_frozen_waves_in_a_row(shape):
    built = network(*shape)
    found = cycles(built)[2:-1]  # not the first, and not the last, which nothing follows
    most = folded_latency.wave_cycles(built)
    exact = column_cycles(built, built.stages[0]) == built.column.steps + 3 or shape == SHAPES[0]
    assert np.ptp(found) == 0
    assert 0 <= most - found[0] <= (0 if exact else 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_waves_that_report(shape):
    built = network(*shape)
    stage = built.stages[0]
    found = cycles(built, report=True)
    most = alone_cycles(built, stage)
    assert found.min() >= most - 8
    assert found.max() <= most + 2


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_learning_waves(shape):
    built = network(*shape, learning=True)
    found = cycles(built, learn=True)[1:]
    most = folded_latency.wave_cycles(built, learn=True)
    assert found.min() >= most - ENDS
    assert found.max() <= most


@pytest.mark.parametrize(
    ("old", "new"), [("decide_cycles(column)]", "decide_cycles(column) - 1]"), ("+ 7\n", "+ 6\n")]
)
def test_planted_bug(old, new, monkeypatch):
    broken = mutated(folded_latency, old, new)
    monkeypatch.setattr(folded_latency, "wave_cycles", broken.wave_cycles)

    def check() -> None:
        for shape in SHAPES:
            test_frozen_waves_in_a_row(shape)

    with pytest.raises(AssertionError):
        check()
