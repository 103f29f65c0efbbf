"""The host's side of the UART protocol: a board that plays volleys, over any transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.frames import ERROR, REPLY, STATUS_BYTES, Code, Command, decode, encode
from racewave.golden.layout import Layout
from racewave.golden.model import Model
from racewave.golden.network import Result
from racewave.golden.volleys import check_times

__all__ = ["Host", "Refused", "Status"]

ATTEMPTS = 3
# The board has seen no whole frame and done nothing: sending it again is safe.
SPOILT = {Code.LINE, Code.START, Code.OVERSIZE, Code.TIMEOUT, Code.CRC, Code.BUSY}


class Refused(Exception):
    """The board answered with an error reply; `code` says why."""

    def __init__(self, code: Code) -> None:
        self.code = code
        super().__init__(f"the board refused a frame: {code.name.lower()} (code {code:d})")


@dataclass(frozen=True)
class Status:
    """What a board says about itself.

    Attributes
    ----------
    version
        Of the protocol.
    learn
        Waves learn.
    learning, readout
        The hardware has STDP, has a read-out.
    report
        Results hold times.
    hash
        Of the config that it was built from.
    waves, cycles
        Counters since power-up, modulo 2^32.
    """

    version: int
    learn: bool
    learning: bool
    readout: bool
    report: bool
    hash: str
    waves: int
    cycles: int

    @classmethod
    def parse(cls, payload: bytes) -> Status:
        """Read the payload of a reply to `Command.STATUS`."""
        if len(payload) != STATUS_BYTES:
            raise BadInput(f"a status must be {STATUS_BYTES} bytes, not {len(payload)}")
        learn, learning, readout, report = (bool(payload[1] >> n & 1) for n in range(4))
        waves, cycles = (int.from_bytes(payload[at : at + 4], "little") for at in (10, 14))
        identity = payload[2:10].hex()
        return cls(payload[0], learn, learning, readout, report, identity, waves, cycles)


class Host:
    """A board, reached through a function that sends a frame and returns the reply.

    Every frame carries a number, which a board executes only once: a frame that was spoilt on the
    way is sent again under its number, and is never executed twice.

    Parameters
    ----------
    config
        What the board was built from.
    exchange
        Sends a frame, returns the bytes of one reply frame (`frames.missing` says how many to
        read). It may raise what it likes if none comes.

    Raises
    ------
    BadInput
        The board was built from another config.
    Refused
        An error reply that sending again does not help.

    Examples
    --------
    >>> from racewave.golden import device, model
    >>> lone = Config()
    >>> board = device.Device(model.initial(lone))
    >>> host = Host(lone, lambda frame: board.receive(frame) or board.quiet())
    >>> host.write_model(model.initial(lone).with_weights(np.full((12, 32), 3)))
    >>> host.control(learn=True)
    >>> host.play(np.zeros((2, 32), np.uint8))[0].tolist()[0]
    [1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]
    >>> host.status().waves
    2
    """

    def __init__(self, config: Config, exchange: Callable[[bytes], bytes]) -> None:
        self.config = config
        self.layout = Layout(config)
        self._exchange = exchange
        self._number = 0
        try:
            found = self.status()
        except Refused as refused:
            if refused.code != Code.REPEATED:  # the number of somebody else's last frame
                raise
            found = self.status()
        if found.hash != config.hash:
            raise BadInput(f"the board's config must be {config.hash}, not {found.hash}")
        self._report = found.report

    def ask(self, command: Command, payload: bytes = b"") -> bytes:
        """Send a request under the next number; return the payload of its reply."""
        self._number = (self._number + 1) & 0xFF
        request = encode(command, self._number, payload)
        code = Code.LINE
        for _ in range(ATTEMPTS):
            reply = decode(self._exchange(request))
            if reply.command == command | REPLY and reply.number == self._number:
                return reply.payload
            if reply.command != ERROR or len(reply.payload) != 1:
                raise BadInput(f"reply must be one to frame {self._number}, not {reply}")
            code = Code(reply.payload[0])
            if code not in SPOILT:
                break
        raise Refused(code)

    def status(self) -> Status:
        """Ask for identity, flags and counters."""
        return Status.parse(self.ask(Command.STATUS))

    def control(self, learn: bool = False, reseed: bool = False, report: bool = False) -> None:
        """Learn or freeze from the next wave on, and say what follows.

        Parameters
        ----------
        learn
            Waves learn.
        reseed
            Put the random generators back to their seeds.
        report
            Results hold times, too. Only folded hardware with a read-out can leave them out.
        """
        choice = report and self.layout.chooses
        self.ask(Command.CONTROL, bytes([learn | reseed << 1 | choice << 2]))
        self._report = report or not self.layout.chooses

    def write_rows(self, address: int, rows: bytes) -> None:
        """Write packed rows from an address on."""
        size = self.layout.row_bytes * self.layout.rows_max
        for start in range(0, len(rows), size):
            first = address + start // self.layout.row_bytes
            self.ask(Command.WRITE, first.to_bytes(2, "little") + rows[start : start + size])

    def read_rows(self, address: int, count: int) -> bytes:
        """Read packed rows from an address on."""
        rows, most = b"", self.layout.rows_max
        for first in range(address, address + count, most):
            part = min(most, address + count - first)
            rows += self.ask(Command.READ, bytes([part]) + first.to_bytes(2, "little"))
        return rows

    def write_model(self, model: Model) -> None:
        """Load all weights, and the read-out if there is one."""
        self.write_rows(0, self.layout.pack_model(model))

    def read_layers(self) -> tuple[np.ndarray, ...]:
        """Read all weights back: C x q x p of every layer."""
        streams = self.layout.streams
        rows = self.layout.unpack_rows(self.read_rows(0, streams.weight_rows))
        return streams.layers_of(rows)

    def read_readout(self) -> np.ndarray:
        """Read the read-out back, as a model holds it."""
        streams = self.layout.streams
        rows = self.read_rows(streams.weight_rows, streams.readout_rows)
        return streams.readout_of(self.layout.unpack_rows(rows))

    def play(
        self, volleys: np.ndarray, labels: np.ndarray | None = None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Play volleys.

        Parameters
        ----------
        volleys
            Spike times, waves x lines.
        labels
            For a read-out that learns: a label per wave, negative where there is none.

        Returns
        -------
        times : numpy.ndarray or None
            Waves x outputs, if the board reports them (see `control`).
        classes : numpy.ndarray or None
            One per wave, if there is a read-out.
        """
        layout, results = self.layout, b""
        volleys = check_times(volleys, self.config)
        for start in range(0, len(volleys), layout.volleys_max):
            part = slice(start, start + layout.volleys_max)
            known = None if labels is None else labels[part]
            results += self.ask(Command.VOLLEYS, layout.pack_volleys(volleys[part], known))
        return layout.unpack_results(results, self._report)

    def run(
        self,
        model: Model,
        volleys: np.ndarray,
        learn: bool = False,
        labels: np.ndarray | None = None,
    ) -> Result:
        """Play volleys on a model from the generators' seeds, as `golden.network.run` does."""
        self.write_model(model)
        self.control(learn, reseed=True, report=True)
        times, classes = self.play(volleys, labels)
        assert times is not None  # it was told to report
        learnt = (
            self.read_readout() if self.layout.streams.label_bits and labels is not None else None
        )
        classes = classes if model.readout is not None else None
        return Result(times, self.read_layers(), classes, readout=learnt)
