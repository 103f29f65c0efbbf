"""Scripts for yosys, and what its netlists contain."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from racewave.flows import tools
from racewave.flows.boards import Board

__all__ = ["Cells", "count", "script", "synthesise"]

# The default script of abc9 first restructures the logic (&dc2; &dch), which tears the adder trees
# of the columns apart: a 32x12 column with STDP takes 30 % more LUT4. This one keeps structure,
# maps and minimises.
MAPPING = "+&scorr; &sweep; &if {W} {D} {R}; &mfs"
# Modules that stay as they are: equal columns and engines are synthesised once, and the report can
# tell the core from the UART around it.
KEPT = "column engine engine_* votes votes_* network folded"
CORES = {"spatial": "network", "folded": "folded"}  # module of the core
COMMANDS = {
    "ice40": "synth_ice40 -device {device}",
    # Without the wide multiplexers of ECP5: they cost a LUT4 per input pair; 25 % fewer without.
    "ecp5": "synth_ecp5 -nowidelut",
}
DEVICES = {"up5k": "u", "hx8k": "hx"}  # of synth_ice40
LUTS = {"SB_LUT4": 1, "LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
FFS = ("SB_DFF", "TRELLIS_FF")
CARRIES = {"SB_CARRY": 1, "CCU2C": 2}
BRAMS = ("SB_RAM40_4K", "DP16KD", "PDPW16KD")
DSPS = ("SB_MAC16", "MULT18X18D", "ALU54B")


@dataclass(frozen=True)
class Cells:
    """What a netlist contains.

    Parameters
    ----------
    luts
        LUT4; on ECP5 a carry cell counts as two, a 16 x 4 distributed memory as six.
    carries, ffs, brams, dsps
        Carry bits, flip-flops, block memories, multipliers.
    """

    luts: int
    carries: int
    ffs: int
    brams: int
    dsps: int

    def to_dict(self) -> dict[str, int]:
        """Plain data."""
        return asdict(self)


def script(board: Board, top: str = "top") -> str:
    """Script for yosys: ``design.v`` to ``netlist.json`` and ``cells.json``."""
    command = COMMANDS[board.family].format(device=DEVICES.get(board.device, ""))
    return (
        "read_verilog design.v\n"
        f"hierarchy -top {top}\n"
        f"setattr -mod -set keep_hierarchy 1 {KEPT}\n"
        f'scratchpad -set abc9.script "{MAPPING}"\n'
        f"{command} -top {top} -json netlist.json\n"
        "tee -q -o cells.json stat -json\n"
    )


INITIAL = re.compile(r"  initial begin\n((?:    (\w+)\[\d+\] = \d+'h[0-9a-f]+;\n){257,})  end\n")


def with_images(verilog: str) -> tuple[str, dict[str, str]]:
    """Move the contents of large memories into files, which yosys reads much faster.

    Returns
    -------
    verilog : str
        The text with ``$readmemh`` in their place.
    files : dict[str, str]
        Contents by name of the file: words from address 0 on, one per line.

    Examples
    --------
    >>> words = "".join(f"    rows[{n}] = 8'h{n % 256:02x};\\n" for n in range(300))
    >>> text, files = with_images(f"  initial begin\\n{words}  end\\n")
    >>> text, files["memory_0.hex"].split()[299]
    ('  initial $readmemh("memory_0.hex", rows);\\n', '2b')
    """
    files: dict[str, str] = {}

    def move(match: re.Match[str]) -> str:
        name = f"memory_{len(files)}.hex"
        files[name] = "".join(f"{word}\n" for word in re.findall(r"'h([0-9a-f]+);", match[1]))
        return f'  initial $readmemh("{name}", {match[2]});\n'

    return INITIAL.sub(move, verilog), files


def synthesise(board: Board, verilog: str, folder: Path, say: tools.Say | None = None) -> str:
    """Run yosys in `folder`; returns its log."""
    text, images = with_images(verilog)
    for name, contents in {"design.v": text, **images}.items():
        (folder / name).write_text(contents, encoding="utf-8")
    (folder / "synthesis.ys").write_text(script(board), encoding="utf-8")
    return tools.run("yosys", ["synthesis.ys"], folder, folder / "yosys.log", say)


def count(folder: Path, module: str | None = None) -> Cells:
    """Count the cells of a synthesised design, or of one of its modules with all inside.

    Parameters
    ----------
    folder
        Where `synthesise` ran.
    module
        One of the modules kept; the whole design if not given.
    """
    data = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    if module is None:
        return _sum(data["design"]["num_cells_by_type"])
    modules = {name.lstrip("\\"): m["num_cells_by_type"] for name, m in data["modules"].items()}
    return _sum(_flat(module, modules))


def _flat(module: str, modules: dict[str, dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for kind, number in modules[module].items():
        inside = _flat(kind, modules) if kind in modules else {kind: 1}
        for name, each in inside.items():
            total[name] = total.get(name, 0) + number * each
    return total


def _sum(cells: dict[str, Any]) -> Cells:
    def some(*starts: str) -> int:
        return sum(n for kind, n in cells.items() if kind.startswith(starts))

    def weighed(weights: dict[str, int]) -> int:
        return sum(weights.get(kind, 0) * number for kind, number in cells.items())

    return Cells(weighed(LUTS), weighed(CARRIES), some(*FFS), some(*BRAMS), some(*DSPS))
