"""Training: the same bytes every time, resumed or not; checkpoints trusted in nothing."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import (
    archive,
    config,
    data,
    encoders,
    fits,
    job,
    model,
    network,
    presets,
    train,
)
from racewave.golden.errors import BadInput

pytest.importorskip("torch", reason="training needs torch")
from racewave.golden import regression

WAVES = 2 * 300  # passes x images of SMALL


def small(**changes: object) -> config.Config:
    table = {"images": 300, "passes": 2, "readout_images": 400, "epochs": 3, "batch": 64}
    tables = presets.load("digits").to_dict()
    tables["train"] = {**tables["train"], **table, **changes}
    return config.from_dict(tables)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train, "PIXEL_STEPS", 500)


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits")


@pytest.fixture(scope="module")
def whole(digits: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Model file of a run that nothing interrupted."""
    path = tmp_path_factory.mktemp("whole") / "m.npz"
    report = train.train(small(), digits, path, seed=5, compare=False)
    assert report.finished
    assert not job.checkpoint_path(path).exists()
    return path.read_bytes()


def check_resume(stop: int, whole: bytes, digits: data.Dataset, path: Path) -> None:
    done: list[tuple[str, int, int]] = []
    again = {"seed": 5, "compare": False, "progress": lambda *event: done.append(event)}
    report = train.train(small(), digits, path, stop_after_waves=stop, **again)
    assert not report.finished
    assert not path.exists()
    report = train.train(small(), digits, path, resume=True, **again)
    assert report.finished
    assert path.read_bytes() == whole
    assert len(set(done)) == len(done)  # nothing was done twice


@pytest.mark.parametrize("stop", [0, 1, 299, 300, 450, WAVES, WAVES + 1, WAVES + 800])
def test_resumed_run_ends_in_the_same_bytes(
    stop: int, whole: bytes, digits: data.Dataset, tmp_path: Path
):
    check_resume(stop, whole, digits, tmp_path / "m.npz")


def test_resumed_twice(digits: data.Dataset, tmp_path: Path):
    """With all that a run can have: distorted images, averaged weights, winners of their own."""
    path = tmp_path / "m.npz"
    built = small(shifts=1, rotate=8, bend=0.3, average=0.6, winners=2)
    train.train(built, digits, path, compare=False)
    whole = path.read_bytes()
    path.unlink()
    for stop, resume in ((100, False), (WAVES + 800, True), (None, True)):
        train.train(built, digits, path, resume=resume, stop_after_waves=stop, compare=False)
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('self._sum.copy_(torch.from_numpy(arrays["fit_sum"]))', "pass"),
        ('int(arrays["fit_steps"]), int(arrays["fit_summed"])', 'int(arrays["fit_steps"]), 0'),
        ("self._sum += self._weight.detach()", "self._sum = self._weight.detach()"),
    ],
)
def test_planted_bug_in_averages(old: str, new: str):
    with pytest.raises(AssertionError):
        check_averages(mutated(regression, old, new))


def check_averages(unit: ModuleType) -> None:
    """The weights are the mean over the last steps, one step being one epoch; interrupted, too."""
    labels, slots = np.array([0, 1, 1]), np.array([[0, 1], [1, 2], [2, 3]], np.int32)
    settings = config.TrainConfig(epochs=10, average=0.3)
    fit = unit.WinnerFit(3, 2, settings)
    after = []
    for _ in range(10):
        fit.run_epoch(slots, labels)
        state = fit.state()
        after.append(state["fit_weight"])
        fit = unit.WinnerFit(3, 2, settings)
        fit.restore(state)
    np.testing.assert_allclose(fit.table, np.mean(after[-3:], axis=0)[:3], rtol=1e-6)
    assert np.abs(fit.table - after[-1][:3]).max() > 0


def test_averages():
    check_averages(regression)


