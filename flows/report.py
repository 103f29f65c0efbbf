"""What a build cost and how fast it runs: numbers for machines, a box for people."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from racewave.flows.boards import Board
from racewave.flows.synthesis import Cells
from racewave.golden.config import Config

__all__ = ["boxed", "critical_path", "resources", "utilisation"]

WIDTH = 96
ROWS = {
    "cells": "logic cells",
    "luts": "LUT4",
    "carries": "carry bits",
    "ffs": "flip-flops",
    "brams": "block memories",
    "dsps": "multipliers",
}
CELL = {"ice40": "ICESTORM_LC", "ecp5": "TRELLIS_COMB"}  # nextpnr's name of a logic cell


def utilisation(log: str, board: Board) -> int | None:
    """Logic cells that nextpnr counted after packing, from its log; None if it says nothing."""
    found = re.search(rf"{CELL[board.family]}:\s*(\d+)/", log)
    return int(found[1]) if found else None


def resources(board: Board, cells: Cells, logic_cells: int) -> dict[str, dict[str, int]]:
    """Used and available, of everything that can run out."""
    have = board.available
    return {
        "cells": {"used": logic_cells, "available": have.cells},
        "luts": {"used": cells.luts, "available": have.cells},
        "carries": {"used": cells.carries, "available": have.carries},
        "ffs": {"used": cells.ffs, "available": have.ffs},
        "brams": {"used": cells.brams, "available": have.brams},
        "dsps": {"used": cells.dsps, "available": have.dsps},
    }


def critical_path(data: dict[str, Any]) -> dict[str, Any]:
    """The slowest path between two flip-flops, summed up by what it passes.

    Parameters
    ----------
    data
        The report that nextpnr writes.
    """
    inside = [
        path["path"]
        for path in data["critical_paths"]
        if path["from"].startswith("posedge") and path["to"].startswith("posedge")
    ]
    if not inside:
        return {}
    path = max(inside, key=lambda parts: sum(part["delay"] for part in parts))
    names = [_unit(part["from"]["cell"]) for part in path] + [_unit(path[-1]["to"]["cell"])]
    through = [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]

    def total(*kinds: str) -> float:
        return round(sum(part["delay"] for part in path if part["type"] in kinds), 2)

    routing = total("routing")
    everything = round(sum(part["delay"] for part in path), 2)
    return {
        "ns": everything,
        "logic_ns": round(everything - routing, 2),
        "routing_ns": routing,
        "levels": sum(part["type"] == "logic" for part in path),
        "from": names[0],
        "to": names[-1],
        "through": through,
    }


def _unit(cell: str) -> str:
    """Where a cell is, and after which signal it is named, without what synthesis appended.

    Examples
    --------
    >>> _unit("network.layer.column_0.neuron_4.potential.count_SB_DFFESR_Q_5_D_SB_LUT4_O_LC")
    'network.layer.column_0.neuron_4.potential.count'
    """
    name = re.split(r"_(?:SB_|TRELLIS_|LUT4|CCU2C|PFUMX|L6MUX|DP16KD|\$)|\$|\[", cell)[0]
    return name.rstrip("._") or cell


def boxed(report: dict[str, Any], config: Config) -> str:
    """The report as a text box, the same for the same report."""
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for name in ("", "used", "available", "share"):
        table.add_column(name, justify="left" if not name else "right")
    for key, title in ROWS.items():
        row = report["resources"][key]
        share = f"{100 * row['used'] / row['available']:.0f} %" if row["available"] else "-"
        table.add_row(title, f"{row['used']:,}", f"{row['available']:,}", share)

    facts = Table.grid(padding=(0, 2))
    timing, image, core = report["timing"], report["image"], report["core"]
    verdict = "met" if timing["met"] else "NOT MET"
    facts.add_row("Fmax", f"{timing['fmax_mhz']} MHz for {timing['clock_mhz']:g} MHz: {verdict}")
    path = timing["critical_path"]
    if path:
        facts.add_row(
            "critical path",
            f"{path['ns']} ns ({path['logic_ns']} logic + {path['routing_ns']} routing), "
            f"{path['levels']} levels",
        )
        ends = [*path["through"][:2], "...", path["to"]]
        facts.add_row("", " > ".join(ends if len(path["through"]) > 3 else path["through"]))
    facts.add_row(
        "per image",
        f"{image['cycles']} cycles, {image['us']} us ({image['us_at_fmax']} us at Fmax)",
    )
    if image["counted_cycles"]:
        facts.add_row(
            "  counted", f"{image['counted_cycles']} cycles, {image['counted_images']:,} images"
        )
    if image["learning_cycles"]:
        facts.add_row(
            "  learning",
            f"{image['learning_cycles']} cycles, {image['learning_us']} us "
            f"({image['learning_us_at_fmax']} us at Fmax)",
        )
    facts.add_row("images/s", f"{image['per_s']:,} ({image['per_s_at_fmax']:,} at Fmax)")
    facts.add_row(
        "LUT4 per synapse",
        f"{core['luts_per_synapse']} core, {report['luts_per_synapse']} with UART "
        f"({report['synapses']:,} synapses)",
    )
    facts.add_row("UART", f"{report['baud']} baud, {config.name} boots with its weights")
    stream = report["bitstream"]
    facts.add_row("bitstream", f"{stream['file']}, {stream['bytes']:,} bytes")
    facts.add_row("load it", f"{report['programmer']} {stream['file']}")
    facts.add_row("tools", ", ".join(f"{name} {v}" for name, v in report["tools"].items()))
    for warning in report["warnings"]:
        facts.add_row("warning", warning)

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    title = f"{config.name} on {report['title']}"
    body = Table.grid(expand=True)
    body.add_row(table)
    body.add_row(facts)
    console.print(Panel(body, title=title, subtitle=f"config {report['hash']}", box=box.ROUNDED))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def read(folder: Path) -> dict[str, Any]:
    """nextpnr's report."""
    return json.loads((folder / "nextpnr.json").read_text(encoding="utf-8"))
