"""The speed rows are measured on what they claim; no clock decides a test."""

import numpy as np
import pytest

from racewave.golden import presets, speed


@pytest.mark.parametrize("measure", [speed.learning, speed.inference])
def test_row(measure, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "REFERENCE_IMAGES", 2)
    played: list[int] = []
    clock = iter([10.0, 12.0, 20.0, 30.0])  # 2 s for all images, 10 s for two by the reference
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    plain = speed.layer.run
    monkeypatch.setattr(
        speed.layer,
        "run",
        lambda volleys, *rest: played.append(len(volleys)) or plain(volleys, *rest),
    )
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8), np.uint8)
    row = measure(presets.load("digits"), images)
    assert played == [2]
    assert row.pop("threads") >= 1
    assert row == {
        "what": row["what"],
        "preset": "digits",
        "images": 8,
        "seconds": 2.0,
        "images_per_s": 4,
        "times_faster": 20,
    }
