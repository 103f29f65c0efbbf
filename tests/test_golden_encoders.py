"""Encoders: every pixel value against the formula, and the symmetries of each code."""

from fractions import Fraction
from math import ceil
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import config, encoders, lfsr, presets
from racewave.golden.errors import BadInput

EVERY_PIXEL = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


def network(encoder: str, t_in: int) -> config.Config:
    """One column on a 4x4 image."""
    per_pixel = 1 if encoder in ("intensity", "poisson") else 2
    return config.from_dict(
        {
            "input": {"image": [4, 4], "encoder": encoder},
            "layer": [{"field": 4, "stride": 1}],
            "column": {"p": 16 * per_pixel, "t_in": t_in, "theta": 9},
        }
    )


def check_posneg(unit: ModuleType) -> None:
    times = unit.posneg(EVERY_PIXEL, 1, 7)[0].tolist()
    for pixel in range(256):
        bright = 2 * pixel >= 255
        assert times[2 * pixel : 2 * pixel + 2] == ([0, 7] if bright else [7, 0])


def check_graded(unit: ModuleType) -> None:
    for t_in in (1, 2, 3, 8, 16):
        times = unit.posneg_graded(EVERY_PIXEL, t_in, 99)[0].tolist()
        for pixel in range(256):
            for line, value in ((0, pixel), (1, 255 - pixel)):
                level = value * t_in // 256
                assert times[2 * pixel + line] == (t_in - 1 - level if level else 99)


def check_intensity(unit: ModuleType) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 3, 3), np.uint8)
    images[0] = 0
    images[1] = 255
    images[2, 0] = 1
    for t_in in (1, 4, 8, 16):
        for image, times in zip(images, unit.intensity(images, t_in, 99), strict=True):
            largest = int(image.max())
            for pixel, time in zip(image.reshape(-1).tolist(), times.tolist(), strict=True):
                expected = t_in - ceil(Fraction(pixel * t_in, largest)) if pixel else 99
                assert time == expected


def check_onoff(unit: ModuleType) -> None:
    rng = np.random.default_rng(0)
    images = rng.choice([0, 10, 60, 200, 255], (20, 5, 4)).astype(np.uint8)
    for t_in in (1, 4, 8):
        times = unit.onoff(images, t_in, 99).reshape(20, 5, 4, 2)
        for n, y, x in np.ndindex(20, 5, 4):
            near = [
                int(images[n, min(max(y + dy, 0), 4), min(max(x + dx, 0), 3)])
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
            ]
            contrast = 9 * int(images[n, y, x]) - sum(near)
            time = t_in - 1 - abs(contrast) * t_in // 2048
            expected = [time if contrast >= 255 else 99, time if contrast <= -255 else 99]
            assert times[n, y, x].tolist() == expected
        np.testing.assert_array_equal(
            unit.onoff(255 - images, t_in, 99).reshape(20, 5, 4, 2), times[..., ::-1]
        )


def check_poisson(unit: ModuleType) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 6, 6), np.uint8)
    state, drawn = 99, []
    for _ in range(30 * 4 * 36):
        value, state = lfsr.draw(state, 8)
        drawn.append(value)
    drawn = np.array(drawn).reshape(30, 4, 36)
    times = unit.poisson(images, 4, 7, 99)
    for n, i in np.ndindex(30, 36):
        hits = [t for t in range(4) if drawn[n, t, i] < images[n].reshape(-1)[i]]
        assert times[n, i] == (hits[0] if hits else 7)
    np.testing.assert_array_equal(unit.poisson(images[3:], 4, 7, 99, first=3), times[3:])


CHECKS = {
    "posneg": check_posneg,
    "graded": check_graded,
    "intensity": check_intensity,
    "onoff": check_onoff,
    "poisson": check_poisson,
}


@pytest.mark.parametrize("name", CHECKS)
def test_definition(name: str):
    CHECKS[name](encoders)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("posneg", "images >= 128", "images > 128"),
        ("graded", "grade(255 - pixel)", "grade(256 - pixel)"),
        ("graded", "level > 0", "level >= 0"),
        ("intensity", "pixel * t_in + largest - 1", "pixel * t_in"),
        ("onoff", "contrast >= ON_OFF_LEAST", "contrast > ON_OFF_LEAST"),
        ("onoff", 'mode="edge"', 'mode="constant"'),
        ("poisson", "drawn < pixel", "drawn <= pixel"),
        ("poisson", "start = first * per_image", "start = 0"),
        ("poisson", "orbit.place_of(seed) - 1", "orbit.place_of(seed)"),
    ],
)
def test_planted_bug(name: str, old: str, new: str):
    with pytest.raises(AssertionError):
        CHECKS[name](mutated(encoders, old, new))


@pytest.mark.parametrize("encoder", ["posneg", "posneg-graded", "intensity", "onoff", "poisson"])
def test_codes_fit_the_network(encoder: str):
    built = network(encoder, 1 if encoder == "posneg" else 6)
    images = np.random.default_rng(1).integers(0, 256, (9, 4, 4), np.uint8)
    times = encoders.encode(images, built)
    assert times.shape == (9, built.lines)
    assert times.dtype == built.column.times_dtype
    spikes = times[times != built.column.none]
    assert len(spikes)
    assert spikes.max() < built.column.t_in


def test_contrast_sign_swaps_lines():
    times = encoders.posneg(EVERY_PIXEL, 1, 7).reshape(256, 2)
    mirrored = encoders.posneg(255 - EVERY_PIXEL, 1, 7).reshape(256, 2)
    np.testing.assert_array_equal(times, mirrored[:, ::-1])


def test_bad_images():
    built = presets.load("mnist-49")
    with pytest.raises(BadInput, match=r"must be uint8, N x 28 x 28 .*, not uint8 1 x 8 x 8"):
        encoders.encode(np.zeros((1, 8, 8), np.uint8), built)
    with pytest.raises(BadInput, match="not float64 1 x 28 x 28"):
        encoders.encode(np.zeros((1, 28, 28)), built)
    with pytest.raises(BadInput, match=r"cmu-cvt must have an \[input\] table"):
        encoders.encode(np.zeros((1, 8, 8), np.uint8), presets.load("cmu-cvt"))
