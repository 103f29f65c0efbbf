"""Engines of folded hardware: how many reach a rate, and which memories they need."""

from __future__ import annotations

from dataclasses import dataclass

from racewave.flows.boards import Available
from racewave.golden.config import Config, from_dict
from racewave.golden.errors import BadInput
from racewave.golden.streams import Block, Streams

__all__ = ["Memory", "choices", "memories", "pick", "with_engines"]


@dataclass(frozen=True)
class Memory:
    """Equal memories, one per engine.

    Attributes
    ----------
    what : str
        What they hold.
    engines : int
        How many there are.
    words, bits : int
        Form of one.
    """

    what: str
    engines: int
    words: int
    bits: int

    def blocks(self, have: Available) -> int:
        """Block memories of a device that all of them take."""
        return self.engines * have.blocks(self.words, self.bits)

    def arithmetic(self, have: Available) -> str:
        """How that comes about.

        Examples
        --------
        >>> from racewave.flows import boards
        >>> Memory("weights", 25, 800, 36).arithmetic(boards.load("ulx3s-85f").available)
        '25 engines x 2 for weights of 800 x 36 bits'
        """
        engines = f"{self.engines} engine{'s' if self.engines > 1 else ''}"
        each = have.blocks(self.words, self.bits)
        return f"{engines} x {each} for {self.what} of {self.words:,} x {self.bits} bits"


def memories(config: Config) -> list[Memory]:
    """Memories that hold the weights and the read-out of folded hardware.

    Examples
    --------
    >>> folded = from_dict({"hardware": {"micro_architecture": "folded"}})
    >>> memories(folded)
    [Memory(what='weights', engines=1, words=32, bits=36)]
    """
    streams = Streams(config)
    several = len(config.stages) > 1

    def split(what: str, block: Block, part: int, engines: int) -> Memory:
        return Memory(what, engines, part // engines, block.items * block.bits)

    found = [
        split(f"weights of layer {n}" if several else "weights", block, block.rows, stage.engines)
        for n, (block, stage) in enumerate(
            zip(streams.weight_blocks, config.stages, strict=True), 1
        )
    ]
    block = streams.readout_block
    if block is not None:
        for stage in config.finals:
            rows = block.rows * stage.outputs // config.outputs
            found.append(split("the read-out", block, rows, stage.engines))
    return found


def choices(config: Config) -> list[int]:
    """Engine counts that divide the columns of every layer that names none of its own."""
    named = [layer.engines is not None for layer in config.layer] or [False]
    columns = [
        stage.columns for stage, own in zip(config.stages, named, strict=True) if not own
    ] or [1]
    return [n for n in range(1, min(columns) + 1) if not any(c % n for c in columns)]


def with_engines(config: Config, engines: int) -> Config:
    """The config with another engine count.

    Raises
    ------
    BadInput
        It does not divide the columns.
    """
    data = config.to_dict()
    return from_dict({**data, "hardware": {**data["hardware"], "engines": engines}}, config.name)


def pick(config: Config, clock_mhz: float | None = None) -> Config:
    """Choose the fewest engines that reach `target_fps`, if the config has one.

    Parameters
    ----------
    config
        Its `hardware.engines` does not count then.
    clock_mhz
        Of the board; the config's `hardware.clock_mhz` if not given.

    Raises
    ------
    BadInput
        No engine count is enough; the message shows the best one.
    """
    target = config.hardware.target_fps
    if target is None:
        return config
    from racewave.hw.latency import wave_cycles  # amaranth loads when it is needed

    clock = config.hardware.clock_mhz if clock_mhz is None else clock_mhz
    engines, cycles, best = 1, 0, config
    for engines in choices(config):
        best = with_engines(config, engines)
        cycles = wave_cycles(best)
        if clock * 1e6 / cycles >= target:
            return best
    most = clock * 1e6 / cycles
    raise BadInput(
        f"{config.name}: target_fps must be at most {most:,.0f} ({clock:g} MHz / {cycles:,} cycles "
        f"with {engines} engine{'s' if engines > 1 else ''}), not {target:,.10g}"
    )
