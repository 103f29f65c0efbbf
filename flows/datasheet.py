"""The page that comes with a core: its ports as they stand in the Verilog, and its latencies."""

from __future__ import annotations

import re

from racewave.flows.latency import wave_cycles
from racewave.golden.config import Config
from racewave.golden.layout import Layout

__all__ = ["page", "ports"]

MEANING = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high; weights survive it",
    "s_axis_volley_tdata": "time code of every input line, line 0 in the low bits; held until taken",
    "s_axis_volley_tvalid": "a volley waits",
    "s_axis_volley_tready": "the volley is taken: last clock of its wave",
    "m_axis_result_tdata": "time code of every neuron, column by column{class_text}",
    "m_axis_result_tvalid": "a result waits",
    "m_axis_result_tready": "the result is taken",
    "s_axis_weight_tdata": "{{write, address, row}}, row in the low bits",
    "s_axis_weight_tvalid": "a weight request waits; accepted between waves only",
    "s_axis_weight_tready": "the request is taken",
    "m_axis_weight_tdata": "the row that was asked for",
    "m_axis_weight_tvalid": "a row waits",
    "m_axis_weight_tready": "the row is taken",
    "start": "waves may begin",
    "learn": "sampled when a wave begins: STDP after it",
    "reseed": "random generator back to its seed",
    "busy": "a wave is under way",
    "cycles": "clocks spent in waves",
    "waves": "waves completed",
}
PORT = re.compile(r"(input|output)\s+(?:wire|reg)?\s*(?:\[(\d+):0\])?\s*(\w+)")


def ports(verilog: str, top: str) -> list[tuple[str, str, int]]:
    """Ports of a module as (name, direction, bits), in the order of the text.

    Examples
    --------
    >>> ports("module m (\\n  input wire clk,\\n  output reg [7:0] x = 8'd0\\n);", "m")
    [('clk', 'input', 1), ('x', 'output', 8)]
    """
    head = re.search(rf"^module {re.escape(top)} \((.*?)\);", verilog, re.DOTALL | re.MULTILINE)
    if head is None:
        raise ValueError(f"verilog must hold a module {top}")
    return [
        (name, direction, int(high or 0) + 1) for direction, high, name in PORT.findall(head[1])
    ]


def page(config: Config, verilog: str) -> str:
    """Markdown: ports, packing, latencies.

    Parameters
    ----------
    config
        The network.
    verilog
        Its exported text.
    """
    column, layout = config.column, Layout(config)
    classes = f", then the class ({layout.class_bits} bits)" if config.readout else ""
    lines = [
        f"# {config.module_name}",
        "",
        f"{config.description or config.name}. Config `{config.hash}`: {config.columns} columns of "
        f"{column.q} neurons with {column.p} synapses each, {config.lines} input lines.",
        "Streams follow AXI4-Stream: a beat passes when valid and ready are high at a rising edge.",
        "",
        "## Ports",
        "",
        "| port | direction | bits | meaning |",
        "|---|---|---:|---|",
    ]
    for name, direction, bits in ports(verilog, config.module_name):
        meaning = MEANING[name].format(class_text=classes)
        lines.append(f"| `{name}` | {direction} | {bits} | {meaning} |")
    lines += [
        "",
        "## Packing",
        "",
        f"* A time code has {column.time_bits} bits: 0..{column.steps - 1}, or {column.none} for "
        "no spike. "
        + (
            "An input line spikes at 0 or never."
            if column.t_in == 1
            else f"An input line spikes at 0..{column.t_in - 1} or never."
        ),
        f"* Row `c * {column.p} + i` holds the weights of input line `i` of column `c`: neuron `j` "
        f"in bits `j * {column.w_bits}` and up.",
    ]
    if config.readout:
        lines.append(
            f"* Row `{layout.weight_rows} + c * {column.q} + j` holds the read-out weights of "
            f"neuron `j` of column `c`: class `n` in bits `n * {config.readout.bits}` and up, "
            "two's complement."
        )
    lines += [
        f"* `weights.hex`{' and `readout.hex`' if config.readout else ''} hold the same rows, one "
        "word per line for `$readmemh`. Weights are 0 at power-up until they are written"
        + ("; the read-out is in the Verilog." if config.readout else "."),
        "",
        "## Latency",
        "",
        "A volley is one wave. Clocks from the beginning of a wave to its result:",
        "",
        "| wave | clocks |",
        "|---|---:|",
        f"| frozen | {wave_cycles(config)} |",
    ]
    if config.hardware.learning:
        lines.append(f"| learning | {wave_cycles(config, learn=True)} |")
    lines += [
        "",
        "More when several neurons compete for the last places of a k-WTA by potential, and in a",
        "learning wave that begins before its random decisions are drawn "
        f"({column.draws} clocks after the last).",
    ]
    return "\n".join(lines) + "\n"
