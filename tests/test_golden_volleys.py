"""Volley files: what is accepted, and one clear line for what is not."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import archive, network, presets, volleys
from racewave.golden.config import ColumnConfig, Config
from racewave.golden.errors import BadInput
from racewave.golden.volleys import Volleys

LONE = Config(column=ColumnConfig(p=3, q=2, theta=4, t_in=4))  # steps 10, no spike 15
TIMES = np.array([[0, 3, 15], [15, 15, 15]], np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_everything_survives_a_file(tmp_path: Path, kind: type):
    weights = np.array([[[0, 7, 1], [2, 3, 4]]], np.uint8)
    given = Volleys(TIMES.astype(kind), np.array([3, 9]), weights)
    volleys.save(tmp_path / "v.npz", given)
    found = volleys.load(tmp_path / "v.npz", LONE)
    np.testing.assert_array_equal(found.times, TIMES)
    assert found.times.dtype == np.uint8
    assert found.labels is not None
    assert found.labels.tolist() == [3, 9]
    assert found.layers is not None
    np.testing.assert_array_equal(found.layers[0], weights)


def test_plain_numpy_file_with_q_x_p_weights(tmp_path: Path):
    np.savez(tmp_path / "v.npz", times=TIMES, weights=np.array([[0, 7, 1], [2, 3, 4]]))
    found = volleys.load(tmp_path / "v.npz", LONE)
    assert found.labels is None
    assert found.layers is not None
    assert found.layers[0].shape == (1, 2, 3)


BAD = {
    "late": (
        {"times": [[0, 4, 15]]},
        r"times must be in 0\.\.3 \(t_in 4\) or 15 \(no spike\), not 4",
    ),
    "code": ({"times": [[0, 255, 15]]}, r"or 15 \(no spike\), not 255"),
    "negative": ({"times": [[0, -1, 15]]}, r"or 15 \(no spike\), not -1"),
    "float": ({"times": [[0.0, 1.0, 2.0]]}, "times must be unsigned integers, not float64"),
    "narrow": ({"times": [[0, 1]]}, r"times must be waves x 3 \(input lines\), not 1 x 2"),
    "flat": ({"times": [0, 1, 2]}, r"times must be waves x 3 \(input lines\), not 3"),
    "missing": ({"labels": [1]}, "must contain 'times', not only 'labels'"),
    "empty": ({}, "must contain 'times', not only nothing"),
    "labels": (
        {"times": TIMES, "labels": [1]},
        r"labels must be 2 integers \(one per wave\), not int64 1",
    ),
    "label_kind": (
        {"times": TIMES, "labels": [0.5, 1]},
        r"labels must be 2 integers .*, not float64 2",
    ),
    "label_sign": ({"times": TIMES, "labels": [0, -1]}, "labels must be 0 or more, not -1"),
    "weights": (
        {"times": TIMES, "weights": [[8, 0, 0]] * 2},
        r"weights must be in 0\.\.7 \(w_max\), not 8",
    ),
    "weights_shape": (
        {"times": TIMES, "weights": [[7, 0]]},
        "weights must be 2 x 3 or 1 x 2 x 3, not 1 x 2",
    ),
    "pickle": ({"times": np.array([None])}, "must not contain pickled objects"),
}


def check(unit: ModuleType, tmp_path: Path) -> None:
    for name, (arrays, message) in BAD.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **{key: np.array(value) for key, value in arrays.items()})
        with pytest.raises(BadInput, match=message) as caught:
            unit.load(path, LONE)
        assert str(caught.value).startswith(f"volley file '{path}'")
        assert "\n" not in str(caught.value)


def test_every_complaint(tmp_path: Path):
    check(volleys, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("times >= column.t_in", "times > column.t_in"),
        ("(times < 0) | ", ""),
        ("labels.shape != (waves,)", "labels.ndim != 1"),
    ],
)
def test_planted_bug(old: str, new: str, tmp_path: Path):
    with pytest.raises(pytest.fail.Exception):
        check(mutated(volleys, old, new), tmp_path)


def test_one_step_says_0(tmp_path: Path):
    np.savez(tmp_path / "v.npz", times=np.ones((1, 32), np.uint8))
    with pytest.raises(BadInput, match=r"times must be 0 \(t_in 1\) or 7 \(no spike\), not 1"):
        volleys.load(tmp_path / "v.npz", presets.load("cmu-cvt"))


@pytest.mark.parametrize("cut", [0, 10, 100, -1])
def test_truncated(tmp_path: Path, cut: int):
    path = tmp_path / "v.npz"
    volleys.save(path, Volleys(TIMES))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadInput, match=r"must be a whole \.npz archive: truncated or edited"):
        volleys.load(path, LONE)


def test_output_file(tmp_path: Path):
    path = tmp_path / "out.npz"
    weights = np.zeros((1, 2, 3), np.uint8)
    result = network.Result(TIMES[:, :2], weights, None, np.array([9, 9]), (5,))
    volleys.save_result(path, result, learned=True)
    found = archive.read(path, "result")
    assert sorted(found) == ["cycles", "times", "weights"]
    assert found["weights"].shape == (2, 3)
    volleys.save_result(path, network.Result(TIMES, weights, np.array([1, 2])), learned=False)
    assert sorted(archive.read(path, "result")) == ["classes", "times"]