def test_rate_falls_along_half_a_cosine(monkeypatch: pytest.MonkeyPatch):
    rates: list[float] = []
    monkeypatch.setattr(regression.WinnerFit, "_descend", lambda self, rate: rates.append(rate))
    fit = regression.WinnerFit(3, 2, config.TrainConfig(epochs=2, batch=1, learning_rate=8))
    for _ in range(2):
        fit.run_epoch(np.array([[0], [1]], np.int32), np.array([0, 1]))
    np.testing.assert_allclose(rates, [8, 4 + 8**0.5, 4, 4 - 8**0.5])


def check_winners(digits: data.Dataset, folder: Path) -> None:
    """Columns that learn with one winner and are read with two: learnt as with k = 1."""
    trained = []
    for k, winners in ((2, 1), (1, None), (2, None)):
        tables = small(**({} if winners is None else {"winners": winners})).to_dict()
        tables["column"]["k"] = k
        train.train(config.from_dict(tables), digits, folder / "m.npz", compare=False)
        trained.append(model.load(folder / "m.npz"))
    np.testing.assert_array_equal(trained[0].weights, trained[1].weights)
    assert (trained[0].weights != trained[2].weights).any()
    volleys = encoders.encode(digits.test_images, trained[0].config)
    won = (network.run(trained[0], volleys).times != 7).reshape(len(volleys), -1, 12).sum(axis=2)
    assert won.max() == 2


def test_winners_while_learning(digits: data.Dataset, tmp_path: Path):
    check_winners(digits, tmp_path)


