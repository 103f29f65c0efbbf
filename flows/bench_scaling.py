"""What more engines cost and bring: one network of 576 columns on 1, 2, 4, 8 and 16 of them."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racewave.flows import boards, build, engines, synthesis, tools
from racewave.flows.bench_rows import row
from racewave.flows.chart import Line, chart
from racewave.flows.console import Console
from racewave.golden import config, model
from racewave.golden.config import Config

__all__ = ["Point", "network", "plot", "routed", "rows", "scaling"]

BOARD = "ulx3s-85f"
ENGINES = (1, 2, 4, 8, 16)
CLOCK = 50.0  # MHz, where nothing is routed
PLOTTED = ("images/s", "LUT4", "block memories", "cycles")
NAME = re.compile(r"(?P<network>\S+) on (?P<engines>\d+) engines?: (?P<figure>.+)")


@dataclass(frozen=True)
class Point:
    """Figures of one engine count.

    Attributes
    ----------
    engines : int
        How many.
    cells : Cells
        The core after synthesis.
    cycles : int
        Clocks of an image.
    mhz : float
        Fmax of the routed board, or the clock that is reckoned with.
    """

    engines: int
    cells: synthesis.Cells
    cycles: int
    mhz: float


def network() -> Config:
    """A column of `cmu-cvt` kind on each of 24 x 24 fields of 5 x 5 pixels, inference only."""
    return config.from_dict(
        {
            "name": "mnist-576",
            "input": {"image": [28, 28], "encoder": "posneg"},
            "layer": [{"field": 5, "stride": 1}],
            "column": {"p": 50, "q": 12, "theta": 62},
            "readout": {"kind": "linear", "classes": 10, "bits": 8},
            "hardware": {"micro_architecture": "folded", "learning": False},
        }
    )


def scaling(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """Synthesis of the core, and the rate at 50 MHz."""
    return rows(network(), [_synthesised(n, show) for n in ENGINES], f"at {CLOCK:g} MHz")


def routed(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """The same, placed and routed on an ECP5-85F with the UART."""
    return rows(network(), [_routed(n, show) for n in ENGINES], "at Fmax")


def _synthesised(count: int, show: Console) -> Point:
    from racewave.hw.latency import wave_cycles  # amaranth loads when it is needed

    shown, board = engines.with_engines(network(), count), boards.load(BOARD)
    tools.check("yosys")
    tools.prepare("yosys", show.say)
    show.say(f"synthesis of {shown.name} on {count} engines")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synthesis.synthesise(board, build.design(model.initial(shown), board), folder, show.say)
        cells = synthesis.count(folder, synthesis.CORES["folded"])
    return Point(count, cells, wave_cycles(shown), CLOCK)


def _routed(count: int, show: Console) -> Point:
    shown = engines.with_engines(network(), count)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "built"
        made = build.build(model.initial(shown), boards.load(BOARD), place, say=show.say).report
    core = {name: made["core"][name] for name in ("luts", "carries", "ffs", "brams", "dsps")}
    cycles, fmax = made["image"]["cycles"], made["timing"]["fmax_mhz"]
    return Point(count, synthesis.Cells(**core), cycles, fmax)


def rows(shown: Config, points: list[Point], clock: str) -> list[dict[str, Any]]:
    """Rows of all figures, each beside that of the fewest engines.

    Parameters
    ----------
    shown
        The network.
    points
        From few engines to many.
    clock
        What the rate is reckoned with.
    """
    found = []
    base = _figures(shown, points[0], clock)
    for point in points:
        count = f"{point.engines} engine{'s' * (point.engines > 1)}"
        for figure, value in _figures(shown, point, clock).items():
            before = None if point is points[0] else base[figure]
            better = None
            if before is not None:
                better = value / before if figure.startswith("images/s") else before / value
            found.append(
                row(
                    f"{shown.name} on {count}: {figure}",
                    value,
                    _unit(figure),
                    None if before is None else f"{points[0].engines} engine",
                    before,
                    better,
                )
            )
    return found


def _figures(shown: Config, point: Point, clock: str) -> dict[str, float]:
    cells, routed = point.cells, clock == "at Fmax"
    return {
        "cycles": point.cycles,
        f"images/s {clock}": round(point.mhz * 1e6 / point.cycles),
        **({"Fmax": point.mhz} if routed else {}),
        "LUT4": cells.luts,
        "flip-flops": cells.ffs,
        "block memories": cells.brams,
        "LUT4 per synapse": round(cells.luts / shown.synapses, 4),
    }


def _unit(figure: str) -> str:
    return {"Fmax": "MHz", "LUT4 per synapse": "LUT4/synapse"}.get(figure, figure.split(" at ")[0])


def plot(found: list[dict[str, Any]]) -> str:
    """Chart of the rows, as SVG.

    Examples
    --------
    >>> from racewave.flows.synthesis import Cells
    >>> few, many = (Point(n, Cells(900 * n, 0, 500 * n, 9 * n, 0), 9000 // n, 50) for n in (1, 2))
    >>> plot(rows(network(), [few, many], "at 50 MHz")).count("<polyline")
    4
    """
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in PLOTTED}
    title = ""
    for line in found:
        match = NAME.fullmatch(line["name"])
        if match is None:
            continue
        title = match["network"]
        for name in PLOTTED:
            if match["figure"] == name or match["figure"].startswith(f"{name} at"):
                lines[name].append((int(match["engines"]), float(line["value"])))
    drawn = [Line(name, points) for name, points in lines.items() if points]
    return chart(f"{title} on more and more engines", "engines", drawn)
