"""Figures that racewave publishes, each beside a baseline measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from racewave.flows import (
    bench_area,
    bench_golden,
    bench_online,
    bench_scaling,
    bench_sim,
    bench_verilog,
)
from racewave.flows.console import Console
from racewave.golden.errors import BadInput, nearest

__all__ = ["BENCHES", "bench"]

Measure = Callable[[str | None, Console], list[dict[str, Any]]]

BENCHES: dict[str, Measure] = {
    "accuracy": bench_golden.accuracy,
    "golden": bench_golden.speed,
    "online": bench_online.online,
    "verilog": bench_verilog.generation,
    "area": bench_area.area,
    "scaling": bench_scaling.scaling,
    "cosim": bench_sim.cosim,
}
# Parts of "accuracy", which takes long, and what takes longer still.
PARTS: dict[str, Measure] = {
    name: partial(bench_golden.accuracy, networks=[name]) for name in bench_golden.NETWORKS
} | {"scaling-routed": bench_scaling.routed}


def bench(
    names: Iterable[str] = (), data_dir: str | None = None, show: Console | None = None
) -> list[dict[str, Any]]:
    """Measure.

    Parameters
    ----------
    names
        Some of `BENCHES` (all if none is given), or networks whose accuracy is measured.
    data_dir
        Where to look for MNIST first.
    show
        Told what goes on.

    Returns
    -------
    list of dict
        Rows: `name`, `value`, `unit`, `baseline` (what it is compared with), `baseline_value`,
        `ratio` (how many times better than the baseline) and `seeds` (None where nothing is drawn).

    Raises
    ------
    BadInput
        An unknown name, or data that are missing.
    """
    wanted, known = list(names) or list(BENCHES), BENCHES | PARTS
    for name in wanted:
        if name not in known:
            raise BadInput(f"bench must be known, not '{name}'{nearest(name, known)}")
    rows: list[dict[str, Any]] = []
    for name in wanted:
        rows += known[name](data_dir, show or Console())
    return rows
