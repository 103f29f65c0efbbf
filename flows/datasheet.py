"""The page that comes with a core: its ports as they stand in the Verilog, and its latencies."""

from __future__ import annotations

import re

from racewave.golden.config import Config
from racewave.golden.layout import Layout
from racewave.hw.latency import latencies

__all__ = ["page", "ports"]

MEANING = {
    "clk": "clock, rising edge",
    "rst": "synchronous reset, active high; weights survive it",
    "s_axis_volley_tdata": "time code of every input line, line 0 low; held until taken",
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
    head = re.search(rf"^module {re.escape(top)} \((.*?)\);", verilog, re.S | re.M)
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
    class_text = f", then the class ({layout.class_bits} bits)" if config.readout else ""
    found = {name: row for name, *row in ports(verilog, config.module_name)}
    table = "\n".join(
        f"| `{name}` | {found[name][0]} | {found[name][1]} | {text.format(class_text=class_text)} |"
        for name, text in MEANING.items()
    )
    spikes = "0" if column.t_in == 1 else f"0..{column.t_in - 1}"
    clocks = "\n".join(
        f"| {line.what} | {line.formula} | {line.clocks} |" for line in latencies(config)
    )
    readout = ""
    if config.readout:
        readout = (
            f"* Row `{layout.weight_rows} + c * {column.q} + j`: read-out of neuron `j` of column "
            f"`c`, class `n` in bits\n  `n * {config.readout.bits}` and up, two's complement. "
            "The Verilog starts with them.\n"
        )
    return f"""# {config.module_name}

{config.description or config.name}. Config `{config.hash}`: {config.columns} columns of
{column.q} neurons with {column.p} synapses each, {config.lines} input lines.
Streams follow AXI4-Stream: a beat passes when valid and ready are high at a rising edge.

## Ports

| port | direction | bits | meaning |
|---|---|---:|---|
{table}

## Packing

* A time code has {column.time_bits} bits: 0..{column.steps - 1}, or {column.none} for no spike.
  An input line spikes at {spikes} or never.
* Row `c * {column.p} + i`: weights of input line `i` of column `c`, neuron `j` in bits
  `j * {column.w_bits}` and up. They are 0 at power-up until they are written.
{readout}* The `.hex` files hold these rows, one word per line, as `$readmemh` reads them.

## Latency

A volley is one wave. Clocks, ends included; waiting for streams comes on top:

| what | formula | clocks |
|---|---|---:|
{clocks}
"""
