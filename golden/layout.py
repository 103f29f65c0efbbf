"""Sizes and packing of everything that crosses a board's line: volleys, results, weight rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.frames import LENGTH_MAX

__all__ = ["Layout", "pack", "unpack"]

BUFFER_MAX = 32_768  # the largest power of two that a length can say
ROWS_MAX = 65_536


@dataclass(frozen=True)
class Layout:
    """Sizes of everything that crosses the line, derived from a config.

    Items are packed low bits first, item 0 in the lowest, and fill whole bytes: a volley is the
    time code of every line, a result the time code of every output and then the class, a row the
    weights of one input line of one column (or one row of the read-out).

    Parameters
    ----------
    config
        The network.

    Examples
    --------
    >>> layout = Layout(Config())
    >>> layout.volley_bytes, layout.result_bytes, layout.row_bytes, layout.rows, layout.buffer
    (12, 5, 5, 32, 512)
    """

    config: Config

    def __post_init__(self) -> None:
        if self.rows > ROWS_MAX:
            raise BadInput(f"rows must be at most {ROWS_MAX} (16-bit addresses), not {self.rows}")
        most = max(self.volley_bytes, self.row_bytes)
        if most > BUFFER_MAX - 2:
            raise BadInput(f"a volley or a row must be at most {BUFFER_MAX - 2} bytes, not {most}")
        longest = max(self.volleys_max * self.result_bytes, 255 * self.row_bytes)
        if longest > LENGTH_MAX:
            raise BadInput(
                f"a reply must be at most {LENGTH_MAX} bytes, not {longest} "
                f"({self.volleys_max} results x {self.result_bytes} or 255 rows x {self.row_bytes})"
            )

    @property
    def volley_bits(self) -> int:
        """Bits of a volley."""
        return self.config.lines * self.config.column.time_bits

    @property
    def class_bits(self) -> int:
        """Bits of a class; 0 without read-out."""
        return (self._classes - 1).bit_length() if self._classes else 0

    @property
    def result_bits(self) -> int:
        """Bits of a result."""
        return self.config.outputs * self.config.column.time_bits + self.class_bits

    @property
    def row_bits(self) -> int:
        """Bits of the widest row."""
        column, readout = self.config.column, self.config.readout
        return max(column.q * column.w_bits, self._classes * readout.bits if readout else 0)

    @property
    def volley_bytes(self) -> int:
        """Bytes of a volley."""
        return -(-self.volley_bits // 8)

    @property
    def result_bytes(self) -> int:
        """Bytes of a result."""
        return -(-self.result_bits // 8)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, the same for weights and read-out."""
        return -(-self.row_bits // 8)

    @property
    def weight_rows(self) -> int:
        """Rows of synaptic weights, at addresses 0.. (column * p + input line)."""
        return self.config.columns * self.config.column.p

    @property
    def rows(self) -> int:
        """All rows; those of the read-out follow the weights, one per output."""
        return self.weight_rows + (self.config.outputs if self._classes else 0)

    @property
    def buffer(self) -> int:
        """Longest payload of a request: 512 bytes, doubled until a volley and a row fit."""
        return max(512, 1 << (max(self.volley_bytes, self.row_bytes + 2) - 1).bit_length())

    @property
    def volleys_max(self) -> int:
        """Volleys of one frame."""
        return self.buffer // self.volley_bytes

    @property
    def rows_max(self) -> int:
        """Rows of one frame that writes or reads them."""
        return min(255, (self.buffer - 2) // self.row_bytes)

    def pack_weights(self, weights: np.ndarray) -> bytes:
        """Write the rows of all weights, shape (columns, q, p) or (q, p) of a lone column."""
        weights = weights.reshape(-1, *weights.shape[-2:])
        return pack(
            weights.transpose(0, 2, 1).reshape(-1, weights.shape[1]), self._w, self.row_bytes
        )

    def unpack_weights(self, rows: bytes) -> np.ndarray:
        """Read the rows of all weights into shape (columns, q, p)."""
        column = self.config.column
        flat = unpack(rows, self._w, self.row_bytes, column.q)
        return flat.reshape(-1, column.p, column.q).transpose(0, 2, 1).copy()

    def pack_readout(self, rows: np.ndarray) -> bytes:
        """Write the rows of a read-out, shape (outputs, classes), signed."""
        readout = self.config.readout
        return pack(rows, readout.bits if readout else 0, self.row_bytes)

    @property
    def _w(self) -> int:
        return self.config.column.w_bits

    @property
    def _classes(self) -> int:
        readout = self.config.readout
        return readout.classes if readout else 0


def pack(items: np.ndarray, bits: int, item_bytes: int) -> bytes:
    """Pack rows of unsigned codes, each row into whole bytes, low bits first.

    Examples
    --------
    >>> pack(np.array([[1, 2, 3], [7, 7, 7]]), bits=3, item_bytes=2).hex()
    'd100ff01'
    """
    items = np.asarray(items, np.int64)
    lines = (items[:, :, None] >> np.arange(bits)) & 1
    flat = np.zeros((len(items), item_bytes * 8), np.uint8)
    used = items.shape[1] * bits
    flat[:, :used] = lines.reshape(len(items), used)
    return np.packbits(flat, axis=1, bitorder="little").tobytes()


def unpack(data: bytes, bits: int, item_bytes: int, count: int) -> np.ndarray:
    """Read `count` codes from each row of packed bytes, as uint8 or uint16.

    Examples
    --------
    >>> unpack(bytes.fromhex("d100ff01"), bits=3, item_bytes=2, count=3).tolist()
    [[1, 2, 3], [7, 7, 7]]
    """
    rows = np.frombuffer(data, np.uint8).reshape(-1, item_bytes)
    lines = np.unpackbits(rows, axis=1, bitorder="little")[:, : count * bits]
    codes = lines.reshape(len(rows), count, bits).astype(np.int64) @ (1 << np.arange(bits))
    return codes.astype(np.min_scalar_type((1 << bits) - 1))