def test_winners_of_every_layer():
    tables = deep("linear").to_dict()
    tables["layer"][1]["column"]["k"] = 2
    tables["train"]["winners"] = 3
    built = config.from_dict(tables)
    assert [stage.column.k for stage in built.stages] == [1, 2]
    assert [stage.column.k for stage in job._learner(built).stages] == [3, 3]
    tables["train"]["winners"] = 7
    with pytest.raises(BadInput, match=r"train.winners must be in 1\.\.6 \(q neurons\), not 7"):
        config.from_dict(tables)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("config=_learner(config)", "config=config"),
        ("learner = replace(self.model,", "learner = self.model = replace(self.model,"),
    ],
)
def test_planted_bug_in_winners(
    old: str, new: str, digits: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(train, "Job", mutated(job, old, new).Job)
    with pytest.raises(AssertionError):
        check_winners(digits, tmp_path)


def test_random_weights_get_so_many_images(
    digits: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(train, "RANDOM_IMAGES", 850)
    events: list[tuple[str, int, int]] = []
    report = train.train(small(), digits, tmp_path / "m.npz", progress=lambda *e: events.append(e))
    assert (report.epochs, report.random_epochs) == (3, 2)
    assert [event for event in events if event[0] == "random weights"][-1][1:] == (2, 2)


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        (job, "learn=True, states=self.model.lfsr_states", "learn=True"),
        (job, 'self.waves = int(arrays["waves"])', 'self.waves = int(arrays["waves"]) + 1'),
        (job, "fit.restore(self.fit_arrays)", "pass"),
        (regression, 'self.epoch = int(arrays["fit_epoch"])', "self.epoch = 0"),
    ],
)
def test_planted_bug(
    unit: ModuleType,
    old: str,
    new: str,
    whole: bytes,
    digits: data.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    mutant = mutated(unit, old, new)
    if unit is job:
        monkeypatch.setattr(train, "Job", mutant.Job)
    else:
        monkeypatch.setattr(regression, "WinnerFit", mutant.WinnerFit)
    with pytest.raises(AssertionError):
        check_both_phases(whole, digits, tmp_path)


def check_both_phases(whole: bytes, digits: data.Dataset, tmp_path: Path) -> None:
    for stop in (150, WAVES + 400):
        check_resume(stop, whole, digits, tmp_path / f"{stop}.npz")


def test_threads_do_not_count(whole: bytes, digits: data.Dataset, tmp_path: Path, monkeypatch):
    import torch

    from racewave.golden import fast

    before = torch.get_num_threads()
    monkeypatch.setattr(fast, "threads", lambda: 3)
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            train.train(small(), digits, tmp_path / "m.npz", seed=5, compare=False)
            assert torch.get_num_threads() == threads
            assert (tmp_path / "m.npz").read_bytes() == whole
    finally:
        torch.set_num_threads(before)


def test_seed_decides(whole: bytes, digits: data.Dataset, tmp_path: Path):
    report = train.train(small(), digits, tmp_path / "m.npz", seed=6, compare=False)
    assert report.seed == 6
    assert (tmp_path / "m.npz").read_bytes() != whole
    assert model.load(tmp_path / "m.npz").config.train.seed == 6


def test_report_counts_what_the_model_does(digits: data.Dataset, tmp_path: Path):
    stages: list[tuple[str, int, int]] = []
    path = tmp_path / "m.npz"
    report = train.train(small(), digits, path, progress=lambda *event: stages.append(event))
    trained = model.load(path)
    for form in ("fast", "reference"):
        classes = network.classify(trained, digits.test_images, form)
        assert int((classes == digits.test_labels).sum()) == report.correct
    assert report.tested == 360
    assert report.accuracy == round(100 * report.correct / 360, 2)
    assert report.column_waves == WAVES
    assert set(report.baselines) == {"random weights", "raw pixels"}
    assert report.baselines["raw pixels"] > 80
    assert ("columns", WAVES, WAVES) in stages
    assert stages[-1][0] == "raw pixels"
    assert trained.weights.max() > 1
    assert report.to_dict()["model"] == str(path)


def test_columns_learn_without_labels(digits: data.Dataset, tmp_path: Path):
    """Other labels, other read-out, the same columns."""
    wrong = replace(digits, train_labels=(digits.train_labels + 1) % 10)
    for name, dataset in (("a", digits), ("b", wrong)):
        train.train(small(), dataset, tmp_path / f"{name}.npz", compare=False)
    a, b = (model.load(tmp_path / f"{name}.npz") for name in "ab")
    np.testing.assert_array_equal(a.weights, b.weights)
    assert a.readout is not None
    assert (a.readout != b.readout).any()


def test_fewer_images(digits: data.Dataset, tmp_path: Path):
    report = train.train(small(), digits, tmp_path / "m.npz", images=50, compare=False)
    assert report.column_waves == 2 * 50
    assert report.readout_images == 50


def test_network_without_readout(digits: data.Dataset, tmp_path: Path):
    tables = small().to_dict()
    del tables["readout"]
    report = train.train(config.from_dict(tables), digits, tmp_path / "m.npz")
    assert report.finished
    assert report.accuracy is None
    assert model.load(tmp_path / "m.npz").readout is None


@pytest.fixture
def stopped(digits: data.Dataset, tmp_path: Path) -> Path:
    """Model path of a run stopped in the read-out."""
    path = tmp_path / "m.npz"
    train.train(small(), digits, path, stop_after_waves=WAVES + 1, compare=False)
    return path


EDITS = {
    "waves": ("waves", lambda value: None, "must be whole: 'waves'"),
    "weights": ("weights", lambda value: value + 9, r"weights must be in 0\.\.7"),
    "state": ("lfsr_state", lambda value: value * 0, "lfsr_state must be"),
    "mean": ("fit_mean", lambda value: value[:-1], "must be whole: fit_mean"),
    "epoch": ("fit_epoch", lambda value: None, "must be whole: 'fit_epoch'"),
    "other": ("run", lambda value: np.array("x"), "must be of the same config, data"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_checkpoint(edit: str, stopped: Path, digits: data.Dataset):
    name, change, message = EDITS[edit]
    path = job.checkpoint_path(stopped)
    arrays = archive.read(path, "checkpoint")
    changed = change(arrays[name])
    if changed is None:
        del arrays[name]
    else:
        arrays[name] = changed
    archive.write(path, arrays)
    with pytest.raises(BadInput, match=message):
        train.train(small(), digits, stopped, resume=True, compare=False)


def test_checkpoint_of_another_run(stopped: Path, digits: data.Dataset):
    for built, seed, images in ((small(epochs=4), 0, None), (small(), 1, None), (small(), 0, 50)):
        with pytest.raises(BadInput, match="must be of the same config, data, seed and images"):
            train.train(built, digits, stopped, seed, True, images, compare=False)
    flipped = replace(digits, train_images=digits.train_images[:, ::-1])
    with pytest.raises(BadInput, match="must be of the same config, data, seed and images"):
        train.train(small(), flipped, stopped, resume=True, compare=False)


def test_nothing_to_resume(digits: data.Dataset, tmp_path: Path):
    with pytest.raises(BadInput, match=r"checkpoint file .* cannot be read: No such file"):
        train.train(small(), digits, tmp_path / "m.npz", resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"images": 0}, "images must be 1 or more, not 0"),
        ({"stop_after_waves": -1}, "stop_after_waves must be 0 or more, not -1"),
    ],
)
def test_bad_arguments(arguments: dict, message: str, digits: data.Dataset, tmp_path: Path):
    with pytest.raises(BadInput, match=message):
        train.train(small(), digits, tmp_path / "m.npz", **arguments)


