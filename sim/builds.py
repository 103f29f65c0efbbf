"""Simulation programs, built once and kept by content.

The key of a build is a hash of everything that decides its bytes: source text, options, versions
of simulator, cocotb and compiler. A build is made in a folder of its own and renamed, under a file
lock, so that any number of processes may ask for the same one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import platformdirs

from racewave.golden.errors import BadInput
from racewave.sim.fst import stand_ins
from racewave.sim.simulators import Simulator

__all__ = ["Build", "BuildError", "build", "cache_folder"]

KEEP_DAYS = 30
# The wheel's makefile fragment leaves these empty; benches with several files need them.
MAKE_VARIABLES = (
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_LDLIBS_THREADS=-pthread",
)
LARGE = 500_000  # bytes of Verilog, see `_volume`: C++ in small functions, compiled in parallel
HUGE = 24_000_000  # bytes of C++: optimisation would take many minutes
MODULE = re.compile(r"^module (\w+)\b.*?^endmodule", re.MULTILINE | re.DOTALL)
DEFINE = re.compile(r"^`define (\w+) (\w+)$", re.MULTILINE)
INSTANCE = re.compile(r"^ +[`]?(\w+) \w+ \($", re.MULTILINE)
RECIPE = 6  # part of the key: count up when a build is made differently


class BuildError(RuntimeError):
    """A simulator refused the design; the message ends with what it said."""


@dataclass(frozen=True)
class Build:
    """A program that simulates one bench.

    Parameters
    ----------
    simulator
        Who made it.
    program
        Executable (Verilator) or compiled file for `vvp` (Icarus).
    seconds
        Time that the build took, now or when it was made.
    cached
        It was there already.
    """

    simulator: Simulator
    program: Path
    seconds: float
    cached: bool


def cache_folder() -> Path:
    """Where builds are kept: ``$RACEWAVE_CACHE``, or the user's cache folder."""
    root = os.environ.get("RACEWAVE_CACHE") or platformdirs.user_cache_dir("racewave")
    return Path(root).expanduser() / "sim"


def build(
    simulator: Simulator,
    source: str,
    top: str = "bench",
    waves: bool = False,
    optimise: str = "-O1",
) -> Build:
    """Compile a bench, or find it compiled.

    Parameters
    ----------
    simulator
        From `simulators.pick`.
    source
        Complete Verilog text.
    top
        Name of its top module.
    waves
        The program can write waves.
    optimise
        Optimisation of the C++ compiler (Verilator only); huge models get none.

    Raises
    ------
    BuildError
        The text is not accepted.
    BadInput
        There is no place to keep it.
    """
    facts = [str(RECIPE), simulator.name, simulator.version, simulator.compiler, version("cocotb")]
    facts += [str(simulator.path), sys.platform, os.uname().machine]
    facts += [top, str(waves), optimise, main_program(), source]
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:24]
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{error.strerror}; RACEWAVE_CACHE names another one"
        raise BadInput(f"cache folder '{folder}' cannot be made: {reason}") from None
    home = folder / key
    with _lock(folder / f"{key}.lock"):
        if (home / "seconds").exists():
            os.utime(home)
            return Build(simulator, home / "bench", float((home / "seconds").read_text()), True)
        _remove_old(folder)
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"{key}.", dir=folder) as scratch:
            place = Path(scratch)
            (place / "bench.v").write_text(source)
            if simulator.name == "verilator":
                _verilate(simulator, place, top, waves, optimise)
            else:
                _compile(simulator, place, top)
            finished = place / "finished"
            finished.mkdir()
            (place / "program").rename(finished / "bench")
            seconds = time.monotonic() - begin
            (finished / "seconds").write_text(f"{seconds:.3f}")
            shutil.rmtree(home, ignore_errors=True)
            finished.rename(home)
    return Build(simulator, home / "bench", seconds, False)


