"""Frames of the UART protocol: bytes and their check, commands, error codes.

``0x5A, command, number, length (low, high), payload, CRC-16 (high, low)``. docs/uart.md says what
every command and error code means. Nothing here knows a serial port: bytes in, bytes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from racewave.golden.errors import BadInput

__all__ = ["Code", "Command", "Frame", "crc16", "decode", "encode", "missing"]

START = 0x5A
VERSION = 1  # of the protocol, first byte of a status
REPLY = 0x80  # a reply's command is the request's with this bit
ERROR = 0xFF  # a reply's command when the request was refused; the payload is one `Code`
OVERHEAD = 7  # bytes of a frame without payload
LENGTH_MAX = 0xFFFF
STATUS_BYTES = 18


class Command(IntEnum):
    """What a frame asks for."""

    STATUS = 1
    WRITE = 2
    READ = 3
    VOLLEYS = 4
    CONTROL = 5


class Code(IntEnum):
    """Why a frame was refused; of several reasons the first in this order of checking."""

    LINE = 1  # a byte without stop bit
    START = 2  # a byte that is not 0x5A where a frame should begin
    OVERSIZE = 3  # a payload longer than the buffer
    TIMEOUT = 4  # the line fell quiet within a frame
    CRC = 5  # the check bytes do not fit
    REPEATED = 6  # the number of the frame executed last
    COMMAND = 7  # no such command
    LENGTH = 8  # a payload that does not fit the command
    RANGE = 9  # an address, count or flag that does not exist
    BUSY = 10  # bytes while a frame was executed or answered


def crc16(data: bytes | bytearray, crc: int = 0xFFFF) -> int:
    """Compute CRC-16/CCITT-FALSE: polynomial 0x1021, high bit first, start 0xFFFF.

    Over data followed by its own check, high byte first, the result is 0.

    Examples
    --------
    >>> hex(crc16(b"123456789"))
    '0x29b1'
    >>> crc16(b"123456789" + bytes([0x29, 0xB1]))
    0
    """
    for byte in data:
        x = (crc >> 8) ^ byte
        x ^= x >> 4
        crc = ((crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF
    return crc


@dataclass(frozen=True)
class Frame:
    """What a frame says, requests and replies alike."""

    command: int
    number: int
    payload: bytes


def encode(command: int, number: int = 0, payload: bytes = b"") -> bytes:
    """Write a frame.

    Parameters
    ----------
    command
        A `Command`, with `REPLY` added in a reply, or `ERROR`.
    number
        0..255; a device refuses the number of the frame that it executed last.
    payload
        At most 65535 bytes.

    Examples
    --------
    >>> encode(Command.STATUS, 1).hex(" ")
    '5a 01 01 00 00 c5 44'
    """
    if len(payload) > LENGTH_MAX:
        raise BadInput(f"payload must be at most {LENGTH_MAX} bytes, not {len(payload)}")
    head = bytes([command, number]) + len(payload).to_bytes(2, "little")
    return bytes([START]) + head + payload + crc16(head + payload).to_bytes(2, "big")


def missing(received: bytes) -> int:
    """Say how many bytes must at least follow to complete a frame; 0 when it is complete.

    Examples
    --------
    >>> frame = encode(Command.CONTROL, 1, b"x")
    >>> missing(b""), missing(frame[:5]), missing(frame)
    (7, 3, 0)
    """
    if len(received) < 5:
        return OVERHEAD - len(received)
    return OVERHEAD + int.from_bytes(received[3:5], "little") - len(received)


def decode(data: bytes) -> Frame:
    """Read one complete frame, or say why it is none.

    Examples
    --------
    >>> decode(encode(Command.CONTROL | REPLY, 7))
    Frame(command=133, number=7, payload=b'')
    """
    if data[:1] != bytes([START]):
        raise BadInput(f"frame must begin with 0x{START:02x}, not {data[:1].hex() or 'nothing'}")
    if missing(data) != 0:
        wanted = len(data) + missing(data)
        raise BadInput(f"frame must be {wanted} bytes, as its header says, not {len(data)}")
    if crc16(data[1:]) != 0:
        raise BadInput(f"CRC-16 must be {crc16(data[1:-2]):04x}, not {data[-2:].hex()}")
    return Frame(data[1], data[2], data[5:-2])
