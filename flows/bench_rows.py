"""One shape for every measured figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["clock", "row"]


def row(
    name: str,
    value: float,
    unit: str,
    baseline: str | None = None,
    baseline_value: float | None = None,
    ratio: float | None = None,
    seeds: list[int] | None = None,
) -> dict[str, Any]:
    """A figure beside its baseline.

    Examples
    --------
    >>> row("speed", 30.0, "waves/s", "plain", 10.0, 3.0)["ratio"]
    3.0
    """
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "baseline": baseline,
        "baseline_value": baseline_value,
        "ratio": None if ratio is None else round(ratio, 2),
        "seeds": seeds,
    }


def clock(function: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin
