"""A layer with everything resolved: its source, its fields, its columns, its engines.

The columns of a layer lie on a grid over the positions of its source: pixels of the image, or the
grid of an earlier layer. Each position of the source has some lines (channels). `copies` columns
share every receptive field.

* Column number: ``(row * grid columns + column) * copies + copy``.
* Output number: ``column number * q + neuron``; it is the line number for layers further on.
* Synapses of a column: field row, field column, channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

if TYPE_CHECKING:
    from racewave.golden.config import Config
    from racewave.golden.tables import ColumnConfig, InputConfig, LayerConfig

__all__ = ["Stage", "check_hardware", "finals", "readout_times", "resolve"]

MOST_LINES = 65_536  # synapses per neuron
MOST_STEPS = 128  # input steps
LATE = 2  # the dual voter's last time code: "2 or later"


@dataclass(frozen=True)
class Stage:
    """A layer of a network, ready to run.

    Parameters
    ----------
    index
        Number of the layer, from 0.
    column
        Parameters of its columns, with `p` and `t_in` of this layer.
    source
        -1: the input; else index of an earlier stage.
    source_grid
        Rows and columns of positions of the source; a lone column's is 1 x p.
    channels
        Lines per position of the source.
    field
        Rows and columns of a receptive field, in positions.
    stride
        Distance of neighbouring fields, in positions.
    copies
        Columns per field.
    grid
        Rows and columns of fields.
    engines
        Column engines of folded hardware.
    """

    index: int
    column: ColumnConfig
    source: int
    source_grid: tuple[int, int]
    channels: int
    field: tuple[int, int]
    stride: int
    copies: int
    grid: tuple[int, int]
    engines: int

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.grid[0] * self.grid[1] * self.copies

    @property
    def lines(self) -> int:
        """Lines of the source."""
        return self.source_grid[0] * self.source_grid[1] * self.channels

    @property
    def outputs(self) -> int:
        """Output lines: columns x q."""
        return self.columns * self.column.q

    @property
    def synapses(self) -> int:
        """Plastic synapses."""
        return self.outputs * self.column.p

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the weights: columns x q x p."""
        return (self.columns, self.column.q, self.column.p)

    def field_lines(self) -> np.ndarray:
        """Which line of the source feeds which synapse.

        Returns
        -------
        numpy.ndarray
            int64, columns x p.

        Examples
        --------
        >>> from racewave.golden.config import Config
        >>> Config().stages[0].field_lines()[:, :4]
        array([[0, 1, 2, 3]])
        """
        lines = np.arange(self.lines).reshape(*self.source_grid, self.channels)
        windows = np.lib.stride_tricks.sliding_window_view(lines, self.field, axis=(0, 1))
        windows = windows[:: self.stride, :: self.stride]
        # Window axes come last: rows, columns, channel, fy, fx -> rows, columns, fy, fx, channel.
        fields = windows.transpose(0, 1, 3, 4, 2).reshape(-1, self.column.p)
        return np.repeat(fields, self.copies, axis=0)


@lru_cache(maxsize=256)
def resolve(
    column: ColumnConfig,
    source: InputConfig | None,
    layers: tuple[LayerConfig, ...],
    engines: int,
) -> tuple[Stage, ...]:
    """Work out every layer of a network.

    Parameters
    ----------
    column
        The table ``[column]``.
    source
        The table ``[input]``; None: a lone column.
    layers
        The tables ``[[layer]]``.
    engines
        Of layers that do not say.

    Raises
    ------
    ValueError
        One line with the arithmetic.

    Examples
    --------
    >>> from racewave.golden.config import from_dict
    >>> two = {"input": {"image": [6, 6]}, "hardware": {"micro_architecture": "folded"}}
    >>> two["layer"] = [{"stride": 2, "copies": 2}, {"field": 2, "column": {"q": 3}}]
    >>> [stage.shape for stage in from_dict(two).stages]
    [(8, 12, 32), (1, 3, 96)]
    """
    if source is None:
        lone = Stage(0, column, -1, (1, column.p), 1, (1, column.p), 1, 1, (1, 1), engines)
        return (lone,)
    stages: list[Stage] = []
    for index, layer in enumerate(layers):
        where = f"layer {index + 1}: " if len(layers) > 1 else ""
        try:
            stages.append(_resolve_one(index, layer, column, source, stages, engines))
        except ValidationError as error:
            raise ValueError(f"{where}{error.errors()[0].get('ctx', {})['error']}") from None
        except ValueError as error:
            raise ValueError(f"{where}{error}") from None
    first, *others = finals(tuple(stages))
    for last in others:
        if first.column.time_bits != last.column.time_bits:
            raise ValueError(
                f"layer {last.index + 1}: steps must need {first.column.time_bits} bits "
                f"(results have one time code; layer {first.index + 1} has "
                f"{first.column.steps} steps), not {last.column.time_bits} "
                f"({last.column.steps} steps)"
            )
    return tuple(stages)


