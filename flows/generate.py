"""Everything that another project needs to use a network as a core."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from racewave.flows import datasheet, files, tools
from racewave.golden.model import Model
from racewave.golden.streams import Streams

__all__ = ["Generated", "generate", "images", "rows"]


@dataclass(frozen=True)
class Generated:
    """What `generate` wrote.

    Parameters
    ----------
    folder
        Where.
    top
        Name of the top module.
    files
        Names and SHA-256 of all files.
    hash
        Of the config.
    """

    folder: str
    top: str
    files: dict[str, str]
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"folder": self.folder, "top": self.top, "hash": self.hash, "files": self.files}


def generate(model: Model, out: str | Path, say: tools.Say | None = None) -> Generated:
    """Write Verilog, memory images, a page of ports and latencies, and a FuseSoC core file.

    The same model gives the same bytes, on every machine.

    Parameters
    ----------
    model
        Config, weights and perhaps a read-out, which the Verilog then starts with.
    out
        Folder; see `files.folder` for what it may hold already.
    say
        Told when a tool's first start will take its time.

    Raises
    ------
    BadInput
        The folder cannot be written.
    """
    from racewave.hw.verilog import export  # amaranth loads when it is needed

    config, top = model.config, model.config.module_name
    files.check_place(Path(out).absolute(), out)
    tools.prepare("yosys", say)
    verilog = export(config, model)
    found = images(model)
    texts = {
        f"{top}.v": verilog,
        **found,
        "ports.md": datasheet.page(config, verilog),
        "config.json": files.to_json(config.to_dict()),
        f"{config.name}.core": core_file(model, list(found)),
    }
    about = {"config": config.name, "hash": config.hash, "top": top}
    with files.folder(out, about) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        listed = files.manifest(folder, about)["files"]
    return Generated(str(out), top, listed, config.hash)


def images(model: Model) -> dict[str, str]:
    """Memory images by file name: the weights of every layer, then the read-out if there is one.

    Examples
    --------
    >>> from racewave.golden import model, presets
    >>> list(images(model.initial(presets.load("cmu-cvt"))))
    ['weights.hex']
    """
    layers = len(model.config.stages)
    names = ["weights.hex"] if layers == 1 else [f"layer{n}.weights.hex" for n in range(layers)]
    tables = list(Streams(model.config).tables(model))
    pairs = zip([*names, "readout.hex"], tables, strict=False)
    return {name: rows(codes, block.bits) for name, (block, codes) in pairs}


def rows(table: np.ndarray, bits: int) -> str:
    """One word per line in hex, item 0 in the low bits, for ``$readmemh``.

    Parameters
    ----------
    table
        Words x items; negative items are written as two's complement.
    bits
        Width of an item.

    Examples
    --------
    >>> rows(np.array([[1, 2], [7, -1]]), bits=4)
    '21\\nf7\\n'
    """
    digits = -(-table.shape[1] * bits // 4)
    mask = (1 << bits) - 1
    words = (sum((int(v) & mask) << (n * bits) for n, v in enumerate(row)) for row in table)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def core_file(model: Model, names: list[str]) -> str:
    """FuseSoC's description of the core (CAPI 2), with the names of its memory images."""
    config, top = model.config, model.config.module_name
    data = "".join(f"      - {name}: {{copyto: {name}}}\n" for name in names)
    return f"""CAPI=2:
name: racewave:networks:{config.name}:{version("racewave")}
description: "{config.description or config.name} (config {config.hash})"

filesets:
  rtl:
    files:
      - {top}.v
    file_type: verilogSource
  images:
    files:
{data}    file_type: user

targets:
  default: &default
    filesets: [rtl, images]
    toplevel: {top}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
"""
