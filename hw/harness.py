"""A harness without logic: it lets a core of hundreds of ports be routed and counted on iCE40.

Not part of any design: the only place beside board tops that names a vendor's cell.
"""

import re

from racewave.golden.config import Config
from racewave.hw.verilog import export

__all__ = ["harness"]

WORD = 16  # data bits of an iCE40 block memory


def harness(config: Config) -> str:
    """Verilog of a core and of a module ``harness`` around it, for iCE40.

    Inputs of the core come from one long shift register. Its outputs end in block memories, written
    16 bits wide and read 2 bits wide, which multiplex them to a few pins. Neither takes a LUT, so
    every LUT of the routed design is the core's.

    Parameters
    ----------
    config
        The network.
    """
    text = export(config)
    core = text[text.index(f"module {config.module_name} ") :].split(");")[0]
    inputs: dict[str, int] = {}
    outputs: dict[str, int] = {}
    for kind, high, name in re.findall(r"(input|output) +\w+ +(?:\[(\d+):0\] )?(\w+)", core):
        if name != "clk":
            (inputs if kind == "input" else outputs)[name] = int(high or 0) + 1
    total = sum(outputs.values())
    memories = -(-total // WORD)
    lines = [
        "module harness (",
        "  input clk, input shift_in, input [10:0] address,",
        f"  output [{memories - 1}:0] seen",
        ");",
        f"  reg [{sum(inputs.values()) - 1}:0] shift;",
        "  always @(posedge clk) shift <= {shift, shift_in};",
        f"  wire [{memories * WORD - 1}:0] out;",
    ]
    if total % WORD:
        lines.append(f"  assign out[{memories * WORD - 1}:{total}] = 0;")
    ports = [".clk(clk)"]
    for vector, members in (("shift", inputs), ("out", outputs)):
        at = 0
        for name, bits in members.items():
            ports.append(f".{name}({vector}[{at} +: {bits}])")
            at += bits
    lines += [f"  {config.module_name} core (", *(f"    {port}," for port in ports)]
    lines[-1] = lines[-1].rstrip(",") + ");"
    for n in range(memories):
        # In the 2-bit mode a read shows its bits at positions 3 and 11.
        lines += [
            f"  wire [15:0] read_{n};",
            f"  assign seen[{n}] = read_{n}[11];",
            f"  (* keep *) SB_RAM40_4K #(.WRITE_MODE(0), .READ_MODE(3)) memory_{n} (",
            f"    .RDATA(read_{n}), .RADDR(address), .RCLK(clk), .RCLKE(1'b1), .RE(1'b1),",
            "    .WADDR(11'd0), .WCLK(clk), .WCLKE(1'b1), .WE(1'b1), .MASK(16'd0),",
            f"    .WDATA(out[{n * WORD} +: {WORD}])",
            "  );",
        ]
    return "\n".join([text, *lines, "endmodule", ""])
