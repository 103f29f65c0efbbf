"""Boards are data: device, pins and what the device holds, one TOML file each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from racewave.golden.errors import BadInput, nearest

__all__ = ["Available", "Board", "Pins", "constraints", "load", "names", "wrapper"]


@dataclass(frozen=True)
class Pins:
    """Package pins of a board top; `high` names outputs that are held at 1."""

    clk: str
    rx: str
    tx: str
    led: list[str]
    led_active: int
    high: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Available:
    """What a device holds: logic cells (a LUT4 each), flip-flops, block memories, multipliers.

    `shapes` are the forms that a block memory can take, words x bits; `distributed`: synthesis puts
    small memories into LUTs instead.
    """

    cells: int
    ffs: int
    brams: int
    dsps: int
    shapes: tuple[tuple[int, int], ...]
    distributed: bool

    @property
    def carries(self) -> int:
        """Carry bits: every logic cell has one."""
        return self.cells

    def blocks(self, words: int, bits: int) -> int:
        """Fewest block memories for so many words of so many bits.

        Examples
        --------
        >>> large, small = load("ulx3s-85f").available, load("hx8k").available
        >>> large.blocks(800, 36), small.blocks(800, 36), large.blocks(32, 9), small.blocks(32, 9)
        (2, 9, 0, 1)
        """
        found = min(-(-words // depth) * -(-bits // width) for depth, width in self.shapes)
        # yosys reckons 4 for a distributed memory of 16 x 4 bits and 128 for a block; up to twice
        # as much, its choice depends on the rest of the design.
        distributed = 4 * -(-words // 16) * -(-bits // 4)
        return 0 if self.distributed and distributed < 2 * 128 * found else found


@dataclass(frozen=True)
class Board:
    """A board that `racewave build` knows.

    Parameters
    ----------
    name, aliases, title
        What users type, and what reports print.
    family, device, package
        As nextpnr calls them.
    clock_hz
        Frequency of the oscillator; the design runs on it without a PLL.
    programmer
        Command that loads a bitstream; its file name comes last.
    """

    name: str
    title: str
    family: Literal["ice40", "ecp5"]
    device: str
    package: str
    clock_hz: int
    programmer: str
    pins: Pins
    available: Available
    aliases: tuple[str, ...] = ()


@cache
def _boards() -> dict[str, Board]:
    boards = {}
    for file in (resources.files("racewave.flows") / "boards").iterdir():
        name, dot, suffix = file.name.rpartition(".")
        if dot and suffix == "toml":
            data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
            data |= {
                "pins": Pins(**data["pins"]),
                "available": _available(data["available"]),
                "aliases": tuple(data.get("aliases", ())),
            }
            boards[name] = Board(name=name, **data)
    # The smallest first: "which board would do" takes the first that fits.
    return dict(sorted(boards.items(), key=lambda item: item[1].available.cells))


def _available(data: dict[str, Any]) -> Available:
    shapes = tuple((words, bits) for words, bits in data["shapes"])
    return Available(**{**data, "shapes": shapes})


def names() -> list[str]:
    """Names of all boards, the smallest device first."""
    return list(_boards())


def load(name: str) -> Board:
    """A board by its name or an alias.

    Raises
    ------
    BadInput
        No board has this name.
    """
    boards = _boards()
    aliases = {alias: board for board in boards.values() for alias in board.aliases}
    found = boards.get(name) or aliases.get(name)
    if found is None:
        raise BadInput(f"board must be known, not '{name}'{nearest(name, [*boards, *aliases])}")
    return found


def constraints(board: Board) -> tuple[str, str]:
    """Pin constraints as place and route takes them: file name and text."""
    pins = board.pins
    outputs = {"tx": pins.tx} | {f"led[{n}]": pin for n, pin in enumerate(pins.led)} | pins.high
    if board.family == "ice40":
        lines = [f"set_io clk {pins.clk}", f"set_io -pullup yes rx {pins.rx}"]
        lines += [f"set_io {port} {pin}" for port, pin in outputs.items()]
        return "top.pcf", "\n".join(lines) + "\n"
    lines = [f'FREQUENCY PORT "clk" {board.clock_hz / 1e6:g} MHZ;']
    for port, pin in {"clk": pins.clk, "rx": pins.rx, **outputs}.items():
        pull = " PULLMODE=UP" if port == "rx" else ""
        lines += [
            f'LOCATE COMP "{port}" SITE "{pin}";',
            f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33{pull};',
        ]
    return "top.lpf", "\n".join(lines) + "\n"


def wrapper(board: Board, module: str) -> str:
    """Verilog of the outermost module: a board top with its pins and a power-on reset.

    Parameters
    ----------
    board
        Says what the pins are.
    module
        Name of the board top: ports clk, rst, rx, tx, busy.
    """
    held = "".join(f",\n    output wire {port}" for port in board.pins.high)
    assigns = "".join(f"    assign {port} = 1'b1;\n" for port in board.pins.high)
    lights = ("" if board.pins.led_active else "~") + "{ready, busy}"
    return f"""
// {board.title}: pins and power-on reset.
module top(
    input wire clk,
    input wire rx,
    output wire tx,
    output wire [1:0] led{held}
);
    // Block memories of iCE40 read 0 for some microseconds after configuration: begin later.
    reg [9:0] power_on = 0;
    wire ready = power_on[9];
    always @(posedge clk) if (!ready) power_on <= power_on + 1;

    wire busy;
    {module} board(.clk(clk), .rst(!ready), .rx(rx), .tx(tx), .busy(busy));
    assign led = {lights};
{assigns}endmodule
"""
