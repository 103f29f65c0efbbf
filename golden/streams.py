"""What crosses the boundary of a core: beats of volleys and results, rows of weights.

Spatial hardware takes a whole volley in one beat and answers with one. Folded hardware takes a
volley row by row of its source and answers column by column. Rows of weights have the same
addresses in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.golden.stage import Stage

__all__ = ["Block", "Streams", "from_digits", "to_digits"]


@dataclass(frozen=True)
class Block:
    """Rows of equal form at consecutive addresses.

    Attributes
    ----------
    first, rows : int
        Address of the first row, and how many there are.
    items, bits : int
        Unsigned codes of a row, and bits of each; item 0 in the low bits.
    """

    first: int
    rows: int
    items: int
    bits: int


@dataclass(frozen=True)
class Streams:
    """Sizes and packing of the streams of a core, derived from a config.

    Examples
    --------
    >>> streams = Streams(Config())
    >>> streams.volley_beats, streams.volley_bits, streams.result_bits, streams.rows
    (1, 96, 36, 32)
    """

    config: Config

    # Volleys.

    @property
    def folded(self) -> bool:
        """The core is folded: see the module."""
        return self.config.hardware.micro_architecture == "folded"

    @property
    def _input(self) -> Stage:
        return self.config.stages[0]

    @property
    def volley_beats(self) -> int:
        """Beats of a volley: rows of the image; 1 for spatial hardware and for a lone column."""
        return self._input.source_grid[0] if self.folded else 1

    @property
    def beat_lines(self) -> int:
        """Time codes of a beat, line 0 in the low bits."""
        return self.config.lines // self.volley_beats

    @property
    def code_bits(self) -> int:
        """Bits of an input line's time code."""
        return self.config.column.time_bits

    @property
    def label_bits(self) -> int:
        """Bits of {valid, label} above the codes, read with the last beat, if a read-out learns."""
        readout = self.config.readout
        return 1 + self.class_bits if readout is not None and readout.learns else 0

    @property
    def volley_bits(self) -> int:
        """Payload of a beat of a volley."""
        return self.beat_lines * self.code_bits + self.label_bits

    def volleys(self, times: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Bits of volleys.

        Parameters
        ----------
        times
            Time codes, waves x lines.
        labels
            One per wave, negative where there is none; for a read-out that learns.

        Returns
        -------
        numpy.ndarray
            uint8, waves x `volley_beats` x `volley_bits`, lowest bit first.
        """
        waves, codes = len(times), self.beat_lines * self.code_bits
        beats = np.zeros((waves, self.volley_beats, self.volley_bits), np.uint8)
        lines = np.asarray(times).reshape(waves, self.volley_beats, self.beat_lines)
        beats[..., :codes] = to_digits(lines, self.code_bits, codes)
        if labels is not None and self.label_bits:
            known = np.asarray(labels, np.int64)
            word = np.where(known >= 0, known | 1 << self.class_bits, 0)[:, None, None]
            beats[..., codes:] = to_digits(word, self.label_bits, self.label_bits)
        return beats

    # Results.

    @property
    def class_bits(self) -> int:
        """Bits of a class; 0 without read-out."""
        readout = self.config.readout
        return (readout.classes - 1).bit_length() if readout else 0

    @cached_property
    def final_columns(self) -> int:
        """Columns whose times are the network's output."""
        return sum(stage.columns for stage in self.config.finals)

    @property
    def column_bits(self) -> int:
        """Bits of a column's number in a result of folded hardware."""
        return max(1, (self.final_columns - 1).bit_length())

    @cached_property
    def time_bits(self) -> int:
        """Bits of an output's time code: the widest of all final layers."""
        return max(stage.column.time_bits for stage in self.config.finals)

    @cached_property
    def times_bits(self) -> int:
        """Bits of the times of a result beat."""
        if self.folded:
            return self.time_bits * max(stage.column.q for stage in self.config.finals)
        return self.config.outputs * self.time_bits

    @property
    def result_bits(self) -> int:
        """Payload of a beat: {class, times}; folded {last, class, column, times}, times lowest."""
        extra = self.column_bits + 1 if self.folded else 0
        return self.times_bits + self.class_bits + extra

    def result_beats(self, report: bool = True) -> int:
        """Beats of a result; folded hardware sends times only if `report` is on."""
        return self.final_columns * report + 1 if self.folded else 1

    def results(
        self, beats: np.ndarray, report: bool = True
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Read the bits of results.

        Parameters
        ----------
        beats
            uint8, (waves * `result_beats`) x `result_bits`, in order of arrival, lowest bit first.
        report
            The times came, too.

        Returns
        -------
        times : numpy.ndarray or None
            Waves x outputs, in the smallest unsigned type.
        classes : numpy.ndarray or None
            uint8, one per wave, if there is a read-out.

        Raises
        ------
        ValueError
            A wave does not end with its last beat, or a column's times came twice.
        """
        waves, bits = len(beats) // self.result_beats(report), self.times_bits
        beats = beats.reshape(waves, self.result_beats(report), self.result_bits)
        if not self.folded:
            times = from_digits(beats[:, 0, :bits], self.time_bits)
            label = beats[:, 0, bits:]
        else:
            if (beats[:, :-1, -1] != 0).any() or (beats[:, -1, -1] != 1).any():
                raise ValueError("a result must end with one beat that is marked last")
            times = self._collect(beats[:, :-1]) if report else None
            label = beats[:, -1, bits + self.column_bits : -1]
        return times, from_digits(label, self.class_bits)[:, 0] if self.class_bits else None

    def _collect(self, beats: np.ndarray) -> np.ndarray:
        """Times by column number, from beats in any order."""
        waves, bits = len(beats), self.times_bits
        column = from_digits(beats[..., bits : bits + self.column_bits], self.column_bits)[..., 0]
        order = np.argsort(column, axis=1)
        sorted_columns = np.take_along_axis(column, order, axis=1)
        if (sorted_columns != np.arange(self.final_columns)).any():
            raise ValueError("every column must send its times once per wave")
        codes = from_digits(beats[..., :bits], self.time_bits)
        codes = np.take_along_axis(codes, order[..., None], axis=1)
        parts, first = [], 0
        for stage in self.config.finals:
            part = codes[:, first : first + stage.columns, : stage.column.q]
            parts.append(part.reshape(waves, stage.outputs))
            first += stage.columns
        return np.concatenate(parts, axis=1)

    # Rows.

    @cached_property
    def weight_blocks(self) -> tuple[Block, ...]:
        """Synapse weights, a block per layer: row ``column * p + line`` holds q weights."""
        blocks, first = [], 0
        for stage in self.config.stages:
            column = stage.column
            blocks.append(Block(first, stage.columns * column.p, column.q, column.w_bits))
            first += blocks[-1].rows
        return tuple(blocks)

    @cached_property
    def readout_block(self) -> Block | None:
        """The read-out, behind the weights.

        Linear, perceptron: a row per output, a weight per class. Tally: a row per output, its
        label, the number of classes for none. Dual voter: a row per output and reachable time
        code, the counters of class 0, then those of class 1, ...
        """
        config, readout = self.config, self.config.readout
        if readout is None:
            return None
        first = self.weight_rows
        if readout.weighs:
            return Block(first, config.outputs, readout.classes, readout.bits)
        if readout.kind == "tally":
            return Block(first, config.outputs, 1, readout.classes.bit_length())
        times = len(config.readout_times)
        return Block(first, config.outputs * times, 2 * readout.classes, 8)

    @property
    def weight_rows(self) -> int:
        """Rows of synapse weights, at addresses 0.."""
        last = self.weight_blocks[-1]
        return last.first + last.rows

    @property
    def readout_rows(self) -> int:
        """Rows of the read-out."""
        return self.readout_block.rows if self.readout_block else 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.weight_rows + self.readout_rows

    @cached_property
    def row_bits(self) -> int:
        """Bits of the widest row."""
        blocks = [*self.weight_blocks, *([self.readout_block] if self.readout_block else [])]
        return max(block.items * block.bits for block in blocks)

    @property
    def address_bits(self) -> int:
        """Bits of the address of a row."""
        return max(1, (self.rows - 1).bit_length())

    @property
    def request_bits(self) -> int:
        """Payload of a weight request: {write, address, row}, row lowest."""
        return 1 + self.address_bits + self.row_bits

    def tables(self, model: Model, readout: bool = True) -> Iterator[tuple[Block, np.ndarray]]:
        """Blocks of a model and their codes, rows x items, unsigned."""
        for block, weights in zip(self.weight_blocks, model.layers, strict=True):
            yield block, weights.transpose(0, 2, 1).reshape(block.rows, block.items)
        block = self.readout_block
        if readout and block is not None and model.readout is not None:
            yield block, self._readout_codes(block, model.readout)

    def rows_of(self, model: Model) -> np.ndarray:
        """Bits of every row that a model has: uint8, rows x `row_bits`, lowest bit first."""
        parts = [to_digits(codes, b.bits, self.row_bits) for b, codes in self.tables(model)]
        return np.concatenate(parts)

    def layers_of(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Read weights from bits of the rows 0..weight_rows-1: C x q x p for every layer."""
        layers = []
        for block, stage in zip(self.weight_blocks, self.config.stages, strict=True):
            part = rows[block.first : block.first + block.rows, : block.items * block.bits]
            codes = from_digits(part, block.bits).reshape(stage.columns, stage.column.p, -1)
            layers.append(np.ascontiguousarray(codes.transpose(0, 2, 1)))
        return tuple(layers)

    def readout_of(self, rows: np.ndarray) -> np.ndarray:
        """Read the read-out, as a model holds it, from bits of its rows.

        Counters of time codes that no neuron reaches are 0.
        """
        config, readout, block = self.config, self.config.readout, self.readout_block
        if readout is None or block is None:
            raise ValueError("config must have a read-out")
        codes = from_digits(rows[:, : block.items * block.bits], block.bits)
        if readout.weighs:
            signed = codes.astype(np.int16)
            signed -= (signed >> (readout.bits - 1)) << readout.bits
            return signed.astype(np.int8)
        if readout.kind == "tally":
            return np.where(codes[:, 0] == readout.classes, 255, codes[:, 0]).astype(np.uint8)
        counters = np.zeros((config.outputs, 3, readout.classes, 2), np.uint8)
        shape = (config.outputs, len(config.readout_times), readout.classes, 2)
        counters[:, list(config.readout_times)] = codes.reshape(shape)
        return counters

    def _readout_codes(self, block: Block, table: np.ndarray) -> np.ndarray:
        readout = self.config.readout
        assert readout is not None  # the model was checked against its config
        if readout.weighs:
            return table.astype(np.int64) & ((1 << readout.bits) - 1)
        if readout.kind == "tally":
            return np.where(table == 255, readout.classes, table)[:, None]
        return table[:, list(self.config.readout_times)].reshape(block.rows, block.items)


def to_digits(codes: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Spell unsigned codes in bits, the first code in the low bits.

    Parameters
    ----------
    codes
        ... x n.
    bits
        Width of a code.
    width
        Bits of the whole, at least ``n * bits``.

    Returns
    -------
    numpy.ndarray
        uint8, ... x width, lowest bit first.

    Examples
    --------
    >>> to_digits(np.array([1, 6]), bits=3, width=8).tolist()
    [1, 0, 0, 0, 1, 1, 0, 0]
    """
    codes = np.asarray(codes)
    found = np.zeros((*codes.shape[:-1], width), np.uint8)
    for bit in range(bits):
        found[..., bit : codes.shape[-1] * bits : bits] = (codes >> codes.dtype.type(bit)) & 1
    return found


def from_digits(digits: np.ndarray, bits: int) -> np.ndarray:
    """Read unsigned codes of `bits` bits from a last axis of bits, in the smallest type.

    Examples
    --------
    >>> from_digits(np.array([1, 0, 0, 0, 1, 1]), bits=3).tolist()
    [1, 6]
    """
    kind = np.min_scalar_type((1 << bits) - 1)
    count = digits.shape[-1] // bits if bits else 0
    codes = np.zeros((*digits.shape[:-1], count), kind)
    for bit in range(bits):
        codes |= digits[..., bit : count * bits : bits].astype(kind) << np.array(bit, kind)
    return codes
