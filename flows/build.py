"""From a model to a bitstream: export, synthesise, place and route, pack, report."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from racewave.flows import boards, cache, engines, files, report, synthesis, tools
from racewave.flows.boards import Board
from racewave.flows.inputs import Experiment
from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.model import Model
from racewave.hw.latency import wave_cycles

__all__ = ["Built", "Counted", "DoesNotFit", "Options", "build"]

RECIPE = "1"  # part of the cache key: count up when a build is made differently
SUFFIX = {"ice40": "bin", "ecp5": "bit"}
TOOLS = {
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
}
FILL = 0.95  # share of a device that place and route still finishes
LUTS_PER_SYNAPSE = 5.0  # with STDP; only to name a board when synthesis is not worth its time

Say = Callable[[str], None]
Needs = Callable[[Board], dict[str, int]]  # what a design takes of a board, by field of `Available`


class DoesNotFit(BadInput):
    """The design needs more than the board has; the message says what would do."""


@dataclass(frozen=True)
class Options:
    """How to place and route.

    Parameters
    ----------
    seed
        Of the placer.
    fast
        Place without looking at timing: twice as quick, and a lower Fmax.
    """

    seed: int = 1
    fast: bool = False

    def arguments(self) -> list[str]:
        """For nextpnr."""
        return ["--seed", str(self.seed), *(["--no-tmdriv"] if self.fast else [])]


@dataclass(frozen=True)
class Counted:
    """Clocks of images in a simulation.

    Parameters
    ----------
    images
        How many.
    cycles
        Of one, on average.
    """

    images: int
    cycles: float


@dataclass(frozen=True)
class Built:
    """A finished build.

    Parameters
    ----------
    report
        What ``report.json`` holds.
    text
        The same for people.
    folder
        Where everything is.
    cached
        It had been built before.
    seconds
        Time this call took.
    """

    report: dict[str, Any]
    text: str
    folder: str
    cached: bool
    seconds: float

    @property
    def met(self) -> bool:
        """The design is fast enough for the board's clock."""
        return self.report["timing"]["met"]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            **self.report,
            "folder": self.folder,
            "cached": self.cached,
            "seconds": self.seconds,
        }


def build(
    model: Model,
    board: Board,
    out: str | Path,
    options: Options | None = None,
    say: Say | None = None,
    counted: Counted | None = None,
) -> Built:
    """Build the bitstream of a board that boots with a model, and its report.

    Parameters
    ----------
    model
        Config, weights and perhaps a read-out.
    board
        From `boards.load`.
    out
        Folder for bitstream, reports, Verilog, constraints and logs.
    options
        How to place and route.
    say
        Told what goes on.
    counted
        Cycles that a simulation of the same core counted, for the report.

    Raises
    ------
    DoesNotFit
        The board is too small.
    BadInput
        A tool is missing, or the folder cannot be written.
    """
    begin = time.monotonic()
    options, tell = options or Options(), say or (lambda _: None)
    tools.check(*TOOLS[board.family])
    check_storage(model.config, board)
    files.check_place(Path(out).absolute(), out)
    tools.prepare("yosys", tell)
    tell(f"{model.config.name}: Verilog of the board top")
    verilog = design(model, board)
    pin_file, pins = boards.constraints(board)
    versions = tools.versions(*TOOLS[board.family])
    facts = [RECIPE, verilog, pins, synthesis.script(board), " ".join(options.arguments())]
    facts += [board.device, board.package, str(board.clock_hz), json.dumps(versions)]
    with cache.entry(cache.key(*facts)) as (home, cached):
        if not cached:
            (home / pin_file).write_text(pins, encoding="utf-8")
            _make(model.config, board, verilog, home, options, tell)
        result = _describe(model, board, home, options, versions, counted)
        text = report.boxed(result, model.config)
        about = {"config": model.config.name, "hash": model.config.hash, "board": board.name}
        with files.folder(out, about) as folder:
            for name in ("design.v", pin_file, "synthesis.ys", "yosys.log", "nextpnr.log"):
                shutil.copyfile(home / name, folder / name)
            shutil.copyfile(home / "bitstream", folder / result["bitstream"]["file"])
            (folder / "report.json").write_text(files.to_json(result), encoding="utf-8")
            (folder / "report.txt").write_text(text, encoding="utf-8")
    return Built(result, text, str(out), cached, round(time.monotonic() - begin, 2))


