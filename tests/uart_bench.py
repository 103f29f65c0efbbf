"""A simulated board behind its serial line, and its model, asked the same."""

from __future__ import annotations

from boards import in_order, without_cycles

from racewave.golden.device import Device
from racewave.golden.frames import missing
from racewave.golden.host import Host
from racewave.golden.model import Model
from racewave.hw import board_top
from racewave.sim.uart import Line

DIVISOR = 4
QUIET_BITS = 32
QUIET = DIVISOR * QUIET_BITS + 20  # clocks
BOOT = QUIET + 2_000


def verilog(of: Model) -> tuple[str, str]:
    """A board that starts with a model, and the name of its module."""
    layout, _, boot, _, *core = board_top.parameters(of, 12e6)
    text = board_top.export(layout, DIVISOR, boot, QUIET_BITS, *core)
    return text, f"{of.config.module_name}_board"


class Bench:
    """A simulated board and its model, asked the same."""

    def __init__(self, of: Model, simulator: str | None = None, power_up: bool = False):
        self.line = Line(*verilog(of), DIVISOR, simulator, reset=not power_up)
        self.model = of

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.line.__exit__(*error)

    def restart(self) -> None:
        """Reset, boot, and begin with a new device model."""
        assert self.line.play(b"", pause=BOOT, reset=True) == b""
        self.device = Device(self.model)
        if self.device.layout.streams.folded:  # its memories keep what they hold through a reset
            Host(self.model.config, self.exchange).write_model(self.model)
            assert self.line.play(b"", pause=BOOT, reset=True) == b""

    def compare(self, data: bytes | list[int], quiet: bool = False, answering: bool = False):
        """Send a chunk to both; the replies must be equal."""
        expected = self.device.receive(data, answering) if isinstance(data, bytes) else b""
        expected += self.device.quiet() if quiet else b""
        heard = self.line.play(data, len(expected), QUIET if quiet else 0)
        layout, report = self.device.layout, self.device.reports
        heard_in_order = in_order(without_cycles(heard), layout, report)
        assert heard_in_order.hex() == without_cycles(expected).hex()
        return heard

    def play(self, steps) -> None:
        for data, quiet in steps:
            self.compare(data, quiet)

    def exchange(self, frame: bytes) -> bytes:
        """The transport of a `Host`."""
        reply = self.line.play(frame, missing(b""))
        while more := missing(reply):
            reply += self.line.play(b"", more)
        return reply
