"""How many clocks a wave takes in the spatial micro-architecture."""

from __future__ import annotations

from racewave.golden.config import Config
from racewave.hw.control import drain_cycles
from racewave.hw.readout import readout_cycles

__all__ = ["wave_cycles"]


def wave_cycles(config: Config, learn: bool = False) -> int:
    """Clocks of a wave in which no k-WTA holds, first and last included.

    Parameters
    ----------
    config
        The network.
    learn
        The wave updates the weights afterwards.
    """
    column = config.column
    clocks = column.steps + drain_cycles(column)
    update = column.p + 1 if learn else 0
    if config.readout is None:
        return clocks + update
    read = readout_cycles(config.columns, column.k, config.readout.classes)
    return clocks + max(update, read)
