"""Networks of several layers: wave by wave against plain loops, both forms, files, training."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated
from networks import random_images, random_model, random_network

from racewave.golden import (
    archive,
    config,
    encoders,
    layer,
    model,
    network,
    perceptron,
    volleys,
    voter,
)
from racewave.golden.errors import BadInput
from racewave.golden.volleys import Volleys

SEEDS = range(12)
KINDS = ("linear", "dual-voter", "tally", "perceptron")


def play_waves(given: model.Model, times: np.ndarray, learn: bool):
    """Every wave through every layer in turn, each column from its own few lines."""
    built = given.config
    layers, states = list(given.layers), [s.column.seed for s in built.stages]
    found = []
    for volley in times:
        outs, before = [], list(layers)
        for stage in built.stages:
            lines = volley if stage.source < 0 else outs[stage.source]
            column = stage.column
            came = [int(t) if t < column.t_in else column.none for t in lines]
            fields = np.array([[came[line] for line in row] for row in stage.field_lines()])
            out, layers[stage.index], states[stage.index] = layer.step(
                fields, before[stage.index], states[stage.index], column, learn
            )
            outs.append(out.reshape(-1))
        found.append(np.concatenate([outs[stage.index] for stage in built.finals]))
    return np.array(found), layers, states


def check(unit: ModuleType, seed: int, learn: bool) -> None:
    kind = KINDS[seed % 4]
    built = random_network(seed, kind)
    given = random_model(built, seed)
    times = encoders.encode(random_images(built, seed, 30), built)
    labels = np.random.default_rng(seed).integers(-1, 3, 30)
    expected, layers, states = play_waves(given, times, learn)
    runs = [unit.run(given, times, learn, form, labels) for form in ("fast", "reference")]
    for found in runs:
        np.testing.assert_array_equal(found.times, expected)
        assert found.times.shape == (30, built.outputs)
        for after, wanted in zip(found.layers, layers, strict=True):
            np.testing.assert_array_equal(after, wanted)
        assert found.states == tuple(states)
        assert (found.readout is not None) == (kind in ("dual-voter", "perceptron"))
    np.testing.assert_array_equal(runs[0].classes, runs[1].classes)
    if given.readout is not None and kind in ("dual-voter", "perceptron"):
        none, least = built.finals[0].column.none, built.readout_times[0]
        if kind == "dual-voter":
            classes, table = voter.run(expected, given.readout, labels, none, least)
        else:
            classes, table = perceptron.run(expected, given.readout, labels, none)
        for found in runs:
            np.testing.assert_array_equal(found.classes, classes)
            np.testing.assert_array_equal(found.readout, table)


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_wave_by_wave(seed: int, learn: bool):
    check(network, seed, learn)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("times if stage.source < 0 else outs[stage.source]", "outs[-1] if outs else times"),
        ("np.where(times < column.t_in, times", "np.where(times < column.t_in - 1, times"),
        ("for stage in model.config.finals]", "for stage in model.config.finals[::-1]]"),
        ("[stage.column.seed for stage in stages]", "[stages[0].column.seed for stage in stages]"),
        ("labels, form)", "None, form)"),
        ("column, learn, state)", "column, learn and not stage.index, state)"),
    ],
)
def test_planted_bug(old: str, new: str):
    unit = mutated(network, old, new)
    with pytest.raises((AssertionError, IndexError, ValueError)):
        check_all(unit)


def check_all(unit: ModuleType) -> None:
    for seed in SEEDS:
        check(unit, seed, True)


def two_layers() -> tuple[model.Model, np.ndarray]:
    """A network of two layers, and volleys for it."""
    seed = next(n for n in SEEDS if len(random_network(n).stages) == 2)
    built = random_network(seed, "dual-voter")
    return random_model(built, seed), encoders.encode(random_images(built, seed, 9), built)


def test_only_layer_is_asked_for():
    given, times = two_layers()
    for holder in (given, network.run(given, times)):
        with pytest.raises(ValueError, match="must be those of 1 layer, not of 2"):
            _ = holder.weights


def test_model_file(tmp_path: Path):
    given, _ = two_layers()
    path = tmp_path / "m.npz"
    moved = model.Model(given.config, given.layers, given.readout, (17, 4711))
    model.save(path, moved)
    found = model.load(path)
    assert found.config == given.config
    assert found.lfsr_states == (17, 4711)
    np.testing.assert_array_equal(found.readout, given.readout)
    for read, written in zip(found.layers, given.layers, strict=True):
        np.testing.assert_array_equal(read, written)
    assert sorted(archive.read(path, "model")) == [
        "config",
        "format",
        "layer0.weights",
        "layer1.weights",
        "lfsr_state",
        "readout",
    ]


FAULTS = {
    "missing": ({"layer1.weights": None}, "'layer1.weights', not as 'layer0.weights'"),
    "all missing": (
        {"layer0.weights": None, "layer1.weights": None},
        "must contain 'layer0.weights', 'layer1.weights', not only 'config'",
    ),
    "plain": ({"weights": np.zeros((1, 2, 3), int)}, "must not contain 'weights'"),
    "third": ({"layer2.weights": np.zeros(3, int)}, "must not contain 'layer2.weights'"),
    "shape": ({"layer1.weights": np.zeros((1, 1), int)}, r"layer1\.weights must be \d+ x .*"),
    "range": ("layer0.weights", r"layer0\.weights must be in 0\.\.\d \(w_max\), not 99"),
    "states": ({"lfsr_state": np.array(3)}, r"lfsr_state must be 2 integers \(layers\)"),
    "state": ({"lfsr_state": np.array([3, 0])}, r"lfsr_state must be in 1\.\.65535, not 0"),
    "counter": ("readout", r"readout must be in 0\.\.224 \(a counter\), not 99|must be"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_edited_model_file(name: str, tmp_path: Path):
    given, _ = two_layers()
    arrays = model.to_arrays(given)
    change, message = FAULTS[name]
    if isinstance(change, str):
        change = {change: arrays[change].astype(int) * 0 + (99 if "layer" in change else 225)}
    edited = {key: value for key, value in (arrays | change).items() if value is not None}
    archive.write(tmp_path / "m.npz", edited)
    with pytest.raises(BadInput, match=message) as caught:
        model.load(tmp_path / "m.npz")
    assert str(caught.value).startswith(f"model file '{tmp_path}/m.npz'")


def test_weights_and_results_pass_through_files(tmp_path: Path):
    given, times = two_layers()
    labels = np.arange(9) % 3
    volleys.save(tmp_path / "in.npz", Volleys(times, labels, given.layers))
    found = volleys.load(tmp_path / "in.npz", given.config)
    assert found.layers is not None
    result = network.run(
        given.with_weights(found.layers), found.times, learn=True, labels=found.labels
    )
    volleys.save_result(tmp_path / "out.npz", result, learned=True)
    arrays = archive.read(tmp_path / "out.npz", "result")
    wanted = ["classes", "layer0.weights", "layer1.weights", "readout", "times"]
    assert sorted(arrays) == wanted
    direct = network.run(given, times, learn=True, labels=labels)
    np.testing.assert_array_equal(arrays["layer1.weights"], direct.layers[1])
    np.testing.assert_array_equal(arrays["readout"], direct.readout)
    archive.write(tmp_path / "half.npz", {"times": times, "layer1.weights": given.layers[1]})
    with pytest.raises(BadInput, match=r"given as 'layer0\.weights', 'layer1\.weights', not as"):
        volleys.load(tmp_path / "half.npz", given.config)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(8, int), r"labels must be 9 integers \(one per wave\), not int64 8"),
        (np.zeros(9), "labels must be 9 integers .*, not float64 9"),
        (np.full(9, 3), r"labels must be in 0\.\.2 \(classes 3\), or negative, not 3"),
    ],
)
def test_bad_labels(labels: np.ndarray, message: str):
    given, times = two_layers()
    with pytest.raises(BadInput, match=message):
        network.run(given, times, labels=labels)


def test_number_of_layers():
    given, _ = two_layers()
    with pytest.raises(BadInput, match="weights must be those of 2 layers, not of 1"):
        model.Model(given.config, given.layers[0])
    with pytest.raises(BadInput, match=r"lfsr_states must be 2 \(layers\), not 3"):
        model.Model(given.config, given.layers, None, (1, 2, 3))


def test_initial_model():
    tables = random_network(2).to_dict()
    tables["column"]["initial_w"] = [0, 1]
    tables["readout"] = {"kind": "dual-voter"}
    built = config.from_dict(tables)
    fresh = model.initial(built, seed=3)
    assert [w.shape for w in fresh.layers] == [stage.shape for stage in built.stages]
    assert fresh.readout is not None
    assert fresh.readout.max() == 0
    assert fresh.lfsr_states == tuple(stage.column.seed for stage in built.stages)
    assert set(np.unique(fresh.layers[0])) == {0, 1}
    for again, other in zip(fresh.layers, model.initial(built, seed=3).layers, strict=True):
        np.testing.assert_array_equal(again, other)
