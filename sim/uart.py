"""A board top alive in a simulator, behind its serial line."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from racewave.sim.runner import Session, SimulationError, build, pick

__all__ = ["Line", "levels", "verilog"]

FAULTS = {
    0: "a start bit was shorter than half a bit",
    1: "a byte had no stop bit",
    7: "expected bytes did not come",
}


def levels(data: Iterable[int], stop: int = 1, gap: int = 0) -> list[int]:
    """Spell bytes as levels of the line, one per bit time.

    Parameters
    ----------
    data
        Bytes.
    stop
        Level of the stop bits; 0 breaks the bytes.
    gap
        Bit times of silence after each byte.

    Examples
    --------
    >>> levels(b"a")
    [0, 1, 0, 0, 0, 0, 1, 1, 0, 1]
    """
    found = []
    for byte in data:
        found += [0, *(byte >> n & 1 for n in range(8)), stop, *([1] * gap)]
    return found


def verilog(board: str, top: str, divisor: int, capacity: int) -> str:
    """Write the bench around a board top: `capacity` is the longest exchange in bytes."""
    defines = {"TOP": top, "DIVISOR": divisor, "LEVELS": 16 * capacity, "REPLIES": capacity}
    text = (resources.files("racewave.sim") / "uart_bench.v").read_text(encoding="utf-8")
    lines = [f"`define {name} {value}\n" for name, value in defines.items()]
    return "".join([board, "\n", *lines, text])


class Line:
    """The host's end of the serial line of a simulated board.

    Parameters
    ----------
    board
        Verilog of the board top.
    top
        Name of its module.
    divisor
        Its clocks per bit.
    simulator
        "verilator" or "icarus"; the best one here if not given.
    waves
        FST file for the waves.
    capacity
        Longest exchange in bytes, each way.
    reset
        Begin with a reset, without which Icarus leaves combinational values undefined. A board
        needs none: its registers power up with their reset values.
    """

    def __init__(
        self,
        board: str,
        top: str,
        divisor: int,
        simulator: str | None = None,
        waves: Path | None = None,
        capacity: int = 1024,
        reset: bool = True,
    ) -> None:
        self.divisor = divisor
        self.capacity = capacity
        text = verilog(board, top, divisor, capacity)
        if waves is not None:
            text = f"`define DUMP\n{text}"
        program = build(pick(simulator), text, waves=waves is not None)
        self.session = Session(program, waves=waves)
        if reset:
            self.play(b"", reset=True)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.session.close(failed=kind is not None)

    def play(
        self,
        data: bytes | list[int],
        wanted: int = 0,
        pause: int = 0,
        divisor: int | None = None,
        reset: bool = False,
    ) -> bytes:
        """Send, then listen; Python sleeps meanwhile.

        Parameters
        ----------
        data
            Bytes, or levels of the line (see `levels`).
        wanted
            Bytes to wait for.
        pause
            Clocks of silence on both ends to wait for after that.
        divisor
            The sender's clocks per bit, if they differ from the receiver's.
        reset
            Reset the board first.

        Returns
        -------
        bytes
            What was heard, wanted or not.
        """
        line = levels(data) if isinstance(data, bytes) else data
        if max(len(line) / 16, wanted) > self.capacity:
            raise ValueError(
                f"an exchange must be at most {self.capacity} bytes, not {len(line)} bits out "
                f"and {wanted} bytes in"
            )
        registers = {
            "levels": "".join(map(str, reversed(line))).zfill(16 * self.capacity),
            "count": len(line),
            "wanted": wanted,
            "pause": pause,
            "divisor": divisor or self.divisor,
            "reset": int(reset),
        }
        order = {"set": registers, "get": ["heard", "heard_count", "faults"]}
        answer = self.session.play(order)[0]
        faults = int(answer["faults"], 2)
        if faults:
            raise SimulationError(
                "; ".join(said for bit, said in FAULTS.items() if faults >> bit & 1)
            )
        heard = int(answer["heard"], 2).to_bytes(self.capacity, "little")
        return heard[: int(answer["heard_count"], 2)]