def count_cycles(
    experiment: Experiment, board: Board, out: str | Path, say: Say | None = None
) -> Counted:
    """Count the clocks of images in a simulation of the core that `build` would build.

    Raises
    ------
    BadInput
        As `build` would refuse it, or there is no simulator.
    """
    from racewave.flows.run import run  # needs a simulator

    tools.check(*TOOLS[board.family])
    check_storage(experiment.model.config, board)
    files.check_place(Path(out).absolute(), out)
    result, _ = run(experiment, "rtl", say=say, times=False)
    assert result.cycles is not None  # hardware ran
    return Counted(len(result.cycles), float(result.cycles.mean()))


def design(model: Model, board: Board) -> str:
    """Complete Verilog: core, UART and the board's pins; top module `top`."""
    from racewave.hw.board_top import export, parameters  # amaranth loads when it is needed

    text = export(*parameters(model, board.clock_hz))
    return text + boards.wrapper(board, f"{model.config.module_name}_board")


def check_storage(config: Config, board: Board) -> None:
    """Refuse at once what can never fit: weights in flip-flops, or in block memories."""
    if config.hardware.micro_architecture == "folded":
        _check_memories(config, board)
    else:
        _check_registers(config, board)


def _check_memories(config: Config, board: Board) -> None:
    """Every engine has memories of its own; the least that they take."""
    blocks = _blocks(config, board)
    if blocks > board.available.brams:
        have = board.available
        what = " + ".join(m.arithmetic(have) for m in engines.memories(config) if m.blocks(have))
        text = f"at least {blocks:,} ({what})"
        raise _too_big(config, board, "brams", lambda b: {"brams": _blocks(config, b)}, text)


def _blocks(config: Config, board: Board) -> int:
    """Least block memories of a config: those of folded hardware for weights and read-out."""
    if config.hardware.micro_architecture != "folded":
        return 0
    return sum(memory.blocks(board.available) for memory in engines.memories(config))


def _check_registers(config: Config, board: Board) -> None:
    bits = config.synapses * config.column.w_bits
    if bits > board.available.ffs:
        what = f"{config.synapses:,} synapses x {config.column.w_bits} weight bits"
        needs = {"ffs": bits, "cells": round(LUTS_PER_SYNAPSE * config.synapses)}
        raise _too_big(config, board, "ffs", lambda _: needs, f"at least {bits:,} ({what})")


def check_cells(config: Config, board: Board, cells: synthesis.Cells) -> None:
    """Refuse after synthesis, before place and route would try for minutes."""
    logic = max(cells.luts, cells.ffs) if board.family == "ice40" else cells.luts
    needs = {"cells": logic, "ffs": cells.ffs, "brams": cells.brams}

    def on(other: Board) -> dict[str, int]:
        if other.family == board.family:
            return needs
        return {**needs, "brams": _blocks(config, other)}

    for field, needed in needs.items():
        if needed > getattr(board.available, field):
            raise _too_big(config, board, field, on, f"{needed:,} after synthesis")


def _too_big(config: Config, board: Board, field: str, needs: Needs, text: str) -> DoesNotFit:
    """Say how much of `field` is missing, and which board has enough of everything."""
    have = getattr(board.available, field)
    fits = [b for b in map(boards.load, boards.names()) if enough(b, needs(b))]
    best = fits[0] if fits else boards.load(boards.names()[-1])
    advice = f"{best.name} ({getattr(best.available, field):,})"
    advice += " would do" if fits else " has most and would not do either"
    if best is board:
        advice = "no board has more"
    return DoesNotFit(
        f"{config.name} must fit {board.name} ({have:,} {report.ROWS[field]}), but needs {text}: "
        f"{needs(board)[field] - have:,} are missing; {advice}"
    )


def enough(board: Board, needs: dict[str, int]) -> bool:
    """Whether a board has everything in the numbers needed, with room to route."""
    room = {field: 1.0 if field == "brams" else FILL for field in needs}
    return all(
        count <= room[field] * getattr(board.available, field) for field, count in needs.items()
    )


def _make(
    config: Config, board: Board, verilog: str, home: Path, options: Options, tell: Say
) -> None:
    begin = time.monotonic()
    tell(f"{config.name}: synthesis for {board.name}")
    synthesis.synthesise(board, verilog, home, tell)
    cells = synthesis.count(home)
    check_cells(config, board, cells)
    tell(f"{config.name}: {cells.luts:,} LUT4, {cells.ffs:,} flip-flops; place and route")
    _place_and_route(config, board, home, options, tell)
    tell(f"{config.name}: bitstream")
    if board.family == "ice40":
        tools.run("icepack", ["routed", "bitstream"], home, home / "pack.log", tell)
    else:
        arguments = ["--compress", "routed", "bitstream"]
        tools.run("ecppack", arguments, home, home / "pack.log", tell)
    for name in ("netlist.json", "routed"):
        (home / name).unlink()
    (home / "seconds").write_text(f"{time.monotonic() - begin:.1f}")


