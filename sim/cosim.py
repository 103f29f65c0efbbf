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

from racewave.golden import fast
from racewave.golden.model import Model
from racewave.golden.volleys import check_times
from racewave.sim.history import history
from racewave.sim.rtl import Core, Played, check_learning

__all__ = ["Mismatch", "Report", "cosim", "replay"]


@dataclass(frozen=True)
class Mismatch:
    """The first difference between golden model and RTL.

    Parameters
    ----------
    kind
        "time", "class" or "weight".
    wave
        Number of the wave, from 0.
    column, neuron, synapse
        Where; None where it does not apply.
    expected, found
        What the golden model and what the RTL says.
    """

    kind: str
    wave: int
    column: int | None
    neuron: int | None
    synapse: int | None
    expected: int
    found: int

    def __str__(self) -> str:
        where = [f"wave {self.wave}"]
        for name in ("column", "neuron", "synapse"):
            value = getattr(self, name)
            if value is not None:
                where.append(f"{name} {value}")
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
    every: int = 1,
    waves: Path | None = None,
    first_wave: int = 0,
    mismatches: Path | None = None,
    command: Callable[[int], str] | None = None,
    verilog: str | None = None,
    on_waves: Callable[[int], None] | None = None,
) -> Report:
    """Play volleys on golden model and RTL at once and stop at the first difference.

    While the simulator plays a batch of waves, the golden model plays the next one. Weights are
    compared as they stand in the core's rings after each wave; at the end they are also read back
    through the weight stream.

    Parameters
    ----------
    model, volleys
        What to play.
    learn
        With STDP.
    simulator, stalls
        See `rtl.Core`.
    every
        Compare weights after every so many waves; times and classes always after each.
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

    Raises
    ------
    BadInput
        Volleys that do not fit, or no simulator here.
    """
    volleys = check_times(volleys, model.config)
    if every < 1:
        raise ValueError(f"every must be at least 1, not {every}")
    check_learning(model.config, learn)
    checked, mismatch = 0, None
    with Core(
        model.config, simulator, stalls, waves=waves, dump=first_wave == 0, verilog=verilog
    ) as core:
        core.write(model)
        _Golden(model, learn).play(volleys[:1], each=learn)  # numba loads its code now, not later
        golden = _Golden(model, learn)
        begin = time.perf_counter()
        pending: _Batch | None = None
        parts = list(_parts(core, len(volleys), every if learn else 0, first_wave))
        for start, stop, compare in [*parts, (len(volleys), len(volleys), False)]:
            following = None
            if stop > start:
                following = _Batch(golden, core, volleys, start, stop, compare)
            if pending is not None:
                mismatch = pending.check()
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
            mismatch = _compare_weights(golden.weights, core.read(), max(0, len(volleys) - 1))
        seconds = time.perf_counter() - begin
        made, name = core.build, f"{core.build.simulator.name} {core.build.simulator.version}"
    report = Report(
        equal=mismatch is None,
        waves=len(volleys),
        checked=checked,
        learn=learn,
        simulator=name,
        seconds=seconds,
        volleys_per_s=checked / seconds if seconds else 0.0,
        build_s=made.seconds,
        build_cached=made.cached,
        mismatch=mismatch,
        command=command(mismatch.wave) if mismatch and command else None,
    )
    if mismatch is not None and mismatches is not None:
        _write(mismatches, report, model)
    return report


class _Golden:
    """The golden model's fast form, a few waves at a time, with the weights after each."""

    def __init__(self, model: Model, learn: bool):
        self.model = model
        self.learn = learn
        self.fields = model.config.field_lines()
        self.weights = model.weights
        self.state = model.config.column.seed

    def play(self, volleys: np.ndarray, each: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Times of every wave, and weights after each of them if asked for."""
        column = self.model.config.column
        if not each:
            times, self.weights, self.state = fast.run_layer(
                volleys, self.weights, self.fields, column, self.learn, self.state
            )
            return times, None
        times, weights, self.state = history(volleys, self.weights, self.fields, column, self.state)
        self.weights = weights[-1]
        return times, weights


class _Batch:
    """Waves that are played as one order and then compared."""

    def __init__(
        self,
        golden: _Golden,
        core: Core,
        volleys: np.ndarray,
        start: int,
        stop: int,
        compare: bool,
    ):
        self.core, self.start, self.stop, self.compare = core, start, stop, compare
        self.golden = golden
        self.volleys = volleys[start:stop]
        self.times, self.weights = golden.play(self.volleys, each=compare)

    def send(self) -> None:
        """Let the simulator begin."""
        (order,) = self.core.orders(self.volleys, self.golden.learn, self.compare)
        self.answer = self.core.session.submit([order])

    def check(self) -> Mismatch | None:
        """Wait for the simulator; the first difference, if any."""
        played = self.core.played(self.answer.result()[0], self.stop - self.start)
        found = [self._times(played), self._classes(played)]
        if played.weights is not None and self.weights is not None:
            found.append(self._weights(self.weights, played.weights))
        waves = [mismatch for mismatch in found if mismatch is not None]
        return min(waves, key=lambda mismatch: mismatch.wave, default=None)

    def _times(self, played: Played) -> Mismatch | None:
        where = np.argwhere(played.times != self.times)
        if not len(where):
            return None
        wave, output = (int(n) for n in where[0])
        column, neuron = divmod(output, self.golden.model.config.column.q)
        expected, found = int(self.times[wave, output]), int(played.times[wave, output])
        return Mismatch("time", self.start + wave, column, neuron, None, expected, found)

    def _classes(self, played: Played) -> Mismatch | None:
        readout = self.golden.model.readout
        if readout is None or played.classes is None:
            return None
        none = self.golden.model.config.column.none
        expected = fast.classify(self.times, readout, none)
        where = np.flatnonzero(played.classes != expected)
        if not len(where):
            return None
        wave = int(where[0])
        found = int(played.classes[wave])
        return Mismatch("class", self.start + wave, None, None, None, int(expected[wave]), found)

    def _weights(self, expected: np.ndarray, found: np.ndarray) -> Mismatch | None:
        wrong = (found != expected).reshape(len(found), -1).any(axis=1)
        if not wrong.any():
            return None
        wave = int(wrong.argmax())
        return _compare_weights(expected[wave], found[wave], self.start + wave)


def _compare_weights(expected: np.ndarray, found: np.ndarray, wave: int) -> Mismatch | None:
    where = np.argwhere(found != expected)
    if not len(where):
        return None
    column, neuron, synapse = (int(n) for n in where[0])
    place = (column, neuron, synapse)
    return Mismatch("weight", wave, *place, int(expected[place]), int(found[place]))


def _parts(core: Core, waves: int, every: int, first_wave: int) -> Iterator[tuple[int, int, bool]]:
    """Cut waves into orders: (start, stop, weights are compared after each wave of it).

    With `every` 1 each wave's weights are logged; with more, an order of plain waves is followed by
    one logged wave. No order crosses the wave at which recording begins.
    """
    room = core.room
    start = 0
    while start < waves:
        if every == 1:
            stop, compare = start + room.logs, True
        elif every and start % every == every - 1:
            stop, compare = start + 1, True
        else:
            stop, compare = start + room.waves, False
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
