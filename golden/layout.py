"""Sizes and packing of everything that crosses a board's line: volleys, results, weight rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.frames import LENGTH_MAX
from racewave.golden.model import Model
from racewave.golden.streams import Streams, from_digits, to_digits

__all__ = ["Layout", "from_bytes", "to_bytes"]

BUFFER_MAX = 32_768  # the largest power of two that a length can say
ROWS_MAX = 65_536


@dataclass(frozen=True)
class Layout:
    """How the streams of a core cross the line: every beat and every row fills whole bytes.

    A volley is its beats, a row one row of `Streams`. A result of spatial hardware is one beat. A
    result of folded hardware is, if times are reported, a beat {column, times} per final column in
    any order; then the class, a byte of its own, if there is a read-out.

    Parameters
    ----------
    config
        The network.

    Raises
    ------
    BadInput
        Something is too long for a frame, or there are too many rows.

    Examples
    --------
    >>> layout = Layout(Config())
    >>> layout.volley_bytes, layout.result_bytes(), layout.row_bytes, layout.rows, layout.buffer
    (12, 5, 5, 32, 512)
    """

    config: Config

    def __post_init__(self) -> None:
        if self.rows > ROWS_MAX:
            raise BadInput(f"rows must be at most {ROWS_MAX} (16-bit addresses), not {self.rows}")
        most = max(self.volley_bytes, self.row_bytes)
        if most > BUFFER_MAX - 2:
            raise BadInput(f"a volley or a row must be at most {BUFFER_MAX - 2} bytes, not {most}")
        longest = max(self.volleys_max * self.result_bytes(), 255 * self.row_bytes)
        if longest > LENGTH_MAX:
            raise BadInput(
                f"a reply must be at most {LENGTH_MAX} bytes, not {longest} "
                f"({self.volleys_max} results x {self.result_bytes()} or 255 rows x "
                f"{self.row_bytes})"
            )

    @cached_property
    def streams(self) -> Streams:
        """The streams of the core."""
        return Streams(self.config)

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat of a volley."""
        return _bytes(self.streams.volley_bits)

    @property
    def volley_bytes(self) -> int:
        """Bytes of a volley."""
        return self.beat_bytes * self.streams.volley_beats

    @property
    def times_bits(self) -> int:
        """Bits of a beat with times: the whole result of spatial hardware, {column, times}."""
        streams = self.streams
        return streams.times_bits + streams.column_bits if streams.folded else streams.result_bits

    @property
    def times_bytes(self) -> int:
        """Bytes of a beat with times."""
        return _bytes(self.times_bits)

    @property
    def class_bytes(self) -> int:
        """Bytes behind the beats with times: the class of folded hardware."""
        return int(self.streams.folded and self.streams.class_bits > 0)

    @property
    def chooses(self) -> bool:
        """Times are reported only on demand: folded hardware with a read-out."""
        return self.class_bytes > 0

    def result_bytes(self, report: bool = True) -> int:
        """Bytes of a result, with or without times."""
        beats = self.streams.result_beats() - self.streams.folded
        return beats * self.times_bytes * report + self.class_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, the same for weights and read-out."""
        return _bytes(self.streams.row_bits)

    @property
    def rows(self) -> int:
        """All rows; those of the read-out follow the weights."""
        return self.streams.rows

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

    def pack_volleys(self, times: np.ndarray, labels: np.ndarray | None = None) -> bytes:
        """Write volleys, waves x lines, with their labels (negative: none)."""
        return to_bytes(self.streams.volleys(times, labels))

    def unpack_volleys(self, payload: bytes) -> tuple[np.ndarray, np.ndarray | None]:
        """Read volleys: times, and labels (int64, -1 for none) if the read-out learns."""
        streams = self.streams
        beats = from_bytes(payload, self.beat_bytes, streams.volley_bits)
        beats = beats.reshape(-1, streams.volley_beats, streams.volley_bits)
        codes = streams.beat_lines * streams.code_bits
        times = from_digits(beats[..., :codes], streams.code_bits)
        times = times.reshape(len(beats), self.config.lines)
        if not streams.label_bits:
            return times, None
        label = from_digits(beats[:, -1, codes:-1], streams.class_bits)[:, 0].astype(np.int64)
        return times, np.where(beats[:, -1, -1], label, -1)

    def pack_results(
        self, times: np.ndarray, classes: np.ndarray | None, report: bool = True
    ) -> bytes:
        """Write results, waves x outputs and a class per wave, columns in order."""
        waves, streams = len(times), self.streams
        label = np.zeros((waves, 0), np.uint8)
        if classes is not None and streams.class_bits:
            label = to_digits(classes[:, None], streams.class_bits, streams.class_bits)
        if not streams.folded:
            codes = to_digits(times, streams.time_bits, streams.times_bits)
            return to_bytes(np.concatenate([codes, label], axis=1))
        parts = [np.zeros((waves, 0), np.uint8)]
        if report:
            beats = _to_array(self._columns(times))
            parts.append(beats.reshape(waves, streams.final_columns * self.times_bytes))
        if self.class_bytes:
            parts.append(_to_array(label))
        return np.concatenate(parts, axis=1).tobytes()

    def unpack_results(
        self, payload: bytes, report: bool = True
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Read results: times if they were reported, classes if there is a read-out.

        Raises
        ------
        ValueError
            A column's times came twice.
        """
        streams = self.streams
        if not streams.folded:
            return streams.results(from_bytes(payload, self.times_bytes, streams.result_bits))
        bits, beats = streams.result_bits, streams.result_beats(report)
        rows = np.frombuffer(payload, np.uint8).reshape(-1, max(1, self.result_bytes(report)))
        found = np.zeros((len(rows), beats, bits), np.uint8)
        size = self.times_bytes
        if report:
            columns = rows[:, : (beats - 1) * size].reshape(len(rows), beats - 1, size)
            found[:, :-1, : self.times_bits] = _to_bits(columns, self.times_bits)
        if self.class_bytes:
            found[:, -1, self.times_bits : -1] = _to_bits(rows[:, -1:], streams.class_bits)
        found[:, -1, -1] = 1
        return streams.results(found.reshape(-1, bits), report)

    def pack_rows(self, rows: np.ndarray) -> bytes:
        """Write rows, given as bits: rows x `Streams.row_bits`."""
        return to_bytes(rows)

    def unpack_rows(self, data: bytes) -> np.ndarray:
        """Read rows as bits: uint8, rows x `Streams.row_bits`."""
        return from_bytes(data, self.row_bytes, self.streams.row_bits)

    def pack_model(self, model: Model) -> bytes:
        """Write every row that a model has: the weights, then the read-out."""
        return self.pack_rows(self.streams.rows_of(model))

    def _columns(self, times: np.ndarray) -> np.ndarray:
        """Bits of the beats {column, times}: waves x final columns x `times_bits`."""
        streams, first, start = self.streams, 0, 0
        found = np.zeros((len(times), streams.final_columns, self.times_bits), np.uint8)
        for stage in self.config.finals:
            shape = (len(times), stage.columns, stage.column.q)
            part = times[:, start : start + stage.outputs].reshape(shape)
            codes = to_digits(part, streams.time_bits, streams.times_bits)
            found[:, first : first + stage.columns, : streams.times_bits] = codes
            first, start = first + stage.columns, start + stage.outputs
        numbers = np.arange(streams.final_columns)[:, None]
        found[..., streams.times_bits :] = to_digits(
            numbers, streams.column_bits, streams.column_bits
        )
        return found


def _bytes(bits: int) -> int:
    return -(-bits // 8)


def _to_array(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=-1, bitorder="little")


def _to_bits(data: np.ndarray, count: int) -> np.ndarray:
    return np.unpackbits(data, axis=-1, count=count, bitorder="little")


def to_bytes(bits: np.ndarray) -> bytes:
    """Pack a last axis of bits into whole bytes, lowest bit first.

    Examples
    --------
    >>> to_bytes(to_digits(np.array([[1, 2, 3], [7, 7, 7]]), bits=3, width=9)).hex()
    'd100ff01'
    """
    return _to_array(bits).tobytes()


def from_bytes(data: bytes, item_bytes: int, bits: int) -> np.ndarray:
    """Read the low `bits` bits of each item of `item_bytes` bytes: uint8, items x bits.

    Examples
    --------
    >>> from_digits(from_bytes(bytes.fromhex("d100ff01"), item_bytes=2, bits=9), bits=3).tolist()
    [[1, 2, 3], [7, 7, 7]]
    """
    return _to_bits(np.frombuffer(data, np.uint8).reshape(-1, item_bytes), bits)
