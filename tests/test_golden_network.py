"""Running models: both forms, every preset, contract vectors from files to files."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import shared
from configs import random_volleys
from mutants import mutated
from networks import random_model

from racewave.golden import config, encoders, kinds, model, network, presets, readout, volleys
from racewave.golden.errors import BadInput


def check(unit: ModuleType, name: str) -> None:
    given = random_model(presets.load(name), 1)
    column = given.config.column
    waves = random_volleys(np.random.default_rng(2), column, 6, given.config.lines)
    for learn in (False, True):
        fast = unit.run(given, waves, learn)
        plain = unit.run(given, waves, learn, form="reference")
        np.testing.assert_array_equal(fast.times, plain.times)
        for after, expected in zip(fast.layers, plain.layers, strict=True):
            np.testing.assert_array_equal(after, expected)
        assert fast.states == plain.states
        assert (fast.states[0] != column.seed) == learn
        assert fast.cycles is None
        assert fast.times.shape == (6, given.config.outputs)
        if given.readout is None:
            assert fast.classes is None
        else:
            none = given.config.finals[0].column.none
            expected = kinds.play(fast.times, given.readout, given.config, None, "reference")[0]
            if given.readout.dtype == np.int8:
                expected = readout.classify(fast.times, given.readout, none)
            np.testing.assert_array_equal(fast.classes, expected)
            np.testing.assert_array_equal(plain.classes, expected)


@pytest.mark.parametrize("name", sorted({*presets.names()} - {"mnist-625", "mnist-625-voter"}))
def test_both_forms_agree(name: str):
    check(network, name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("run_layer = fast.run_layer", "run_layer = lambda t, *a: fast.run_layer(t[::-1], *a)"),
        ("run_layer = layer.run", "run_layer = lambda *a: layer.run(*a[:4])"),
        ("ends.append(end)", "ends.append(state)"),
        ("layers.append(learnt)", "layers.append(given if form == 'fast' else learnt)"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(network, old, new), "digits")


@pytest.mark.parametrize("number", range(shared.CASES))
def test_contract_vector_through_files(number: int, tmp_path: Path):
    case = shared.vector(number)
    built = config.Config(name="contract", column=case["column"])
    np.savez(tmp_path / "in.npz", times=case["volleys"], weights=case["weights"])
    given = volleys.load(tmp_path / "in.npz", built)
    assert given.layers is not None
    ready = model.initial(built).with_weights(given.layers)
    for learn, prefix in ((False, ""), (True, "learn_")):
        result = network.run(ready, given.times, learn)
        volleys.save_result(tmp_path / "out.npz", result, learn)
        with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
            np.testing.assert_array_equal(found["times"], case[f"{prefix}times"])
            if learn:
                np.testing.assert_array_equal(found["weights"], case["learn_weights"])


@pytest.mark.parametrize("form", ["fast", "reference"])
def test_classify_in_blocks(form: network.Form, monkeypatch: pytest.MonkeyPatch):
    given = random_model(presets.load("digits"), 3)
    images = np.random.default_rng(4).integers(0, 256, (25, 8, 8), np.uint8)
    whole = network.run(given, encoders.encode(images, given.config)).classes
    monkeypatch.setattr(network, "BLOCK", 10)
    np.testing.assert_array_equal(network.classify(given, images, form), whole)


def test_bad_volleys():
    with pytest.raises(BadInput, match=r"times must be waves x 32 \(input lines\), not 1 x 4"):
        network.run(model.initial(presets.load("cmu-cvt")), np.zeros((1, 4), np.uint8))
