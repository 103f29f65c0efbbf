"""Area of a 32x12 column on iCE40, routed, against an ordinary design."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from racewave.flows import boards, build, synthesis, tools
from racewave.flows.bench_rows import row
from racewave.flows.console import Console
from racewave.golden import model, presets

__all__ = ["area"]


def area(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """LUT4 per synapse of the routed core, weights, control and streams included.

    The baseline has no STDP, no weight read-back, no streams and no cycle counter.
    """
    board, preset = boards.load("icebreaker"), presets.load("cmu-cvt")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        show.say("area of an ordinary 32x12 column")
        plain = _plain(board, preset.column, Path(scratch)) / preset.synapses
        for learning in (False, True):
            kind = "with STDP" if learning else "inference"
            hardware = preset.hardware.model_copy(update={"learning": learning})
            config = preset.model_copy(update={"hardware": hardware})
            place = Path(scratch) / kind
            built = build.build(model.initial(config), board, place, say=show.say)
            own = built.report["core"]["luts_per_synapse"]
            what = f"32x12 column {kind}"
            rows.append(
                row(what, own, "LUT4/synapse", "ordinary, inference", round(plain, 2), plain / own)
            )
            timing = built.report["timing"]["fmax_mhz"]
            rows.append(row(f"{what}: Fmax on UP5K with UART", timing, "MHz"))
    return rows


def _plain(board: boards.Board, column: Any, scratch: Path) -> int:
    """LUT4 of the ordinary column, with the synthesis script as it comes."""
    from racewave.flows import plain  # amaranth loads when it is needed

    (scratch / "top.il").write_text(plain.text(column), encoding="utf-8")
    script = "read_rtlil top.il; synth_ice40 -device u -top top; tee -q -o cells.json stat -json"
    tools.run("yosys", ["-q", "-p", script], scratch, scratch / "log")
    return synthesis.count(scratch).luts