def _verilate(simulator: Simulator, place: Path, top: str, waves: bool, optimise: str) -> None:
    import cocotb_tools.config as cocotb

    assert simulator.path is not None
    environment = dict(os.environ, VERILATOR_ROOT=str(simulator.path))
    environment["PATH"] = f"{simulator.path / 'bin'}{os.pathsep}{environment['PATH']}"
    for name in ("MAKEFLAGS", "MFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS"):
        environment.pop(name, None)  # an outer make must not reach into this one
    objects = place / "objects"
    large = _volume((place / "bench.v").read_text(), top) > LARGE
    command = [
        str(simulator.path / "bin" / "verilator_bin"),
        *("--cc", "--exe", "--vpi", "--no-timing", "--quiet"),
        *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"),
        *("-Wno-fatal", "-Wno-lint", "-Wno-style"),
        *(("--output-split", "5000", "--output-split-cfuncs", "300") if large else ()),
        *(("--trace-fst", *stand_ins(place / "libraries")) if waves else ()),
        *("--prefix", "Vtop", "--Mdir", str(objects), "--top-module", top, "-o", "../program"),
        *("-LDFLAGS", f"-Wl,-rpath,{cocotb.libs_dir} -L{cocotb.libs_dir}"),
        *("-LDFLAGS", "-lcocotbvpi_verilator"),
        str(place / "main.cpp"),
        str(place / "bench.v"),
    ]
    (place / "main.cpp").touch()
    _call(command, place, environment)
    # The main program joins a file of the model: headers are then read once, not twice.
    with (objects / "Vtop.cpp").open("a") as file:
        file.write(main_program())
    runtime = _Runtime(simulator, waves)
    runtime.bring(objects)
    command = ["make", "-s", "-j", str(min(4, _processors())), "-C", str(objects), "-f", "Vtop.mk"]
    # One compilation saves headers; a large model is compiled in parts.
    huge = sum(file.stat().st_size for file in objects.glob("*.cpp")) > HUGE
    command += [f"VM_PARALLEL_BUILDS={int(large)}", f"OPT_FAST={'-O0' if huge else optimise}"]
    command += ["OPT_SLOW=-O0", f"OBJCACHE={'ccache' if shutil.which('ccache') else ''}"]
    _call([*command, *MAKE_VARIABLES], place, environment)
    runtime.take(objects)


def _volume(source: str, top: str) -> int:
    """Bytes of Verilog with every module counted as often as it is there."""
    texts = {found[1]: found[0] for found in MODULE.finditer(source)}
    named = dict(DEFINE.findall(source))

    @cache
    def of(name: str) -> int:
        inside = [named.get(kind, kind) for kind in INSTANCE.findall(texts[name])]
        return len(texts[name]) + sum(of(kind) for kind in inside if kind in texts)

    return of(top) if top in texts else len(source)


def main_program() -> str:
    """C++ text of the program around a model."""
    return (resources.files("racewave.sim") / "main.cpp").read_text(encoding="utf-8")


class _Runtime:
    """Object files of Verilator's own library: the same for every design, 10 s to compile."""

    def __init__(self, simulator: Simulator, waves: bool):
        facts = [str(RECIPE), simulator.version, simulator.compiler, str(simulator.path)]
        text = "\0".join([*facts, str(waves), os.uname().machine])
        self.home = cache_folder() / ("runtime-" + hashlib.sha256(text.encode()).hexdigest()[:16])

    def bring(self, objects: Path) -> None:
        """Put the object files where make finds them, newer than their sources."""
        if self.home.is_dir():
            os.utime(self.home)
            for file in self.home.iterdir():
                shutil.copyfile(file, objects / file.name)

    def take(self, objects: Path) -> None:
        """Keep the object files of a build that had to compile them."""
        if self.home.is_dir():
            return
        with tempfile.TemporaryDirectory(prefix="runtime.", dir=self.home.parent) as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            for file in objects.glob("verilated*.o"):
                shutil.copyfile(file, fresh / file.name)
            with contextlib.suppress(OSError):  # another process was first
                fresh.rename(self.home)


def _compile(simulator: Simulator, place: Path, top: str) -> None:
    command = [str(simulator.path), "-g2012", "-s", top, "-o", "program", "bench.v"]
    _call(command, place, dict(os.environ))


def _call(command: list[str], place: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=place, env=environment, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-30:])
        raise BuildError(f"{Path(command[0]).name} failed (status {done.returncode}):\n{tail}")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a file lock, so that a second process waits for a build instead of repeating it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_old(folder: Path) -> None:
    """Delete what nobody has used for a month."""
    limit = time.time() - KEEP_DAYS * 86_400
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < limit:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