def test_lone_column_and_wrong_size(digits: data.Dataset, tmp_path: Path):
    with pytest.raises(BadInput, match=r"cmu-cvt must have an \[input\] table"):
        train.train(presets.load("cmu-cvt"), digits, tmp_path / "m.npz")
    with pytest.raises(BadInput, match="images of digits must be 28 x 28"):
        train.train(presets.load("mnist-49"), digits, tmp_path / "m.npz")


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_table(bits: int):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 10)).astype(np.float32)
    most = 2 ** (bits - 1) - 1
    rows = regression.quantise(table, bits)
    assert rows.dtype == np.int8
    assert np.abs(rows).max() == most
    centred = table - table.mean(axis=1, keepdims=True)
    step = np.abs(centred).max() / most
    assert np.abs(rows * step - centred).max() <= step * 0.5001
    slots = rng.integers(0, 51, (300, 7)).astype(np.int32)
    padded = np.concatenate([table, np.zeros((1, 10), np.float32)])
    labels = padded[slots].sum(axis=1).argmax(axis=1)
    chosen = regression.quantise(table, bits, slots, labels)
    right = [regression._count_right(r, slots, labels) for r in (rows, chosen)]
    assert right[1] >= right[0]
    assert right[1] >= {2: 150, 4: 250, 8: 295}[bits]


def deep(kind: str, **changes: object) -> config.Config:
    """Two layers, the second trained on what the first fires in the same wave."""
    tables = small(**{"epochs": 2, **changes}).to_dict()
    tables["layer"] = [
        {"field": 4, "stride": 2},
        {"field": 2, "stride": 1, "column": {"q": 6, "theta": 8, "u_search": 200, "seed": 99}},
    ]
    tables["readout"] = {"kind": kind}
    tables["hardware"] = {"micro_architecture": "folded"}
    return config.from_dict(tables)


def small_with(kind: str) -> config.Config:
    """`small` with another read-out."""
    tables = small().to_dict()
    hardware = {"micro_architecture": "folded"}
    return config.from_dict({**tables, "readout": {"kind": kind}, "hardware": hardware})


KINDS = ("linear", "perceptron", "dual-voter", "tally")


def check_kind(kind: str, digits: data.Dataset, folder: Path, **changes: object) -> None:
    """Interrupted in the columns and in the read-out, the run still ends in the same bytes."""
    built = deep(kind, **changes)
    report = train.train(built, digits, folder / "whole.npz", compare=False)
    trained = model.load(folder / "whole.npz")
    assert [int(w.max()) > 1 for w in trained.layers] == [True, True]
    assert len(set(trained.lfsr_states)) == 2
    classes = network.classify(trained, digits.test_images, "reference")
    assert int((classes == digits.test_labels).sum()) == report.correct
    path = folder / "m.npz"
    for stop, resume in ((250, False), (WAVES + 1, True), (None, True)):
        if not path.exists():  # a tally without shifts needs one epoch only
            train.train(built, digits, path, resume=resume, stop_after_waves=stop, compare=False)
    assert path.read_bytes() == (folder / "whole.npz").read_bytes()