def _resolve_one(
    index: int,
    layer: LayerConfig,
    column: ColumnConfig,
    image: InputConfig,
    before: list[Stage],
    engines: int,
) -> Stage:
    """Work out one layer; the caller says which one an error is about."""
    source = _source(index, layer)
    if source < 0:
        grid, channels = image.image, image.lines_per_pixel
        axes, lines = "image", f"{channels} lines per pixel"
        t_in, steps = column.t_in, "the input has one time code"
        if image.encoder == "posneg":
            t_in, steps = 1, "encoder posneg has one step"
    else:
        below = before[source]
        grid, channels = below.grid, below.copies * below.column.q
        axes = f"grid of layer {source + 1}:"
        lines = f"{channels} outputs per position of layer {source + 1}"
        t_in, steps = below.column.steps, f"steps of layer {source + 1}"
    for axis, side, most in zip(("rows", "columns"), layer.sides, grid, strict=True):
        if side > most:
            raise ValueError(f"field must be in 1..{most} ({axes} {axis} {most}), not {side}")
    rows, columns = layer.sides
    p, product = rows * columns * channels, f"field {rows} x {columns} x {lines}"
    if p > MOST_LINES:
        raise ValueError(f"p must be in 1..{MOST_LINES}, not {p} ({product})")
    if t_in > MOST_STEPS:
        raise ValueError(f"t_in must be in 1..{MOST_STEPS}, not {t_in} ({steps})")
    given = layer.column.model_dump(exclude_none=True) if layer.column is not None else {}
    base = column.model_dump()
    found_p = given.get("p", column.p if index == 0 else p)
    found_t_in = given.get("t_in", column.t_in if source < 0 else t_in)
    if found_p != p:
        raise ValueError(f"p must be {p} ({product}), not {found_p}")
    if found_t_in != t_in:
        raise ValueError(f"t_in must be {t_in} ({steps}), not {found_t_in}")
    resolved = type(column).model_validate({**base, **given, "p": p, "t_in": t_in})
    fields = tuple((g - f) // layer.stride + 1 for g, f in zip(grid, layer.sides, strict=True))
    return Stage(
        index=index,
        column=resolved,
        source=source,
        source_grid=grid,
        channels=channels,
        field=layer.sides,
        stride=layer.stride,
        copies=layer.copies,
        grid=(fields[0], fields[1]),
        engines=layer.engines or engines,
    )


def _source(index: int, layer: LayerConfig) -> int:
    """Index of the layer that this one reads; -1: the input."""
    if layer.source is None:
        return index - 1
    if layer.source == "input":
        return -1
    if layer.source > index:
        earlier = {0: "", 1: " or 1"}.get(index, f" or 1..{index}")
        raise ValueError(f"source must be 'input'{earlier}, not {layer.source}")
    return layer.source - 1


def finals(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Stages that are no other stage's source, in order."""
    read = {stage.source for stage in stages}
    return tuple(stage for stage in stages if stage.index not in read)


def check_hardware(config: Config) -> None:
    """Check what the hardware of a config can hold.

    Raises
    ------
    ValueError
        One line with the arithmetic.
    """
    hardware, stages, readout = config.hardware, config.stages, config.readout
    if hardware.micro_architecture == "folded":
        for stage in stages:
            _check_engines(stage.engines, stage.columns, stage.index + 1)
        return
    if len(stages) > 1:
        raise ValueError(f"micro_architecture must be folded for {len(stages)} layers, not spatial")
    if readout is not None and readout.kind != "linear":
        raise ValueError(
            f"micro_architecture must be folded for a {readout.kind} read-out, not spatial"
        )
    several = any(stage.engines > 1 for stage in stages)
    if several or hardware.target_fps is not None:
        key = "engines" if several else "target_fps"
        raise ValueError(f"micro_architecture must be folded for {key}, not spatial")
    if hardware.learning and config.column.randomness == "synapse":
        raise ValueError("micro_architecture must be folded for randomness synapse, not spatial")


def _check_engines(engines: int, columns: int, number: int) -> None:
    whole, left = divmod(columns, engines)
    if not left:
        return
    divisors = [n for n in range(1, columns + 1) if columns % n == 0]
    near = [n for n in divisors if n < engines][-1:] + [n for n in divisors if n > engines][:1]
    nearest = " or ".join(map(str, near))
    raise ValueError(
        f"engines must divide the {columns} column{'s' * (columns > 1)} of layer {number}, "
        f"not {engines} ({columns} = {whole} x {engines} + {left}); nearest: {nearest}"
    )


def readout_times(stages: tuple[Stage, ...], source: InputConfig | None) -> tuple[int, ...]:
    """Values of min(time, 2) that a winner of a final stage can have.

    A line carries at most w_max, and not every line of a field can spike: one of a pixel's two
    (posneg, onoff), k of a column's q. A neuron therefore cannot fire before a certain step. A
    volley that no image gives may still fire one earlier; a dual voter takes that spike for the
    earliest of these values.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> [presets.load(name).readout_times for name in ("mnist-625", "digits")]
    [(2,), (2,)]
    >>> presets.load("cmu-cvt").readout_times
    (1, 2)
    """
    earliest: list[int] = []
    for stage in stages:
        column = stage.column
        if stage.source >= 0:
            below, start = stages[stage.source], earliest[stage.source]
            lines = stage.field[0] * stage.field[1] * below.copies * below.column.k
        else:
            start, lines = 0, column.p
            if source is not None and source.encoder in ("posneg", "onoff"):
                lines //= 2
        step = -(-column.theta // lines)  # smallest weight sum per line
        earliest.append(start + (step - 1 if column.response == "rnl" else 0))
    last = finals(stages)
    least = min(earliest[stage.index] for stage in last)
    most = max(stage.column.steps for stage in last) - 1
    return tuple(range(min(least, most, LATE), min(most, LATE) + 1))
