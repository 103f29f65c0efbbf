"""Distorted images: as far as asked, anew in every epoch, the same for the same seed."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import augment, fast, sampler
from racewave.golden.config import TrainConfig

ALL = {"shifts": 1.2, "rotate": 10, "scale": 0.12, "shear": 0.12, "bend": 0.6, "gain": 0.25}


def blobs(count: int, rows: int = 28, columns: int = 28) -> np.ndarray:
    """Images of a smooth oblong blob in the middle, dark at the border."""
    y, x = np.mgrid[:rows, :columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    image = 160 * np.exp(-((x / (columns / 6)) ** 2) - (y / (rows / 12)) ** 2)
    return np.repeat(image[None].astype(np.uint8), count, axis=0)


def moments(images: np.ndarray) -> dict[str, np.ndarray]:
    """Centre (y, x), angle of the longer axis in degrees, spread along both axes, and light."""
    light = images.sum(axis=(1, 2), dtype=float)
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]

    def mean(what: np.ndarray) -> np.ndarray:
        return (images * what).sum(axis=(1, 2)) / light

    cy, cx = mean(y), mean(x)
    yy, xx, xy = mean(y**2) - cy**2, mean(x**2) - cx**2, mean(x * y) - cx * cy
    angle = np.rad2deg(np.arctan2(2 * xy, xx - yy)) / 2
    return {"y": cy, "x": cx, "angle": angle, "tall": np.sqrt(yy), "wide": np.sqrt(xx), "n": light}


def sample(image: np.ndarray, matrix: np.ndarray, bend: np.ndarray, gain: float) -> np.ndarray:
    """What the kernel does to one image, written down once more."""
    rows, columns = image.shape
    reach = 40
    wide = np.pad(image.astype(float), reach)
    y, x = np.mgrid[:rows, :columns]
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    a, b, c, d = matrix.astype(float)
    from_y = a * y + b * x + (rows - 1) / 2 + bend[0] + reach
    from_x = c * y + d * x + (columns - 1) / 2 + bend[1] + reach
    top, left = np.floor(from_y).astype(int), np.floor(from_x).astype(int)
    v, h = from_y - top, from_x - left
    upper = (1 - h) * wide[top, left] + h * wide[top, left + 1]
    lower = (1 - h) * wide[top + 1, left] + h * wide[top + 1, left + 1]
    return np.minimum(gain * ((1 - v) * upper + v * lower), 255)


def check_samples(kernel: ModuleType) -> None:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (20, 9, 12), np.uint8)
    maps = augment._draw(20, (9, 12), TrainConfig(**ALL), [7])
    out = np.empty_like(images)
    kernel.sample(images, *maps, out)
    for n in range(20):
        wanted = sample(images[n], maps[0][n], maps[1][:, n], float(maps[2][n]))
        assert np.abs(out[n] - wanted).max() < 0.51


def check_reach(unit: ModuleType) -> None:
    """Each key moves what it should, by as much as it says, to both sides."""
    images = blobs(400)
    was = {name: value[0] for name, value in moments(images).items()}

    def spans(**keys: float) -> dict[str, tuple[float, float]]:
        found = moments(unit.distort(images, TrainConfig(**keys), 0))
        return {name: (v.min() - was[name], v.max() - was[name]) for name, v in found.items()}

    moved = spans(shifts=2)
    for axis in "yx":
        np.testing.assert_allclose(moved[axis], (-2, 2), atol=0.05)
    np.testing.assert_allclose(moved["angle"], (0, 0), atol=0.5)
    turned = spans(rotate=15)
    np.testing.assert_allclose(turned["angle"], (-15, 15), atol=0.6)
    np.testing.assert_allclose(turned["x"], (0, 0), atol=0.05)
    scaled = spans(scale=0.2)
    np.testing.assert_allclose(scaled["wide"], (was["wide"] * -0.17, was["wide"] * 0.25), atol=0.2)
    np.testing.assert_allclose(scaled["angle"], (0, 0), atol=0.5)
    bright = spans(gain=0.25)
    np.testing.assert_allclose(bright["n"], (-was["n"] / 4, was["n"] / 4), rtol=0.05)
    assert np.ptp(spans(shear=0.3)["angle"]) > 3
    bent = spans(bend=1)
    assert 1 < np.ptp(bent["x"]) < 6  # a smooth field moves the whole a little, too
    assert np.ptp(bent["wide"]) > 0.3


def check_seeds(unit: ModuleType) -> None:
    images = blobs(2 * augment.BLOCK, 8, 8)
    first = unit.distort(images, TrainConfig(**ALL), 0)
    np.testing.assert_array_equal(first, unit.distort(images, TrainConfig(**ALL), 0))
    for other in (
        unit.distort(images, TrainConfig(**ALL), 1),
        unit.distort(images, TrainConfig(**ALL, seed=1), 0),
    ):
        assert (first != other).any(axis=(1, 2)).all()
    assert (first[0] != first[1]).any()
    assert (first[: augment.BLOCK] != first[augment.BLOCK :]).any(axis=(1, 2)).mean() > 0.99


def check_splines(unit: ModuleType) -> None:
    """Displacements of all nodes by the same vector move the whole image by it."""
    for side in (5, 8, 28):
        rows = unit._splines(side)
        assert rows.shape == (side, unit.CELLS + 3)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
        assert rows.min() >= 0


CHECKS = {
    check_samples: sampler,
    check_reach: augment,
    check_seeds: augment,
    check_splines: augment,
}


@pytest.mark.parametrize("check", CHECKS)
def test_distort(check):
    check(CHECKS[check])


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        (check_samples, "lower if i else one - lower", "lower if j else one - lower"),
        (check_samples, "0 <= left + j < columns", "0 <= left + j < columns - 1"),
        (check_samples, "+ bend[1, n", "+ bend[0, n"),
        (check_reach, "@ across.T + move", "@ across.T"),
        (check_reach, "np.deg2rad(", "("),
        (check_splines, "distance**3 / 2", "distance**3 / 4"),
        (check_seeds, "[train.seed, epoch, 2, first]", "[train.seed, epoch, 2]"),
        (check_seeds, "[train.seed, epoch, 2, first]", "[train.seed, 2, first]"),
        (check_seeds, "[train.seed, epoch, 2, first]", "[epoch, 2, first]"),
    ],
)
def test_planted_bug(check, old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(CHECKS[check], old, new))


def test_threads_do_not_count(monkeypatch: pytest.MonkeyPatch):
    images = blobs(3 * augment.BLOCK + 1, 8, 8)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(fast, "threads", lambda threads=threads: threads)
        found.append(augment.distort(images, TrainConfig(**ALL), 4))
    np.testing.assert_array_equal(*found)


def test_nothing_to_distort():
    images = blobs(2)
    assert augment.distort(images, TrainConfig(), 0) is images
    for key, value in ALL.items():
        train = TrainConfig(**{key: value})
        assert train.distorts
        assert (augment.distort(images, train, 0) != images).any()
    assert augment.distort(images[:0], TrainConfig(**ALL), 0).shape == (0, 28, 28)
