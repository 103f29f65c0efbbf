"""What a board answers: the UART protocol in front of the network, byte for byte.

Time does not exist here beyond three facts that the caller tells: bytes follow each other without
a gap, the line has been quiet for the time-out (while nothing was executed or sent), bytes came
while a reply was being sent.
"""

from __future__ import annotations

import numpy as np

from racewave.golden import layer, readout
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
from racewave.golden.layout import Layout, pack, unpack
from racewave.golden.model import Model

__all__ = ["Device"]


class Device:
    """A board after power-up, its boot rows loaded.

    A frame is executed only when it is complete and every check has passed; whatever else arrives
    changes nothing, leads to one error reply, and is over when the line has been quiet.

    Parameters
    ----------
    model
        What the board was built from; its weights are the boot rows.
    boot
        The board loads the weights at power-up; without, all weights are 0.

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
        self._fields = model.config.field_lines()
        self._weights = model.weights.astype(np.int64) * boot
        self._readout = None
        if model.config.readout is not None:
            rows = model.readout
            shape = (model.config.outputs, model.config.readout.classes)
            self._readout = np.zeros(shape, np.int64) if rows is None else rows.astype(np.int64)
        self._state = model.config.column.seed
        self._learn = False
        self._number = 0  # of the header received last
        self._executed = 0  # number of the frame executed last
        self._frame = bytearray()
        self._error: Code | None = None  # set: deaf until the line is quiet

    @property
    def weights(self) -> np.ndarray:
        """Present weights, C x q x p."""
        return self._weights.copy()

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
            beyond = payload[0] & ~(0b11 if self._config.hardware.learning else 0b10) != 0
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
            if payload[0] & 2:
                self._state = self._config.column.seed
        return b""

    def _status(self) -> bytes:
        flags = self._learn | self._config.hardware.learning << 1 | (self._readout is not None) << 2
        counts = [count & 0xFFFF_FFFF for count in (self.waves, self.cycles)]
        return (
            bytes([VERSION, flags])
            + bytes.fromhex(self._config.hash)
            + b"".join(count.to_bytes(4, "little") for count in counts)
        )

    def _rows(self) -> bytes:
        """Pack all rows, weights and then the read-out."""
        rows = self.layout.pack_weights(self._weights)
        return rows if self._readout is None else rows + self.layout.pack_readout(self._readout)

    def _write_rows(self, address: int, rows: bytes) -> None:
        layout = self.layout
        place = address * layout.row_bytes
        memory = bytearray(self._rows())
        memory[place : place + len(rows)] = rows
        split = layout.weight_rows * layout.row_bytes
        self._weights = layout.unpack_weights(bytes(memory[:split])).astype(np.int64)
        if self._readout is not None and self._config.readout is not None:
            bits, classes = self._config.readout.bits, self._config.readout.classes
            codes = unpack(bytes(memory[split:]), bits, layout.row_bytes, classes).astype(np.int64)
            self._readout = codes - ((codes >> (bits - 1)) << bits)

    def _read_rows(self, address: int, count: int) -> bytes:
        size = self.layout.row_bytes
        return self._rows()[address * size : (address + count) * size]

    def _play(self, payload: bytes) -> bytes:
        column, layout = self._config.column, self.layout
        volleys = unpack(payload, column.time_bits, layout.volley_bytes, self._config.lines)
        out, self._weights, self._state = layer.run(
            volleys, self._weights, self._fields, column, self._learn, self._state
        )
        self.waves += len(volleys)
        if self._readout is None:
            return pack(out, column.time_bits, layout.result_bytes)
        classes = readout.classify(out, self._readout, column.none)
        times = (out[:, :, None] >> np.arange(column.time_bits) & 1).reshape(
            len(out), out.shape[1] * column.time_bits
        )
        label = classes[:, None] >> np.arange(layout.class_bits) & 1
        return pack(np.concatenate([times, label], axis=1), 1, layout.result_bytes)


def _address(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "little")
