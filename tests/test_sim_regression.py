"""Learning on chip at full size: a network's first look at MNIST, every weight compared."""

from __future__ import annotations

import pytest
import shared

from racewave.golden import data, encoders, model, presets
from racewave.golden.config import Config, from_dict
from racewave.golden.errors import BadInput
from racewave.sim.cosim import cosim
from racewave.sim.simulators import pick


def learning(engines: int = 1) -> Config:
    """`mnist-625` with STDP on few engines."""
    tables = presets.load("mnist-625").to_dict()
    hardware = {"micro_architecture": "folded", "engines": engines, "learning": True}
    return from_dict({**tables, "hardware": hardware})


def play(images: int, **options):
    """Co-simulate the first training images, from the weights that training begins with."""
    dataset = data.load("mnist", shared.folder("mnist"))
    try:
        pick("verilator")
    except BadInput as error:
        pytest.skip(str(error))
    config = learning()
    volleys = encoders.encode(dataset.train_images[:images], config, 0)
    return cosim(model.initial(config), volleys, learn=True, simulator="verilator", **options)


def test_mnist_625_learns_on_one_engine():
    report = play(48, every=47)
    assert report.equal, report.mismatch
    assert report.cycles is not None
    assert 20_000 < report.cycles[0] <= report.cycles[1] < 40_000


@pytest.mark.slow
def test_mnist_625_learns_from_60000_images_on_one_engine(capsys):
    """Some 1.8 billion clocks: 10 minutes on a core that has nothing else to do."""
    report = play(60_000, report=False)
    with capsys.disabled():
        clocks = report.cycles[2] * report.waves / report.seconds / 1e6
        print(f"\n{report.waves:,} images in {report.seconds:.0f} s, {clocks:.1f} million clocks/s")
    assert report.equal, report.mismatch
    assert report.checked == 60_000
