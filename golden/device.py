"""What a board answers: the UART protocol in front of the core, byte for byte.

Time does not exist here beyond three facts that the caller tells: bytes follow each other without
a gap, the line has been quiet for the time-out (while nothing was executed or sent), bytes came
while a reply was being sent.
"""

from __future__ import annotations

import numpy as np

from racewave.golden import kinds, network, tally, voter
from racewave.golden.frames import (
    ERROR,
    OVERHEAD,
    REPLY,
    START,
    VERSION,
    Code,
    Command,
    crc16,
    encode,
)
from racewave.golden.layout import Layout
from racewave.golden.model import Model

__all__ = ["Device"]


class Device:
    """A board after power-up, its rows loaded.

    A frame is executed only when it is complete and every check has passed; whatever else arrives
    changes nothing, leads to one error reply, and is over when the line has been quiet. Folded
    hardware may send the columns of a result in another order than this model does.

    Parameters
    ----------
    model
        What the board was built from; it starts with its rows.
    boot
        The board starts with the model's rows; without, all are 0.

    Attributes
    ----------
    cycles : int
        Cycle counter that a status reports. Only hardware counts; here it is what the caller sets.

    Examples
    --------
    >>> from racewave.golden import config, frames, model
    >>> device = Device(model.initial(config.Config()))
    >>> frames.decode(device.receive(frames.encode(Command.CONTROL, 1, b"\\x01"))).payload
    b''
    >>> device.receive(b"noise"), frames.decode(device.quiet()).payload
    (b'', b'\\x02')
    """

    def __init__(self, model: Model, boot: bool = True) -> None:
        self.layout = Layout(model.config)
        self.cycles = 0
        self.waves = 0
        self._config = model.config
        rows = self.layout.streams.rows_of(model)
        self._rows = np.zeros((self.layout.rows, self.layout.streams.row_bits), np.uint8)
        self._rows[: len(rows)] = rows * boot
        self._states = self._seeds()
        self._learn = False
        self._report = not self.layout.chooses
        self._number = 0  # of the header received last
        self._executed = 0  # number of the frame executed last
        self._frame = bytearray()
        self._error: Code | None = None  # set: deaf until the line is quiet

    @property
    def layers(self) -> tuple[np.ndarray, ...]:
        """Present weights: C x q x p of every layer."""
        return self.layout.streams.layers_of(self._rows)

    @property
    def reports(self) -> bool:
        """Results hold times."""
        return self._report

    def receive(self, data: bytes, answering: bool = False) -> bytes:
        """Take bytes that follow each other without a gap; return the reply, if one is due.

        Parameters
        ----------
        data
            What the host sends.
        answering
            It does so while the reply before is still being sent.
        """
        reply = b""
        for byte in data:
            if self._error:
                break
            if answering or reply:
                self._fail(Code.BUSY)
            else:
                reply = self._take(byte)
        return reply

    def broken(self) -> None:
        """Take a byte without stop bit."""
        if not self._error:
            self._fail(Code.LINE)

    def quiet(self) -> bytes:
        """Let the time-out pass without a byte; return the error reply, if one is due."""
        if self._frame:
            self._fail(Code.TIMEOUT)
        if not self._error:
            return b""
        code, self._error = self._error, None
        return encode(ERROR, self._number, bytes([code]))

    def _fail(self, code: Code) -> None:
        self._frame.clear()
        self._error = code

    def _take(self, byte: int) -> bytes:
        """Add a byte to the frame; execute it when complete."""
        self._frame.append(byte)
        size = len(self._frame)
        length = int.from_bytes(self._frame[3:5], "little")
        if size == 1 and byte != START:
            self._fail(Code.START)
        elif size == 3:
            self._number = byte
        elif size == 5 and length > self.layout.buffer:
            self._fail(Code.OVERSIZE)
        elif size >= 5 and size == OVERHEAD + length:
            command, payload = self._frame[1], bytes(self._frame[5:-2])
            code = Code.CRC if crc16(self._frame[1:]) else self._refuse(command, payload)
            if code:
                self._fail(code)
            else:
                self._frame.clear()
                self._executed = self._number
                return encode(REPLY | command, self._number, self._execute(command, payload))
        return b""

    def _refuse(self, command: int, payload: bytes) -> Code | None:
        """Check everything that could be wrong with a sound frame."""
        if self._number == self._executed:
            return Code.REPEATED
        if command not in set(Command):
            return Code.COMMAND
        size, layout = len(payload), self.layout
        fits = {
            Command.STATUS: size == 0,
            Command.WRITE: size >= 2 and (size - 2) % layout.row_bytes == 0,
            Command.READ: size == 3,
            Command.VOLLEYS: size % layout.volley_bytes == 0,
            Command.CONTROL: size == 1,
        }
        if not fits[Command(command)]:
            return Code.LENGTH
        beyond = False
        if command == Command.WRITE:
            rows = (size - 2) // layout.row_bytes
            beyond = rows > 0 and _address(payload) + rows > layout.rows
        elif command == Command.READ:
            beyond = payload[0] > 0 and _address(payload[1:]) + payload[0] > layout.rows
        elif command == Command.CONTROL:
            known = self._config.hardware.learning | 0b10 | self.layout.chooses << 2
            beyond = payload[0] & ~known != 0
        return Code.RANGE if beyond else None

    def _execute(self, command: int, payload: bytes) -> bytes:
        """Do what an accepted frame says; return the payload of the reply."""
        if command == Command.STATUS:
            return self._status()
        if command == Command.WRITE:
            self._write_rows(_address(payload), payload[2:])
        elif command == Command.READ:
            return self._read_rows(_address(payload[1:]), payload[0])
        elif command == Command.VOLLEYS:
            return self._play(payload)
        else:
            self._learn = bool(payload[0] & 1)
            self._report = bool(payload[0] & 4) or not self.layout.chooses
            if payload[0] & 2:
                self._states = self._seeds()
        return b""

    def _seeds(self) -> tuple[int, ...]:
        return tuple(stage.column.seed for stage in self._config.stages)

    def _status(self) -> bytes:
        config = self._config
        facts = self._learn, config.hardware.learning, config.readout is not None, self._report
        flags = sum(fact << n for n, fact in enumerate(facts))
        counts = [count & 0xFFFF_FFFF for count in (self.waves, self.cycles)]
        return (
            bytes([VERSION, flags])
            + bytes.fromhex(config.hash)
            + b"".join(count.to_bytes(4, "little") for count in counts)
        )

    def _write_rows(self, address: int, data: bytes) -> None:
        rows = self.layout.unpack_rows(data)
        streams = self.layout.streams
        readout = [streams.readout_block] if streams.readout_block else []
        for block in (*streams.weight_blocks, *readout):
            first = max(address, block.first)
            last = min(address + len(rows), block.first + block.rows)
            if first < last:  # a row keeps the bits that its block has
                bits = block.items * block.bits
                self._rows[first:last, :bits] = rows[first - address : last - address, :bits]

    def _read_rows(self, address: int, count: int) -> bytes:
        return self.layout.pack_rows(self._rows[address : address + count])

    def _model(self) -> Model:
        """Make a model of the present rows; codes that mean nothing become the largest that do."""
        config, streams = self._config, self.layout.streams
        pairs = zip(self.layers, config.stages, strict=True)
        layers = tuple(np.minimum(weights, stage.column.w_max) for weights, stage in pairs)
        table = None
        if config.readout is not None:
            table = streams.readout_of(self._rows[streams.weight_rows :])
            if config.readout.kind == "dual-voter":
                table = np.minimum(table, voter.MOST)
            elif config.readout.kind == "tally":
                table = np.where(table < config.readout.classes, table, tally.UNKNOWN)
        return Model(config, layers, table)

    def _play(self, payload: bytes) -> bytes:
        times, labels = self.layout.unpack_volleys(payload)
        model, config, classes, table = self._model(), self._config, None, None
        out, layers, self._states = network.play(
            model, times, self._learn, "reference", self._states
        )
        if model.readout is not None and config.readout is not None:
            if labels is not None:
                labels = np.where(labels < config.readout.classes, labels, -1)
            classes, table = kinds.play(out, model.readout, config, labels, "reference")
        if self._learn or labels is not None:
            rows = self.layout.streams.rows_of(Model(config, layers, table))
            self._rows[: len(rows)] = rows
        self.waves += len(times)
        return self.layout.pack_results(out, classes, self._report)


def _address(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "little")
