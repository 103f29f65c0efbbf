"""The page that comes with a core: its ports as they stand in the Verilog, and its latencies."""

from __future__ import annotations

import re

from racewave.golden.config import Config
from racewave.golden.stage import Stage
from racewave.golden.streams import Streams
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
    "report": "sampled with the last beat of a volley: its times are sent, too",
    "reseed": "random generator back to its seed",
    "busy": "a wave is under way",
    "cycles": "clocks spent in waves",
    "waves": "waves completed",
}
FOLDED = {
    "s_axis_volley_tdata": "a row of the image: time code of every line, line 0 low{label_text}",
    "s_axis_volley_tvalid": "a beat of a volley waits",
    "s_axis_volley_tready": "the beat is taken",
    "m_axis_result_tdata": "{{last, class, column, times}}, times in the low bits",
    "m_axis_result_tvalid": "a beat of a result waits",
    "m_axis_result_tready": "the beat is taken",
    "start": "volleys are accepted",
    "learn": "sampled with the last beat of a volley: STDP after its wave",
    "busy": "a wave is under way, or a volley or a result waits",
    "cycles": "clocks in which a layer or the read-out worked",
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
    streams = Streams(config)
    texts = {
        "class_text": f", then the class ({streams.class_bits} bits)" if config.readout else "",
        "label_text": ", then {valid, label}" if streams.label_bits else "",
    }
    meaning = MEANING | (FOLDED if streams.folded else {})
    found = {name: row for name, *row in ports(verilog, config.module_name)}
    table = "\n".join(
        f"| `{name}` | {found[name][0]} | {found[name][1]} | {text.format(**texts)} |"
        for name, text in meaning.items()
        if name in found
    )
    clocks = "\n".join(
        f"| {line.what} | {line.formula} | {line.clocks} |" for line in latencies(config)
    )
    packing = "\n".join([*_codes(streams), *_beats(streams), *_rows(streams)])
    return f"""# {config.module_name}

{config.description or config.name}. Config `{config.hash}`, {config.lines} input lines:
{_layers(config)}
Streams follow AXI4-Stream: a beat passes when valid and ready are high at a rising edge.

## Ports

| port | direction | bits | meaning |
|---|---|---:|---|
{table}

## Packing

{packing}

## Latency

A volley is one wave. Clocks, ends included; waiting for streams comes on top:

| what | formula | clocks |
|---|---|---:|
{clocks}
"""


def _layers(config: Config) -> str:
    """A line per layer."""
    several, lines = len(config.stages) > 1, []
    folded = config.hardware.micro_architecture == "folded"
    for stage in config.stages:
        column = stage.column
        start = f"* layer {stage.index + 1}: " if several else ""
        text = f"{start}{stage.columns} columns of\n{column.q} neurons with {column.p} synapses"
        source = f", fed by {_source(stage)}" if several else " each"
        engines = f", on {stage.engines} engine{'s' * (stage.engines > 1)}" if folded else ""
        lines.append(text.replace("\n", " " if several else "\n") + source + engines)
    end = "\n" if several else "."
    return ("\n" if several else "") + "\n".join(lines) + end


def _source(stage: Stage) -> str:
    return "the input" if stage.source < 0 else f"layer {stage.source + 1}"


def _codes(streams: Streams) -> list[str]:
    """What time codes mean, at the input and at the output."""
    config = streams.config
    column, final = config.column, config.finals[0].column
    spikes = "0" if column.t_in == 1 else f"0..{column.t_in - 1}"
    outputs = f"0..{final.steps - 1}, or {final.none} for no spike"
    if final == column:
        text = f"* A time code has {column.time_bits} bits: {outputs}."
        return [f"{text}\n  An input line spikes at {spikes} or never."]
    inputs = f"{spikes}, or {column.none} for no spike"
    return [
        f"* The time code of an input line has {column.time_bits} bits: {inputs}.",
        f"* The time code of an output has {final.time_bits} bits: {outputs}.",
    ]


def _beats(streams: Streams) -> list[str]:
    """Fields of the beats of folded hardware."""
    if not streams.folded:
        return []
    codes = streams.beat_lines * streams.code_bits
    volley = (
        f"* A volley is {streams.volley_beats} beat{'s' * (streams.volley_beats > 1)} of "
        f"{streams.beat_lines} time codes: bits 0..{codes - 1}."
    )
    if streams.label_bits:
        volley += (
            f"\n  Its label is in bits {codes}..{codes + streams.class_bits - 1} of the last beat, "
            f"bit {codes + streams.class_bits} says that there is one."
        )
    column = streams.times_bits + streams.column_bits
    fields = f"times in bits 0..{streams.times_bits - 1} (neuron 0 low), "
    fields += f"the column's number in bits {streams.times_bits}..{column - 1}"
    always = "if `report` was on" if streams.class_bits else "always"
    result = (
        f"* A result is one beat per column, {always}, in any order: {fields};\n"
        f"  then one beat with bit {streams.result_bits - 1}, `last`"
    )
    if streams.class_bits:
        result += f", and the class in bits {column}..{column + streams.class_bits - 1}"
    return [volley, result + "."]


def _rows(streams: Streams) -> list[str]:
    """What the rows behind the weight stream hold."""
    config, several = streams.config, len(streams.config.stages) > 1
    lines = []
    for block, stage in zip(streams.weight_blocks, config.stages, strict=True):
        of, first = (f" of layer {stage.index + 1}", f"{block.first} + ") if several else ("", "")
        lines.append(
            f"* Row `{first}c * {stage.column.p} + i`: weights of input line `i` of column "
            f"`c`{of},\n  neuron `j` in bits `j * {block.bits}` and up."
        )
    lines[-1] += (
        " The Verilog starts with them."
        if streams.folded
        else " They are 0 at power-up until they are written."
    )
    block, readout = streams.readout_block, config.readout
    if block is not None and readout is not None:
        lines.append(
            {
                "weights": f"* Row `{block.first} + o`: read-out of output `o` (column by column), "
                f"class `n` in bits\n  `n * {block.bits}` and up, two's complement.",
                "tally": f"* Row `{block.first} + o`: label of output `o` (column by column), "
                f"{readout.classes} for none.",
                "dual-voter": f"* Row `{block.first} + o * {len(config.readout_times)} + i`: "
                f"counters of output `o` (column by column) at\n  {_times(config)}; those of "
                "class `n` in bits `n * 16` and up, 8 bits each.",
            }["weights" if readout.weighs else readout.kind]
            + " The Verilog starts with them."
        )
    lines.append(
        "* The `.hex` files hold these rows, one word per line, as `$readmemh` reads them."
    )
    return lines


def _times(config: Config) -> str:
    """Which spike times the rows of a dual voter are for."""
    said = ["time 0", "time 1", "time 2 or later"]
    return ", ".join(f"{said[time]} (`i` = {n})" for n, time in enumerate(config.readout_times))
