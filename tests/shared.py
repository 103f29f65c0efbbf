"""Where the project's shared contract files are: beside the checkout, if they are there at all."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racewave.golden.config import ColumnConfig

SHARED = Path(__file__).resolve().parents[2] / "shared"


def folder(name: str) -> Path:
    """The shared folder `name`, or a skip that says what is missing."""
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"no shared/{name} beside the checkout")
    return path


@cache
def _cases() -> list[dict[str, Any]]:
    cases = json.loads((folder("vectors") / "tnn.json").read_text(encoding="utf-8"))
    for case in cases:
        case["column"] = ColumnConfig(**case["config"])
        for name in ("volleys", "weights", "times", "learn_times", "learn_weights"):
            case[name] = np.array(case[name], np.uint8)
    return cases


CASES = 8  # contract vectors in tnn.json


def vector(number: int) -> dict[str, Any]:
    """Contract vector `number`: `column`, and the arrays of the file."""
    return _cases()[number]


def vectors() -> list[dict[str, Any]]:
    """All contract vectors."""
    assert len(_cases()) == CASES
    return _cases()
