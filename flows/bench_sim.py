"""Speed of co-simulation."""

from __future__ import annotations

from typing import Any

from racewave.flows.bench_rows import row
from racewave.flows.console import Console

__all__ = ["cosim"]


def cosim(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """Checked volleys per second of a 64x10 column, and what waking up Python more often costs."""
    from racewave.sim import speed  # needs a simulator

    show.say("co-simulation of a 64x10 column")
    measured = speed.measure()
    slowest = {
        r["simulator"]: r for r in measured if r["wake"] == "clock"
    }  # the usual way to write a bench
    rows = []
    for found in measured:
        usual = slowest[found["simulator"]]
        rows.append(
            row(
                f"cosim 64x10, {found['what']}, wake per {found['wake']}, {found['simulator']}",
                round(found["volleys_per_s"]),
                "volleys/s",
                "wake per clock",
                round(usual["volleys_per_s"]),
                found["volleys_per_s"] / usual["volleys_per_s"],
            )
        )
    build = measured[0]
    rows.append(row(f"build of the bench, {build['simulator']}", round(build["build_s"], 1), "s"))
    return rows
