"""The Verilog bench around a core, and the bit strings that go in and out of its registers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

import numpy as np

from racewave.golden.config import Config
from racewave.golden.streams import Streams

__all__ = [
    "FAULTS",
    "Capacity",
    "capacity",
    "digits",
    "limit",
    "value",
    "verilog",
    "weight_bits",
    "weight_paths",
]

FAULTS = {
    0: "a result changed before it was taken",
    1: "a reply to a weight request changed before it was taken",
    2: "more results than volleys",
    3: "more replies than weight requests",
    4: "a weight request was accepted during a wave",
    7: "no stream made progress for too long",
}

ORDER_BITS = {"verilator": 1 << 20, "icarus": 1 << 14}  # Icarus copies a register that it indexes


@dataclass(frozen=True)
class Capacity:
    """How much one order holds: waves, logged weights, weight requests."""

    waves: int
    logs: int
    requests: int


def weight_bits(config: Config) -> int:
    """Bits of all column weights."""
    return sum(stage.synapses * stage.column.w_bits for stage in config.stages)


def capacity(config: Config, simulator: str = "verilator") -> Capacity:
    """A capacity that keeps the registers of the bench to sizes that the simulator likes."""
    streams, most = Streams(config), ORDER_BITS[simulator]
    volley_bits = streams.volley_beats * streams.volley_bits
    result_bits = streams.result_beats() * streams.result_bits
    waves = min(2048, max(1, most // max(volley_bits, result_bits)))
    logged = streams.rows * streams.row_bits if streams.folded else weight_bits(config)
    logs = min(256, waves, max(1, min(most, 1 << 18) // logged))
    requests = min(max(256, streams.rows), max(1, most // streams.request_bits))
    return Capacity(waves, logs, requests)


def limit(config: Config) -> int:
    """Clocks without progress after which the bench gives up, many times those of a wave."""
    clocks = 0
    for stage in config.stages:
        column = stage.column
        contests = (column.k + 1) * 4 * column.v_max.bit_length()
        one = column.p + column.steps + column.draws + contests
        if config.hardware.micro_architecture == "folded":
            one *= 2 * stage.columns // stage.engines
        clocks += one
    classes = config.readout.classes if config.readout else 0
    clocks += sum(stage.columns * stage.column.k for stage in config.finals) + classes
    return 1_000 + 16 * clocks


def weight_paths(config: Config) -> list[str]:
    """Where a spatial core keeps its weights: one register per neuron and bit, synapse 0 lowest."""
    return [
        f"core.layer.column_{c}.neuron_{j}.ring.plane_{bit}"
        for c in range(config.columns)
        for j in range(config.column.q)
        for bit in range(config.column.w_bits)
    ]


def verilog(config: Config, core: str, room: Capacity, waves: bool = False) -> str:
    """Write the bench for a core.

    Parameters
    ----------
    config
        What the core is.
    core
        Verilog of the core; its top module is the config's.
    room
        Capacity of one order.
    waves
        With the lines that write waves.

    Returns
    -------
    str
        Core and bench, top module `bench`.
    """
    streams = Streams(config)
    defines = {
        "CORE": config.module_name,
        "BEAT_BITS": streams.volley_bits,
        "VOLLEY_BEATS": streams.volley_beats,
        "RESULT_BITS": streams.result_bits,
        "REQUEST_BITS": streams.request_bits,
        "ROW_BITS": streams.row_bits,
        "ADDRESS_BITS": streams.address_bits,
        "RESULTS": room.waves * streams.result_beats(),
        "WAVES": room.waves,
        "LOGS": room.logs,
        "REQUESTS": room.requests,
        "REPLIES": max(room.requests, room.logs * streams.rows if streams.folded else 0),
    }
    if streams.folded:
        defines["FOLDED"] = ""
    else:
        defines["WEIGHT_BITS"] = weight_bits(config)
        defines["WEIGHTS"] = "{" + ", ".join(reversed(weight_paths(config))) + "}"
    lines = [f"`define {name} {value}\n" for name, value in defines.items()]
    if waves:
        lines.append("`define DUMP\n")
    return "".join([shorten(core), "\n", *lines, text()])


def shorten(verilog: str) -> str:
    """Write memories whose rows begin with equal values as loops: they compile in no time.

    Examples
    --------
    >>> shorten("memory[0] = 4'h3;\\nmemory[1] = 4'h3;\\n")
    "for (int n = 0; n <= 1; n = n + 1) memory[n] = 4'h3;\\n"
    """
    return RUN.sub(_as_loop, verilog)


# Rows of a memory with one value, in order or not: at least two.
RUN = re.compile(
    r"""^( *)(\w+)\[(\d+)\] = (\d+'h[0-9a-f]+);\n(?: *\2\[\d+\] = \4;\n)+""", re.MULTILINE
)


def _as_loop(run: re.Match[str]) -> str:
    indent, memory, first, value = run.groups()
    rows = run[0].count("\n")
    numbers = [int(n) for n in re.findall(r"\[(\d+)\] =", run[0])]
    if numbers != list(range(int(first), int(first) + rows)):
        return run[0]
    last = int(first) + rows - 1
    return f"{indent}for (int n = {first}; n <= {last}; n = n + 1) {memory}[n] = {value};\n"


def text() -> str:
    """The bench without its parameters."""
    return (resources.files("racewave.sim") / "bench.v").read_text(encoding="utf-8")


def value(digits: np.ndarray, bits: int = 0) -> str:
    """Write bits, lowest first in row-major order, as VPI takes them: highest first.

    Examples
    --------
    >>> value(np.array([[1, 0, 0], [0, 1, 1]], np.uint8), bits=8)
    '00110001'
    """
    return (digits.reshape(-1)[::-1] + np.uint8(ord("0"))).tobytes().decode().rjust(bits, "0")


def digits(value: str, *shape: int) -> np.ndarray:
    """Read the low bits of a wide value, lowest first, into an array of a shape.

    Raises
    ------
    ValueError
        One of them is neither 0 nor 1.

    Examples
    --------
    >>> digits("00110001", 2, 3).tolist()
    [[1, 0, 0], [0, 1, 1]]
    """
    count = int(np.prod(shape))
    raw = np.frombuffer(value[len(value) - count :].encode(), np.uint8)[::-1] - ord("0")
    if (raw > 1).any():
        raise ValueError(f"every bit must be 0 or 1, not {chr(raw[raw > 1][0] + ord('0'))}")
    return raw.reshape(shape)
