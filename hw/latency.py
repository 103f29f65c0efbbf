"""Clocks that a core takes, as formulas and as numbers: the page of ports prints them."""

from dataclasses import dataclass

from racewave.golden.config import Config
from racewave.hw import folded_latency
from racewave.hw.control import drain_cycles
from racewave.hw.readout import readout_cycles
from racewave.hw.wta import hold_cycles

__all__ = ["Latency", "latencies", "wave_cycles"]


@dataclass(frozen=True)
class Latency:
    """One line of the table.

    Attributes
    ----------
    what : str
        What takes the clocks.
    formula : str
        In terms of the parameters.
    clocks : int
        For this config.
    """

    what: str
    formula: str
    clocks: int


def wave_cycles(config: Config, learn: bool = False) -> int:
    """Clocks of a wave in which the k-WTA never stops it, streams not counted.

    Of folded hardware: clocks from one wave to the next while volleys wait, with as many spikes as
    the encoder can send. See `racewave.hw.folded_latency`.

    Examples
    --------
    >>> wave_cycles(Config()), wave_cycles(Config(), learn=True)
    (10, 43)
    """
    if config.hardware.micro_architecture == "folded":
        return folded_latency.wave_cycles(config, learn)
    column = config.column
    after = [0]
    if config.readout:
        after.append(readout_cycles(config.columns, column.k, config.readout.classes))
    if learn and config.hardware.learning:
        after.append(column.p + 1)
    return column.steps + drain_cycles(column) + max(after)


def latencies(config: Config) -> list[Latency]:
    """Everything that takes clocks in the core of a config.

    Examples
    --------
    >>> for line in latencies(Config())[:2]:
    ...     print(line.what, "|", line.formula, "|", line.clocks)
    frozen wave | steps + 3 | 10
    learning wave | steps + 3 + p + 1 | 43
    """
    if config.hardware.micro_architecture == "folded":
        return [Latency(*line) for line in folded_latency.lines(config)]
    column, readout = config.column, config.readout
    drain = drain_cycles(column)
    frozen, learning = f"steps + {drain}", f"steps + {drain} + p + 1"
    lines = []
    if readout:
        scan = readout_cycles(config.columns, column.k, readout.classes)
        frozen += " + read-out"
        learning = f"steps + {drain} + the larger of p + 1 and read-out"
        lines.append(Latency("read-out", "columns * k + classes + 3", scan))
    waves = [Latency("frozen wave", frozen, wave_cycles(config))]
    if config.hardware.learning:
        waves += [
            Latency("learning wave", learning, wave_cycles(config, learn=True)),
            Latency(
                "learning waves in a row, at least",
                "draws + 1 = 5 + 2 * (w_max + 1) + 1",
                column.draws + 1,
            ),
        ]
    formula = "k - 1" if column.tie == "index" else "bits of one step's largest sum + k"
    waves.append(Latency("k-WTA stops a wave, at most", formula, hold_cycles(column)))
    return [
        *waves,
        *lines,
        Latency("weight row, next in order", "1", 1),
        Latency("weight row, any other, at most", "p", column.p),
        Latency("rings home before a wave, at most", "p - 1", column.p - 1),
    ]
