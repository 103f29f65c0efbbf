"""Accuracy rows, and the accuracy that is published, on all test images of MNIST."""

from pathlib import Path

import numpy as np
import pytest
import shared
from mutants import mutated

from racewave.golden import accuracy, config, data, model, network, presets, train
from racewave.golden.errors import BadInput

pytest.importorskip("torch", reason="training needs torch")

LEAST = {"mnist-49": 91.0, "mnist-169": 96.0, "mnist-625": 97.4}


def short(**changes: int) -> config.Config:
    tables = presets.load("digits").to_dict()
    tables["train"] |= {"images": 200, "passes": 1, "epochs": 2, **changes}
    return config.from_dict(tables)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train, "PIXEL_STEPS", 50)


def check_row(unit) -> None:
    row = unit.measure(short(), data.load("digits"), seeds=(3, 4), images=300)
    assert row["seeds"] == [3, 4]
    assert (row["preset"], row["data"], row["tested"]) == ("digits", "digits", 360)
    for name in ("accuracy", "train_accuracy", "random_weights", "raw_pixels"):
        a, b = row[name]["each"]
        assert row[name]["mean"] == pytest.approx((a + b) / 2, abs=0.0051)
        assert row[name]["spread"] == pytest.approx(abs(a - b), abs=0.0051)
        assert 0 < a <= 100
    assert row["accuracy"]["each"] != row["random_weights"]["each"]
    assert row["random_weights"]["each"] != row["raw_pixels"]["each"]


def test_row():
    check_row(accuracy)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max(values) - min(values)", "max(values)"),
        ('report.baselines["raw pixels"]', 'report.baselines["random weights"]'),
        ("dataset, out, seed,", "dataset, out, 3,"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check_row(mutated(accuracy, old, new))


def test_nothing_to_measure():
    with pytest.raises(BadInput, match="seeds must be at least one, not none"):
        accuracy.measure(short(), data.load("digits"), seeds=())
    with pytest.raises(BadInput, match=r"must have a \[readout\] table"):
        accuracy.measure(presets.load("cmu-cvt"), data.load("digits"))


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_published_accuracy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RACEWAVE_DATA", str(shared.folder("mnist")))
    mnist, path = data.load("mnist"), tmp_path / "m.npz"
    report = train.train(presets.load(name), mnist, path, compare=False)
    trained = model.load(path)
    right = network.classify(trained, mnist.test_images) == mnist.test_labels
    assert int(right.sum()) == report.correct
    assert report.tested == 10_000
    assert report.accuracy is not None
    assert report.accuracy >= LEAST[name]
    some = slice(0, 20)  # the reference form takes its time
    plain = network.classify(trained, mnist.test_images[some], "reference")
    np.testing.assert_array_equal(plain == mnist.test_labels[some], right[some])
