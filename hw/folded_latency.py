"""Clocks of folded hardware: how they grow with columns, spikes, lines, steps and winners.

With C columns per engine, S clocks to read a column's spikes (one per spike, at least one per row
of the field), p lines and k winners per column:

* a column takes ``T = max(S, steps + 3, k + 4)`` clocks: while its rows are read the column before
  is decided, and the one before that selects rows of the read-out;
* a frozen wave follows the one before after ``C T`` clocks. The sums of a wave are added and
  compared in ``A = classes + levels of the adder tree + 7`` clocks, which is hidden unless
  ``A + k + 4 + (C - 2) T`` (up to 3 fewer if S decides T) is more than ``C T``. The next volley
  arrives meanwhile, a row of the image every second clock;
* a learning wave reads the rows of each column's spikes and then all its p rows again:
  ``L = max(S + p, p + 7, steps + 8)`` clocks a column, and up to 24 at the ends of the wave. It
  takes at least the ``draws + 3`` clocks in which its decisions are drawn;
* a wave that reports its times runs alone: see `alone_cycles`.

What the k-WTA adds while it stops a column comes on top, see `Wta`. Layers work on different
waves at the same time: the slowest one counts.
"""

from racewave.golden.config import Config
from racewave.golden.stage import Stage
from racewave.hw.decide import decide_cycles
from racewave.hw.wta import hold_cycles

__all__ = ["alone_cycles", "column_cycles", "lines", "scan_cycles", "sum_cycles", "wave_cycles"]

FILL = 8  # clocks from the begin of a wave to the first row in the counts
ENDS = 24  # at the ends of a learning wave, at most


def scan_cycles(config: Config, stage: Stage) -> int:
    """S: clocks to read the spikes of a column, for as many spikes as its source can send.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> mnist = presets.load("mnist-625")
    >>> scan_cycles(mnist, mnist.stages[0])  # one of a pixel's two lines
    16
    """
    positions = stage.field[0] * stage.field[1]
    if stage.source >= 0:
        source = config.stages[stage.source]
        return positions * source.copies * source.column.k
    if config.input is not None and config.input.encoder in ("posneg", "onoff"):
        return positions
    return stage.column.p


def column_cycles(config: Config, stage: Stage, spikes: int | None = None) -> int:
    """T: clocks of a column in a frozen wave."""
    column = stage.column
    found = [scan_cycles(config, stage) if spikes is None else spikes, decide_cycles(column)]
    if stage in config.finals and config.readout is not None:
        found.append(column.k + 4)
    return max(found)


def sum_cycles(config: Config) -> int:
    """A: clocks in which the sums of a wave are added and compared; 0 without read-out."""
    if config.readout is None:
        return 0
    engines = sum(stage.engines for stage in config.finals)
    return config.readout.classes + (engines - 1).bit_length() + 7


def alone_cycles(config: Config, stage: Stage) -> int:
    """Clocks of a frozen wave of a layer that nothing overlaps; 8 fewer to 2 more."""
    column, columns = stage.column, stage.columns // stage.engines
    rest = (columns - 1) * column_cycles(config, stage)
    found = FILL + scan_cycles(config, stage) + rest + column.steps + 3
    if stage in config.finals and config.readout is not None:
        found += column.k + 4 + sum_cycles(config)
    return found


def wave_cycles(config: Config, learn: bool = False) -> int:
    """Clocks from one wave to the next; without read-out all waves report.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> data = presets.load("mnist-625").to_dict()
    >>> data["hardware"] = {"micro_architecture": "folded", "engines": 25}
    >>> wave_cycles(type(presets.load("mnist-625")).model_validate(data))
    400
    """
    found = []
    for stage in config.stages:
        columns, column = stage.columns // stage.engines, stage.column
        if learn and config.hardware.learning:
            own = scan_cycles(config, stage) + column.p
            each = max(own, column.p + 7, column.steps + 8)
            found.append(max(columns * each + ENDS, column.draws + 3))
        elif config.readout is None:
            found.append(alone_cycles(config, stage))
        else:
            each = column_cycles(config, stage)
            found.append(columns * each)
            if stage in config.finals:
                late = sum_cycles(config)
                if columns > 1:
                    late += column.k + 4 + (columns - 2) * each
                found.append(late)
    return max(found)


def lines(config: Config) -> list[tuple[str, str, int]]:
    """What takes clocks, its formula and its number, for every layer."""
    found = []
    for stage in config.stages:
        where = f"layer {stage.index + 1}, " if len(config.stages) > 1 else ""
        column, columns = stage.column, stage.columns // stage.engines
        spikes = scan_cycles(config, stage)
        final = stage in config.finals and config.readout is not None
        formula = "the largest of S, steps + 3" + (" and k + 4" if final else "")
        found += [
            (f"{where}spikes of a column S, at most", "a row of weights per clock", spikes),
            (f"{where}column T", formula, column_cycles(config, stage)),
            (f"{where}columns C", "columns / engines", columns),
        ]
        if config.hardware.learning:
            each = max(spikes + column.p, column.p + 7, column.steps + 8)
            found.append(
                (
                    f"{where}learning wave, at most",
                    f"C * the largest of S + p, p + 7 and steps + 8; and {ENDS}",
                    columns * each + ENDS,
                )
            )
        hold = "k - 1" if column.tie == "index" else "bits of one step's largest sum + k"
        found.append((f"{where}k-WTA stops a column, at most", hold, hold_cycles(column)))
    if config.readout is not None:
        found.append(
            ("sums of a wave A", "classes + levels of the adder tree + 7", sum_cycles(config))
        )
        found.append(
            ("frozen wave after wave", "C T, or A + k + 4 + (C - 2) T", wave_cycles(config))
        )
    longest = max(alone_cycles(config, stage) for stage in config.stages)
    found += [
        (
            "frozen wave that reports, 8 fewer to 2 more",
            "8 + S + (C - 1) T + steps + 3 + k + 4 + A",
            longest,
        ),
        ("weight row written, next in order", "3", 3),
        ("weight row read, next in order", "4", 4),
    ]
    return found
