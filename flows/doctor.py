"""What is installed, what was picked and why, what is missing and the command that brings it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import platformdirs

from racewave.flows import cache
from racewave.flows.tools import TOOLS

__all__ = ["Finding", "doctor"]

LIBRARIES = {  # distribution: the extra that installs it, what for
    "numpy": ("", "golden model"),
    "numba": ("", "fast golden model"),
    "pydantic": ("", "config files"),
    "scikit-learn": ("", "digits data"),
    "amaranth": ("", "hardware, Verilog"),
    "torch": ("train", "training read-outs"),
    "cocotb": ("sim", "co-simulation"),
}
MNIST = "train-images-idx3-ubyte"


@dataclass(frozen=True)
class Finding:
    """One thing that racewave may need.

    Parameters
    ----------
    name
        What it is.
    purpose
        What it is needed for.
    found
        Version or place; empty if it is missing.
    picked
        It is what racewave uses.
    why
        Why it was picked, or what is wrong with it.
    remedy
        Command that helps; empty if none is needed.
    """

    name: str
    purpose: str
    found: str
    picked: bool
    why: str
    remedy: str = ""


def doctor() -> dict[str, Any]:
    """Look at everything, change nothing.

    Returns
    -------
    dict
        Plain data: `racewave`, `python`, `system`, `findings` (see `Finding`), and `ready`: for
        each verb, whether it can run here.
    """
    findings = [*_libraries(), *_tools(), *_simulators(), _ccache(), _mnist(), _cache()]
    have = {f.name: f.picked for f in findings}
    simulator = have.get("verilator", False) or have.get("icarus", False)
    base = all(have[name] for name, (extra, _) in LIBRARIES.items() if not extra)
    fpga = {name: have[name] for name, tool in TOOLS.items() if tool.extra}
    ready = {
        "train": base and have["torch"],
        "run": base,
        "run --on rtl, cosim": base and simulator,
        "generate": base and have["yosys"],
        "build (iCE40)": base and fpga["nextpnr-ice40"],
        "build (ECP5)": base and fpga["nextpnr-ecp5"],
    }
    return {
        "racewave": _version("racewave"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "prefix": sys.prefix,
        "findings": [asdict(f) for f in findings],
        "ready": ready,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _pip(extra: str) -> str:
    return f"pip install 'racewave[{extra}]'" if extra else "pip install racewave"


def _libraries() -> list[Finding]:
    found = []
    for name, (extra, purpose) in LIBRARIES.items():
        number = _version(name)
        why = "installed" if number else "not installed"
        found.append(
            Finding(name, purpose, number, bool(number), why, "" if number else _pip(extra))
        )
    return found


def _tools() -> list[Finding]:
    """The synthesis tools: those of the wheels, whatever the system has."""
    found = []
    for name, tool in TOOLS.items():
        purpose = "bitstreams" if tool.extra else "Verilog, synthesis"
        if not tool.version:
            found.append(Finding(name, purpose, "", False, "not installed", tool.remedy))
            continue
        why = "wheel"
        system = shutil.which(name)
        if system:
            why += f"; {system} is left alone"
        if not tool.compiled():
            why += "; compiles itself at its first start"
        found.append(Finding(name, purpose, tool.version, True, why))
    return found


def _simulators() -> list[Finding]:
    from racewave.sim.simulators import survey

    simulators = survey()
    usable = [s.name for s in simulators if s.usable]
    found = []
    for s in simulators:
        picked = usable[:1] == [s.name]
        if s.problem:
            why = s.problem
        elif picked:
            why = "first choice" if s is simulators[0] else f"{simulators[0].problem}"
        else:
            why = f"usable; {usable[0]} is preferred"
        found.append(Finding(s.name, "simulation", s.version, picked, why, s.remedy))
    return found


def _ccache() -> Finding:
    path = shutil.which("ccache") or ""
    why = "on PATH" if path else "optional: quicker Verilator builds"
    remedy = "" if path else "sudo apt install ccache"
    return Finding("ccache", "simulator builds", path, bool(path), why, remedy)


def _mnist() -> Finding:
    """Where MNIST would come from, in the order in which training looks."""
    named = os.environ.get("RACEWAVE_DATA")
    folders = [Path(named), Path(named) / "mnist"] if named else []
    folders.append(Path(platformdirs.user_cache_dir("racewave")) / "mnist")
    for folder in folders:
        if (folder / f"{MNIST}.gz").is_file() or (folder / MNIST).is_file():
            why = "$RACEWAVE_DATA" if named and folder != folders[-1] else "user cache"
            return Finding("mnist", "training data", str(folder), True, why)
    why = "fetched at first use, or set RACEWAVE_DATA"
    return Finding("mnist", "training data", "", False, why, "racewave train mnist-49 -o m.npz")


def _cache() -> Finding:
    place = cache.place()
    count = sum(path.is_dir() for path in place.iterdir()) if place.is_dir() else 0
    return Finding("bitstream cache", "repeated builds", str(place), True, f"{count} bitstreams")
