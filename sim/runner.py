"""Runs a built bench: one simulator process with cocotb inside, orders over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal

from racewave.sim.builds import Build, BuildError, build
from racewave.sim.simulators import Simulator, pick, reason, survey

__all__ = [
    "Build",
    "BuildError",
    "Order",
    "Session",
    "SimulationError",
    "Simulator",
    "build",
    "pick",
    "reason",
    "survey",
]

Order = dict[str, Any]  # {"set": {register: int or bit string}, "get": [register, ...]}


class SimulationError(RuntimeError):
    """The simulator died, hung or broke a rule of the bench; the message ends with its log."""


class Session:
    """A running simulation that plays orders.

    Any number of sessions may run at once, of one build or of several. Each has a folder of its
    own, which is removed at the end.

    Parameters
    ----------
    program
        The built bench.
    timeout_s
        Longest time to wait for the answer to one message.
    waves
        Where to put the waves; the build must have been made for it.
    wake
        "order": Python sleeps until an order is done. "clock": it wakes up at every clock, the
        usual way to write a bench, kept to measure what it costs.
    """

    def __init__(
        self,
        program: Build,
        timeout_s: float = 300.0,
        waves: Path | None = None,
        wake: Literal["order", "clock"] = "order",
    ):
        self.build = program
        self.timeout_s = timeout_s
        self._waves = waves
        self._folder = Path(tempfile.mkdtemp(prefix="racewave-sim-"))
        self._log = self._folder / "simulator.log"
        self._pipe, theirs = Pipe()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                _command(program, waves is not None),
                env=_environment(theirs.fileno(), wake),
                cwd=self._folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        theirs.close()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="racewave-sim")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(failed=kind is not None)

    def submit(self, orders: Sequence[Order]) -> Future[list[dict[str, str]]]:
        """Send orders; the result is what each of them read, in order."""
        return self._worker.submit(self._exchange, list(orders))

    def play(self, *orders: Order) -> list[dict[str, str]]:
        """Send orders and wait for what they read."""
        return self.submit(orders).result()

    def close(self, failed: bool = False) -> None:
        """End the simulation, put the waves where they belong, remove the folder."""
        if self._folder is None or not self._folder.exists():
            return
        self._pipe_closed()
        self._worker.shutdown()
        try:
            status = self._process.wait(timeout=5 if failed else 60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        try:
            found = self._folder / "waves.fst"
            if self._waves is not None and found.exists():
                beside = self._waves.with_name(f".{self._waves.name}.{os.getpid()}")
                shutil.move(found, beside)
                beside.replace(self._waves)
            if status and not failed:
                raise SimulationError(f"simulator ended with status {status}{self._tail()}")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _pipe_closed(self) -> None:
        """Close our end: the bench sees the end of its orders and finishes."""
        if not self._pipe.closed:
            self._pipe.close()

    def _exchange(self, orders: list[Order]) -> list[dict[str, str]]:
        try:
            self._pipe.send_bytes(json.dumps(orders).encode())
            if not self._pipe.poll(self.timeout_s):
                self._process.kill()
                raise SimulationError(f"no answer within {self.timeout_s:g} s{self._tail()}")
            return json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self._process.wait()
            raise SimulationError(f"simulator died{self._tail()}") from None

    def _tail(self, lines: int = 30) -> str:
        time.sleep(0.05)  # let the last lines arrive
        text = self._log.read_text(errors="replace").strip().splitlines()[-lines:]
        return ":\n" + "\n".join(text) if text else ""


def _command(program: Build, waves: bool) -> list[str]:
    import cocotb_tools.config as cocotb

    if program.simulator.name == "verilator":
        return [str(program.program)]  # the bench starts the waves itself
    library = cocotb.lib_entry("vpi", "icarus")
    return ["vvp", "-m", str(library), str(program.program), "-fst" if waves else "-none"]


def _environment(pipe: int, wake: str) -> dict[str, str]:
    import cocotb_tools.config as cocotb
    import find_libpython

    library = find_libpython.find_libpython()
    if library is None:
        raise SimulationError("cocotb needs a Python with a shared library (libpython)")
    return dict(
        os.environ,
        COCOTB_TEST_MODULES="racewave.sim.server",
        COCOTB_TOPLEVEL="bench",
        COCOTB_RANDOM_SEED="1",
        COCOTB_TRUST_INERTIAL_WRITES="1",
        COCOTB_ANSI_OUTPUT="0",
        TOPLEVEL_LANG="verilog",
        GPI_USERS=f"{library};{cocotb.pygpi_entry_point()}",
        PYGPI_PYTHON_BIN=sys.executable,
        PYTHONPATH=os.pathsep.join(entry for entry in sys.path if entry),
        RACEWAVE_PIPE=str(pipe),
        RACEWAVE_WAKE=wake,
    )