@pytest.mark.parametrize("shifts", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_on_two_layers(kind: str, shifts: int, digits: data.Dataset, tmp_path: Path):
    check_kind(kind, digits, tmp_path, shifts=shifts)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("dual-voter", 'kinds.check(arrays["fit_table"], self._config)', "self._table"),
        ("dual-voter", 'self.epoch = int(arrays["fit_epoch"])', "pass"),
        ("perceptron", 'kinds.check(arrays["fit_table"], self._config)', "self._table"),
        ("tally", 'arrays["fit_counts"].copy()', "self._counts"),
    ],
)
def test_planted_bug_in_fits(
    kind: str,
    old: str,
    new: str,
    digits: data.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(job, "fits", mutated(fits, old, new))
    with pytest.raises((AssertionError, AttributeError)):
        check_kind(kind, digits, tmp_path, shifts=1)


@pytest.mark.parametrize("kind", ["perceptron", "dual-voter"])
def test_training_is_what_the_network_learns_on_line(
    kind: str, digits: data.Dataset, tmp_path: Path
):
    """Training on line is one run of labelled waves, columns frozen, in the seed's order."""
    built = small_with(kind)
    train.train(built, digits, tmp_path / "m.npz", compare=False)
    trained = model.load(tmp_path / "m.npz")
    shown, labels = digits.train_images[:400], digits.train_labels[:400].astype(int)
    orders = [np.random.default_rng([0, epoch, 1]).permutation(400) for epoch in range(3)]
    order = np.concatenate(orders)
    waves = encoders.encode(shown[order], trained.config)
    blank = replace(trained, readout=model.initial(trained.config).readout)
    result = network.run(blank, waves, labels=labels[order])
    np.testing.assert_array_equal(result.readout, trained.readout)
    assert (result.classes[-400:] == labels[orders[-1]]).mean() > 0.5


def test_tally_counts_winners(digits: data.Dataset, tmp_path: Path):
    built = small_with("tally")
    report = train.train(built, digits, tmp_path / "m.npz", compare=False)
    trained = model.load(tmp_path / "m.npz")
    waves = encoders.encode(digits.train_images[:400], trained.config)
    times = network.run(trained, waves).times
    labels = digits.train_labels[:400]
    for output, label in enumerate(trained.readout):
        seen = np.bincount(labels[times[:, output] != 7], minlength=10)
        assert label == (seen.argmax() if seen.any() else 255)
    assert report.epochs == 1
    assert report.accuracy > 30


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("dual-voter", "fit_table", "must be whole: fit_table"),
        ("tally", "fit_counts", "must be whole: fit_counts"),
    ],
)
def test_edited_checkpoint_of_a_voter(
    kind: str, name: str, message: str, digits: data.Dataset, tmp_path: Path
):
    path = tmp_path / "m.npz"
    train.train(deep(kind, shifts=1), digits, path, stop_after_waves=WAVES + 1, compare=False)
    arrays = archive.read(job.checkpoint_path(path), "checkpoint")
    archive.write(job.checkpoint_path(path), arrays | {name: arrays[name][:-1]})
    with pytest.raises(BadInput, match=message):
        train.train(deep(kind, shifts=1), digits, path, resume=True, compare=False)


def test_four_bits_are_enough(digits: data.Dataset, tmp_path: Path):
    found = []
    for bits in (8, 4):
        tables = small(images=1437, readout_images=1437, epochs=20).to_dict()
        tables["layer"][0]["stride"] = 2
        tables["readout"]["bits"] = bits
        report = train.train(config.from_dict(tables), digits, tmp_path / "m.npz", compare=False)
        found.append(report.accuracy)
        table = model.load(tmp_path / "m.npz").readout
        assert np.abs(table.astype(int)).max() == 2 ** (bits - 1) - 1
    assert found[1] >= found[0] - 2