def _place_and_route(config: Config, board: Board, home: Path, options: Options, tell: Say) -> None:
    pin_file, _ = boards.constraints(board)
    arguments = [f"--{board.device}", "--package", board.package, "--json", "netlist.json"]
    arguments += ["--freq", f"{board.clock_hz / 1e6:g}", "--timing-allow-fail"]
    if board.family == "ecp5":
        # The default router needs half an hour for a large design; this one needs minutes.
        arguments += ["--router", "router2"]
    arguments += ["--report", "nextpnr.json", *options.arguments()]
    if board.family == "ice40":
        arguments += ["--pcf", pin_file, "--asc", "routed"]
    else:
        arguments += ["--lpf", pin_file, "--textcfg", "routed"]
    log = home / "nextpnr.log"
    try:
        tools.run(f"nextpnr-{board.family}", arguments, home, log, tell)
    except tools.ToolError:
        text = log.read_text(encoding="utf-8", errors="replace")
        used = report.utilisation(text, board)
        if used is not None and used > board.available.cells:
            text = f"{used:,} after packing"
            raise _too_big(config, board, "cells", lambda _: {"cells": used}, text) from None
        raise


def _describe(
    model: Model,
    board: Board,
    home: Path,
    options: Options,
    versions: dict[str, str],
    counted: Counted | None,
) -> dict[str, Any]:
    config = model.config
    cells = synthesis.count(home)
    core = synthesis.count(home, synthesis.CORES[config.hardware.micro_architecture])
    routed = report.read(home)
    used = routed["utilization"][report.CELL[board.family]]["used"]
    (clock,) = [c for name, c in routed["fmax"].items() if "clk" in name.lower()]
    fmax = clock["achieved"]
    path = report.critical_path(routed)
    stream = (home / "bitstream").read_bytes()
    warnings = []
    if fmax * 1e6 < board.clock_hz:
        warnings.append(f"too slow for the board: {fmax:.2f} of {board.clock_hz / 1e6:g} MHz")
    if model.config.readout is not None and model.readout is None:
        warnings.append("the read-out is untrained (all weights 0)")
    if used > FILL * board.available.cells:
        warnings.append(f"the device is {100 * used / board.available.cells:.0f} % full")

    clock_mhz = board.clock_hz / 1e6
    return {
        "config": config.name,
        "hash": config.hash,
        "board": board.name,
        "title": board.title,
        "device": board.device,
        "resources": report.resources(board, cells, used),
        "core": {**asdict(core), "luts_per_synapse": _per_synapse(core.luts, config)},
        "synapses": config.synapses,
        "luts_per_synapse": _per_synapse(cells.luts, config),
        "timing": {
            "clock_mhz": clock_mhz,
            "fmax_mhz": round(fmax, 2),
            "met": fmax * 1e6 >= board.clock_hz,
            "critical_path": path,
        },
        "image": _image(config, clock_mhz, fmax, counted),
        "baud": config.hardware.baud,
        "bitstream": {
            "file": f"{config.name}_{board.name}.{SUFFIX[board.family]}",
            "bytes": len(stream),
            "sha256": hashlib.sha256(stream).hexdigest(),
        },
        "programmer": board.programmer,
        "options": asdict(options),
        "tools": versions,
        "build_seconds": float((home / "seconds").read_text()),
        "warnings": warnings,
    }


def _per_synapse(luts: int, config: Config) -> float:
    """LUT4 per synapse: two digits after the point, four below 1."""
    share = luts / config.synapses
    return round(share, 2 if share >= 1 else 4)


def _image(config: Config, mhz: float, fmax: float, counted: Counted | None) -> dict[str, Any]:
    """Clocks and rate of an image, by formula and as counted, at the board's clock and at Fmax."""
    cycles, learning = wave_cycles(config), 0
    if config.hardware.learning:
        learning = wave_cycles(config, learn=True)
        if config.hardware.micro_architecture == "spatial":
            # In a row, where the random draws may take longer than a wave.
            learning = max(learning, config.column.draws + 1)
    measured = cycles if counted is None else counted.cycles
    return {
        "cycles": cycles,
        "us": round(cycles / mhz, 3),
        "us_at_fmax": round(cycles / fmax, 3),
        "counted_cycles": None if counted is None else round(counted.cycles, 2),
        "counted_images": 0 if counted is None else counted.images,
        "per_s": round(mhz * 1e6 / measured),
        "per_s_at_fmax": round(fmax * 1e6 / measured),
        "learning_cycles": learning,
        "learning_us": round(learning / mhz, 3),
        "learning_us_at_fmax": round(learning / fmax, 3),
    }
