"""How long Verilog takes, against an ordinary design of the same size in the same run."""

from __future__ import annotations

from typing import Any

from racewave.flows.bench_rows import clock, row
from racewave.flows.console import Console
from racewave.golden.config import ColumnConfig, Config

__all__ = ["generation"]

SIZES = {"a 128x16 column": (128, 16), "10,000 synapses (125x80)": (125, 80)}
BASELINE = (128, 16)  # the ordinary design takes minutes for more


def generation(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """Seconds from a config to Verilog, imports done; the best of three."""
    from racewave.flows import plain, tools
    from racewave.hw import verilog

    tools.prepare("yosys", show.say)
    verilog.export(Config())  # imports are not what is measured
    rows = []
    for name, (p, q) in SIZES.items():
        show.say(f"Verilog of {name}")
        config = Config(column=ColumnConfig(p=p, q=q, theta=p))
        own = min(clock(lambda c=config: verilog.export(c)) for _ in range(3))
        if (p, q) != BASELINE:
            rows.append(row(f"Verilog of {name}", round(own, 2), "s"))
            continue
        other = clock(lambda c=config: plain.verilog(c.column))
        what = f"Verilog of {name}"
        rows.append(
            row(what, round(own, 2), "s", "a submodule per synapse", round(other, 2), other / own)
        )
    return rows
