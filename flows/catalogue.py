"""The presets at a glance."""

from __future__ import annotations

from typing import Any

from racewave.golden import presets

__all__ = ["catalogue"]


def catalogue() -> list[dict[str, Any]]:
    """One row per preset: engine, size, what it reproduces.

    Examples
    --------
    >>> catalogue()[0]["preset"]
    'cmu-cvt'
    """
    rows = []
    for name in presets.names():
        config = presets.load(name)
        rows.append(
            {
                "preset": name,
                "engine": config.engine,
                "columns": config.columns,
                "p": config.column.p,
                "q": config.column.q,
                "synapses": config.synapses,
                "what it reproduces": config.description,
            }
        )
    return rows
