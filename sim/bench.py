"""The Verilog bench around a core, and the bit strings that go in and out of its registers."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from racewave.golden.config import Config
from racewave.hw.network import Widths

__all__ = [
    "FAULTS",
    "Capacity",
    "capacity",
    "digits",
    "from_text",
    "join",
    "limit",
    "to_digits",
    "value",
    "verilog",
]

FAULTS = {
    0: "a result changed before it was taken",
    1: "a reply to a weight request changed before it was taken",
    2: "more results than volleys",
    3: "more replies than weight requests",
    4: "a weight request was accepted during a wave",
    7: "no stream made progress for too long",
}


@dataclass(frozen=True)
class Capacity:
    """How much one order holds: waves, logged weights, weight requests."""

    waves: int
    logs: int
    requests: int


def weight_bits(config: Config) -> int:
    """Bits of all column weights."""
    return config.synapses * config.column.w_bits


def capacity(config: Config) -> Capacity:
    """A capacity that keeps the registers of the bench to some 100,000 bits each."""
    widths = Widths.of(config)
    waves = min(256, max(1, (1 << 17) // max(widths.volley_bits, widths.result_bits)))
    logs = min(waves, max(1, (1 << 18) // weight_bits(config)))
    requests = min(256, max(1, (1 << 16) // widths.request_bits))
    return Capacity(waves, logs, requests)


def limit(config: Config) -> int:
    """Clocks without progress after which the bench gives up, many times those of a wave."""
    column = config.column
    contests = (column.k + 1) * 4 * column.v_max.bit_length()
    readout = config.columns * column.k + (config.readout.classes if config.readout else 0)
    return 1_000 + 16 * (column.p + column.steps + column.draws + contests + readout)


def weight_paths(config: Config) -> list[str]:
    """Where the core keeps its weights: one register per neuron and bit, synapse 0 lowest."""
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
    widths = Widths.of(config)
    defines = {
        "CORE": config.module_name,
        "VOLLEY_BITS": widths.volley_bits,
        "RESULT_BITS": widths.result_bits,
        "REQUEST_BITS": widths.request_bits,
        "ROW_BITS": widths.row_bits,
        "WEIGHT_BITS": weight_bits(config),
        "WEIGHTS": "{" + ", ".join(reversed(weight_paths(config))) + "}",
        "WAVES": room.waves,
        "LOGS": room.logs,
        "REQUESTS": room.requests,
    }
    lines = [f"`define {name} {value}\n" for name, value in defines.items()]
    if waves:
        lines.append("`define DUMP\n")
    return "".join([core, "\n", *lines, text()])


def text() -> str:
    """The bench without its parameters."""
    return (resources.files("racewave.sim") / "bench.v").read_text(encoding="utf-8")


def to_digits(codes: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Spell unsigned codes in bits, the first code in the low bits.

    Parameters
    ----------
    codes
        ... x n.
    bits
        Width of a code.
    width
        Bits of the whole, at least ``n * bits``.

    Returns
    -------
    numpy.ndarray
        uint8, ... x width, lowest bit first.

    Examples
    --------
    >>> to_digits(np.array([1, 6]), bits=3, width=8).tolist()
    [1, 0, 0, 0, 1, 1, 0, 0]
    """
    codes = np.asarray(codes)
    found = np.zeros((*codes.shape[:-1], width), np.uint8)
    for bit in range(bits):
        found[..., bit : codes.shape[-1] * bits : bits] = (codes >> codes.dtype.type(bit)) & 1
    return found


def value(digits: np.ndarray) -> str:
    """Write bits, lowest first in row-major order, as VPI takes them: highest first.

    Examples
    --------
    >>> value(np.array([[1, 0, 0], [0, 1, 1]], np.uint8))
    '110001'
    """
    return (digits.reshape(-1)[::-1] + np.uint8(ord("0"))).tobytes().decode()


def digits(value: str, count: int) -> np.ndarray:
    """Low `count` bits of a wide value, lowest first.

    Raises
    ------
    ValueError
        One of them is neither 0 nor 1.
    """
    raw = np.frombuffer(value[len(value) - count :].encode(), np.uint8)[::-1] - ord("0")
    if (raw > 1).any():
        raise ValueError(f"every bit must be 0 or 1, not {chr(raw[raw > 1][0] + ord('0'))}")
    return raw


def from_text(value: str, bits: int, count: int) -> np.ndarray:
    """Unpack the lowest codes of a wide value.

    Parameters
    ----------
    value
        Binary digits, highest bit first.
    bits
        Width of a code.
    count
        How many codes.

    Examples
    --------
    >>> from_text("00110001", bits=3, count=2).tolist()
    [1, 6]
    """
    return join(digits(value, bits * count).reshape(count, bits))


def join(planes: np.ndarray) -> np.ndarray:
    """Turn the last axis, bits from the lowest up, into numbers of the smallest type."""
    bits = planes.shape[-1]
    kind = np.min_scalar_type((1 << bits) - 1)
    codes = np.zeros(planes.shape[:-1], kind)
    for bit in range(bits):
        codes |= planes[..., bit].astype(kind) << np.array(bit, kind)
    return codes
