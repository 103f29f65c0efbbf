"""Model files: whole, equal bytes for equal models, and one clear line for every damage."""

import json
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import archive, config, model, presets
from racewave.golden.errors import BadInput
from racewave.golden.model import Model


def trained() -> Model:
    digits = presets.load("digits")
    rng = np.random.default_rng(0)
    shape = (digits.columns, digits.column.q, digits.column.p)
    return Model(
        digits,
        rng.integers(0, 8, shape, np.uint8),
        rng.integers(-128, 128, (digits.outputs, 10)).astype(np.int8),
        lfsr_states=(4711,),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m.npz"
    model.save(path, trained())
    return path


def assert_equal(found: Model, expected: Model) -> None:
    assert found.config == expected.config
    assert found.lfsr_states == expected.lfsr_states
    for read, written in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(read, written)
    if expected.readout is None:
        assert found.readout is None
    else:
        np.testing.assert_array_equal(found.readout, expected.readout)


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_survives_a_file(name: str, tmp_path: Path):
    fresh = model.initial(presets.load(name), seed=3)
    model.save(tmp_path / "m.npz", fresh)
    assert_equal(model.load(tmp_path / "m.npz"), fresh)


def test_trained_model_survives_a_file(saved: Path):
    assert_equal(model.load(saved), trained())


def test_equal_models_are_equal_bytes(saved: Path, tmp_path: Path):
    model.save(tmp_path / "again.npz", model.load(saved))
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_lone_column_is_stored_q_x_p(tmp_path: Path):
    model.save(tmp_path / "m.npz", model.initial(presets.load("cmu-cvt")))
    with np.load(tmp_path / "m.npz", allow_pickle=False) as file:
        assert file["weights"].shape == (12, 32)
        assert json.loads(str(file["config"]))["column"]["theta"] == 40


def test_initial_weights():
    rtnn = presets.load("rtnn-v8")
    weights = model.initial(rtnn, seed=1).weights
    assert set(np.unique(weights)) == {0, 1}
    np.testing.assert_array_equal(weights, model.initial(rtnn, seed=1).weights)
    assert (weights != model.initial(rtnn, seed=2).weights).any()
    assert model.initial(presets.load("cmu-cvt")).weights.max() == 0


def check_damage(unit: ModuleType, saved: Path, tmp_path: Path) -> None:
    """Every file cut short, and bytes changed all over it: BadInput or, rarely, the same model."""
    data = saved.read_bytes()
    broken = tmp_path / "broken.npz"
    for length in [*range(0, len(data), 97), len(data) - 1]:
        broken.write_bytes(data[:length])
        with pytest.raises(BadInput) as caught:
            unit.load(broken)
        assert "\n" not in str(caught.value)
    directory = data.index(b"PK\x01\x02")
    for at in [*range(0, directory, 13), *range(directory, len(data))]:
        broken.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        complaint = ""
        try:
            found = unit.load(broken)
        except BadInput as error:
            complaint = str(error)
        if complaint:
            assert str(broken) in complaint
            assert "\n" not in complaint
        else:  # a byte that carries nothing, such as a date
            assert_equal(found, trained())


def test_truncated_or_edited(saved: Path, tmp_path: Path):
    check_damage(model, saved, tmp_path)


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    return archive.read(path, "model")


def change_config(config: np.ndarray, old: str, new: str) -> np.ndarray:
    assert old in str(config)
    return np.array(str(config).replace(old, new))


EDITS = {  # array: what becomes of it; and the complaint
    "weights_range": ("weights", "weights + 5", r"weights must be in 0\.\.7 \(w_max\), not"),
    "weights_sign": (
        "weights",
        "weights.astype(int) - 3",
        r"weights must be in 0\.\.7 \(w_max\), not -",
    ),
    "weights_shape": (
        "weights",
        "weights[:-1]",
        r"weights must be \d+ x 12 x 32, not \d+ x 12 x 32",
    ),
    "weights_kind": ("weights", "weights.astype(float)", r"weights must be integers, not float64"),
    "readout_shape": ("readout", "readout[:, :9]", r"readout must be \d+ x 10, not \d+ x 9"),
    "readout_range": (
        "readout",
        "readout.astype(int) + 99",
        r"readout must be in -128\.\.127 \(8 bits\), not",
    ),
    "state": ("lfsr_state", "np.array(0)", r"lfsr_state must be in 1\.\.65535, not 0"),
    "state_shape": ("lfsr_state", "np.zeros(2, int)", r"lfsr_state must be one integer"),
    "config_text": ("config", "np.array('{')", r"config must be a JSON text"),
    "config_list": ("config", "np.array('[]')", r"config must be a JSON object"),
    "config_kind": ("config", "np.array(3)", r"config must be a JSON text"),
    "config_value": (
        "config",
        "change_config(config, '\"theta\": 60', '\"theta\": 999')",
        r"theta must be in",
    ),
    "config_key": (
        "config",
        "change_config(config, '\"theta\"', '\"thete\"')",
        r"did you mean 'theta'",
    ),
    "format": ("format", "np.array(2)", r"format must be 1, not 2"),
    "extra": ("virus", "weights", r"must not contain 'virus'"),
    "no_weights": ("weights", "", r"must contain 'weights', not only"),
    "no_config": ("config", "", r"must contain 'config', not only"),
}


def write_edited(path: Path, saved: Path, name: str, expression: str) -> None:
    arrays = arrays_of(saved)
    changed = eval(expression, globals() | arrays) if expression else None
    if changed is None:
        del arrays[name]
    else:
        arrays[name] = changed
    np.savez(path, **arrays)


@pytest.mark.parametrize("edit", EDITS)
def test_edited_array(edit: str, saved: Path, tmp_path: Path):
    name, expression, message = EDITS[edit]
    edited = tmp_path / "edited.npz"
    write_edited(edited, saved, name, expression)
    with pytest.raises(BadInput, match=message) as caught:
        model.load(edited)
    assert str(caught.value).startswith(f"model file '{edited}'")


def test_readout_without_a_table(tmp_path: Path):
    lone = model.initial(presets.load("cmu-cvt"))
    np.savez(tmp_path / "m.npz", **model.to_arrays(lone), readout=np.zeros((12, 10), np.int8))
    with pytest.raises(BadInput, match=r"readout must come with a \[readout\] table"):
        model.load(tmp_path / "m.npz")


class Trap:
    """Pickles into a call that would leave a trace."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickle_inside_is_never_opened(saved: Path, tmp_path: Path):
    trace = tmp_path / "trace"
    arrays = arrays_of(saved)
    arrays["weights"] = np.array([Trap(trace)], dtype=object)
    np.savez(tmp_path / "p.npz", **arrays, allow_pickle=True)
    with pytest.raises(BadInput, match="must not contain pickled objects"):
        model.load(tmp_path / "p.npz")
    assert not trace.exists()


def test_header_that_promises_too_much(saved: Path, tmp_path: Path):
    with zipfile.ZipFile(saved) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    weights = members["weights.npy"]
    members["weights.npy"] = weights.replace(b", 12, 32)", b",120,320)")
    assert members["weights.npy"] != weights
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as bundle:
        for name, data in members.items():
            bundle.writestr(name, data)
    with pytest.raises(BadInput, match=r"broken array 'weights\.npy': wrong size"):
        model.load(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kinds.check(readout, config)", "readout"),
        ("if unknown:", "if False:"),
        ("_check_states(tuple(lfsr_states) or seeds, len(seeds))", "tuple(lfsr_states)"),
    ],
)
def test_planted_bug(old: str, new: str, saved: Path, tmp_path: Path):
    unit = mutated(model, old, new)
    with pytest.raises(pytest.fail.Exception):
        check_edits(unit, saved, tmp_path)


def check_edits(unit: ModuleType, saved: Path, tmp_path: Path) -> None:
    for name, expression, message in EDITS.values():
        write_edited(tmp_path / "e.npz", saved, name, expression)
        with pytest.raises(BadInput, match=message):
            unit.load(tmp_path / "e.npz")


def test_not_a_file(tmp_path: Path):
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        model.load(tmp_path / "none.npz")
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        model.load(tmp_path)
    with pytest.raises(BadInput, match=r"output file .* cannot be written: No such file"):
        model.save(tmp_path / "no" / "m.npz", trained())


def test_a_failed_write_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch):
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.os, "replace", full)
    with pytest.raises(BadInput, match="cannot be written: No space left on device"):
        model.save(saved, model.initial(config.Config()))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["m.npz"]
