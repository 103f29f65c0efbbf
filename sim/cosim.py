"""Golden model and RTL in lock step: every time, class and weight, wave by wave."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.golden.streams import Streams
from racewave.golden.volleys import check_times
from racewave.sim.player import Player
from racewave.sim.rtl import Core, Played, check_learning

__all__ = ["Mismatch", "Report", "cosim", "default_every", "replay"]


@dataclass(frozen=True)
class Mismatch:
    """The first difference between golden model and RTL.

    Parameters
    ----------
    kind
        "time", "class", "weight", "read-out weight" or "counter" (of a dual voter).
    wave
        Number of the wave, from 0.
    layer, column, neuron, synapse
        Where, counted from 0; None where it does not apply.
    expected, found
        What the golden model and what the RTL says.
    counter
        Time code, class, and 0 or 1 for the first or second counter.
    of_class
        Class of a read-out weight.
    """

    kind: str
    wave: int
    layer: int | None
    column: int | None
    neuron: int | None
    synapse: int | None
    expected: int
    found: int
    counter: tuple[int, int, int] | None = None
    of_class: int | None = None

    def __str__(self) -> str:
        where = [f"wave {self.wave}"]
        for name in ("layer", "column", "neuron", "synapse"):
            value = getattr(self, name)
            if value is not None and (name != "layer" or value):
                where.append(f"{name} {value}")
        if self.counter is not None:
            where.append("time {}, class {}, counter {}".format(*self.counter))
        if self.of_class is not None:
            where.append(f"class {self.of_class}")
        return f"{self.kind} at {', '.join(where)}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Report:
    """Outcome of a co-simulation.

    Parameters
    ----------
    equal
        Nothing differed.
    waves, checked
        Waves asked for; waves compared before the end or the first difference.
    learn
        With STDP.
    simulator
        Name and version.
    seconds, volleys_per_s
        Playing and comparing, without the build.
    build_s, build_cached
        Time that the build took, now or when it was made.
    every
        Weights were compared after every so many waves and at the end; 0: at the end only.
    cycles
        Fewest, most, and median clock cycles of a wave; None if no wave was played.
    mismatch
        The first difference, if any.
    command
        What to type to see it again with waves.
    """

    equal: bool
    waves: int
    checked: int
    learn: bool
    simulator: str
    seconds: float
    volleys_per_s: float
    build_s: float
    build_cached: bool
    every: int
    cycles: tuple[int, int, int] | None = None
    mismatch: Mismatch | None = None
    command: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def replay(experiment: str, wave: int, learn: bool) -> str:
    """Spell the command that plays up to one wave again and records that wave.

    Parameters
    ----------
    experiment
        What the user typed after ``racewave cosim``: model or config, and options for its volleys.
    wave
        The wave to record; all before it are played without recording.

    Examples
    --------
    >>> replay("m.npz --data mnist", wave=7, learn=False)
    'racewave cosim m.npz --data mnist --frozen --images 8 --first-wave 7 --waves wave-7.fst'
    """
    frozen = "" if learn else " --frozen"
    return (
        f"racewave cosim {experiment}{frozen} --images {wave + 1} --first-wave {wave} "
        f"--waves wave-{wave}.fst"
    )


def cosim(
    model: Model,
    volleys: np.ndarray,
    learn: bool = True,
    simulator: str | None = None,
    stalls: float = 0.0,
    every: int | None = None,
    waves: Path | None = None,
    first_wave: int = 0,
    mismatches: Path | None = None,
    command: Callable[[int], str] | None = None,
    verilog: str | None = None,
    on_waves: Callable[[int], None] | None = None,
    labels: np.ndarray | None = None,
    report: bool = True,
) -> Report:
    """Play volleys on golden model and RTL at once and stop at the first difference.

    While the simulator plays a batch of waves, the golden model plays the next one. At the end all
    weights, and a read-out that learns, are read back through the weight stream.

    Parameters
    ----------
    model, volleys
        What to play.
    learn
        With STDP.
    simulator, stalls
        See `rtl.Core`.
    every
        Compare weights after every so many waves. Without it: after each, as they stand in the
        rings of a spatial core; seldom enough not to matter, where they must be read from a folded
        one. Times and classes are always compared after each wave.
    waves
        FST file for the waves.
    first_wave
        Where recording begins; everything before it is played and compared, too.
    mismatches
        File for the first difference (JSON); written only if there is one.
    command
        Gives the command that shows wave `n` again.
    verilog
        Text of the core instead of a fresh export.
    on_waves
        Called with the number of waves compared since the last call.
    labels
        One per wave for a read-out that learns them; negative where there is none.
    report
        Compare times; without (folded hardware only), classes and weights alone: a folded core
        then takes the clocks that it takes in use.

    Raises
    ------
    BadInput
        Volleys that do not fit, or no simulator here.
    """
    volleys = check_times(volleys, model.config)
    check_learning(model.config, learn)
    every = default_every(model.config) if every is None else every
    if every < 1:
        raise ValueError(f"every must be at least 1, not {every}")
    checked, mismatch, cycles = 0, None, []
    with Core(
        model.config,
        simulator,
        stalls,
        waves=waves,
        dump=first_wave == 0,
        report=report,
        verilog=verilog,
    ) as core:
        core.write(model)
        changes = learn or (labels is not None and core.learns)
        first = None if labels is None else labels[:1]
        Player(model, learn).play(volleys[:1], first, each=changes)  # numba loads its code now
        golden = Player(model, learn)
        begin = time.perf_counter()
        pending: _Batch | None = None
        parts = list(_parts(core, len(volleys), every if changes else 0, first_wave))
        for start, stop, compare in [*parts, (len(volleys), len(volleys), False)]:
            following = None
            if stop > start:
                following = _Batch(golden, core, volleys, labels, start, stop, compare)
            if pending is not None:
                mismatch = pending.check()
                cycles.append(pending.cycles)
                checked = mismatch.wave if mismatch else pending.stop
                if on_waves is not None:
                    on_waves(checked - pending.start)
                if mismatch:
                    break
            if following is not None:
                core.dump = core.dump or following.start >= first_wave
                following.send()
            pending = following
        if mismatch is None:
            mismatch = _compare_end(golden, core, max(0, len(volleys) - 1))
        seconds = time.perf_counter() - begin
        made, name = core.build, f"{core.build.simulator.name} {core.build.simulator.version}"
    outcome = Report(
        equal=mismatch is None,
        waves=len(volleys),
        checked=checked,
        learn=learn,
        simulator=name,
        seconds=seconds,
        volleys_per_s=checked / seconds if seconds else 0.0,
        build_s=made.seconds,
        build_cached=made.cached,
        every=every if changes else 0,
        cycles=_spread(cycles),
        mismatch=mismatch,
        command=command(mismatch.wave) if mismatch and command else None,
    )
    if mismatch is not None and mismatches is not None:
        _write(mismatches, outcome, model)
    return outcome


def default_every(config: Config) -> int:
    """After how many waves weights are compared: reading them must not take most of the time."""
    streams = Streams(config)
    return streams.rows // 64 if streams.folded and streams.rows > 1_024 else 1


def _spread(cycles: list[np.ndarray]) -> tuple[int, int, int] | None:
    """Fewest, most, and median."""
    if not cycles:
        return None
    every = np.concatenate(cycles)
    return int(every.min()), int(every.max()), int(np.median(every))


class _Batch:
    """Waves that are played as one chunk and then compared."""

    def __init__(
        self,
        golden: Player,
        core: Core,
        volleys: np.ndarray,
        labels: np.ndarray | None,
        start: int,
        stop: int,
        compare: bool,
    ):
        self.core, self.start, self.stop, self.compare = core, start, stop, compare
        self.golden = golden
        self.volleys = volleys[start:stop]
        self.labels = None if labels is None else labels[start:stop]
        self.steps = golden.play(self.volleys, self.labels, each=compare)
        self.cycles = np.zeros(0, np.uint32)

    def send(self) -> None:
        """Let the simulator begin."""
        learn = self.golden.learn
        self.chunk = self.core.chunk(self.volleys, learn, self.compare, self.labels)
        self.answer = self.core.session.submit([self.chunk.order])

    def check(self) -> Mismatch | None:
        """Wait for the simulator; the first difference, if any."""
        played = self.core.played(self.answer.result()[0], self.chunk)
        self.cycles = played.cycles
        found = [self._times(played), self._classes(played), *self._state(played)]
        waves = [mismatch for mismatch in found if mismatch is not None]
        return min(waves, key=lambda mismatch: mismatch.wave, default=None)

    def _times(self, played: Played) -> Mismatch | None:
        if played.times is None:
            return None
        where = np.argwhere(played.times != self.steps.times)
        if not len(where):
            return None
        wave, output = (int(n) for n in where[0])
        place = _neuron(self.core.config, output)
        expected, found = int(self.steps.times[wave, output]), int(played.times[wave, output])
        return Mismatch("time", self.start + wave, *place, None, expected, found)

    def _classes(self, played: Played) -> Mismatch | None:
        expected = self.steps.classes
        if expected is None or played.classes is None:
            return None
        where = np.flatnonzero(played.classes != expected)
        if not len(where):
            return None
        wave = int(where[0])
        pair = int(expected[wave]), int(played.classes[wave])
        return Mismatch("class", self.start + wave, None, None, None, None, *pair)

    def _state(self, played: Played) -> Iterator[Mismatch | None]:
        """Weights, and a read-out that learns, after each wave."""
        if played.layers is not None and self.steps.layers is not None:
            pairs = zip(self.steps.layers, played.layers, strict=True)
            for layer, (expected, found) in enumerate(pairs):
                wave = _first_wave(expected, found)
                if wave is not None:
                    at = self.start + wave
                    yield _compare_weights(expected[wave], found[wave], at, layer)
        if played.readouts is not None and self.steps.readouts is not None:
            wave = _first_wave(self.steps.readouts, played.readouts)
            if wave is not None:
                pair = self.steps.readouts[wave], played.readouts[wave]
                yield _compare_readouts(self.core.config, *pair, self.start + wave)


def _first_wave(expected: np.ndarray, found: np.ndarray) -> int | None:
    wrong = (found != expected).reshape(len(found), -1).any(axis=1)
    return int(wrong.argmax()) if wrong.any() else None


def _neuron(config: Config, output: int) -> tuple[int, int, int]:
    """Layer, column and neuron of an output."""
    for stage in config.finals:
        if output < stage.outputs:
            return (stage.index, *divmod(output, stage.column.q))
        output -= stage.outputs
    raise IndexError(output)


def _compare_weights(
    expected: np.ndarray, found: np.ndarray, wave: int, layer: int
) -> Mismatch | None:
    where = np.argwhere(found != expected)
    if not len(where):
        return None
    column, neuron, synapse = (int(n) for n in where[0])
    place = (column, neuron, synapse)
    return Mismatch("weight", wave, layer, *place, int(expected[place]), int(found[place]))


def _compare_readouts(
    config: Config, expected: np.ndarray, found: np.ndarray, wave: int
) -> Mismatch | None:
    where = np.argwhere(found != expected)
    if not len(where):
        return None
    at = tuple(int(n) for n in where[0])
    place, pair = _neuron(config, at[0]), (int(expected[at]), int(found[at]))
    if len(at) == 2:  # perceptron: outputs x classes
        return Mismatch("read-out weight", wave, *place, None, *pair, of_class=at[1])
    _, code, label, which = at
    return Mismatch("counter", wave, *place, None, *pair, (code, label, which))


def _compare_end(golden: Player, core: Core, wave: int) -> Mismatch | None:
    """Everything that the weight stream reads back, after the last wave."""
    for layer, (expected, found) in enumerate(zip(golden.layers, core.read(), strict=True)):
        mismatch = _compare_weights(expected, found, wave, layer)
        if mismatch is not None:
            return mismatch
    if core.learns and golden.readout is not None:
        return _compare_readouts(core.config, golden.readout, core.read_readout(), wave)
    return None


def _parts(core: Core, waves: int, every: int, first_wave: int) -> Iterator[tuple[int, int, bool]]:
    """Cut waves into chunks: (start, stop, weights are compared after each wave of it).

    With `every` 1 each wave's weights are logged; with more, a chunk of plain waves is followed by
    one logged wave. No chunk crosses the wave at which recording begins.
    """
    start = 0
    while start < waves:
        if every == 1:
            stop, compare = start + core.most_waves(log=True), True
        elif every and start % every == every - 1:
            stop, compare = start + 1, True
        else:
            stop, compare = start + core.most_waves(), False
            if every:
                stop = min(stop, start - start % every + every - 1)
        if start < first_wave:
            stop = min(stop, first_wave)
        stop = min(stop, waves)
        yield start, stop, compare
        start = stop


def _write(path: Path, report: Report, model: Model) -> None:
    """Write a mismatch beside its place, then rename."""
    data = {"config": model.config.hash, "name": model.config.name, **report.to_dict()}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)
