"""One experiment on one level of abstraction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from racewave.flows import tools
from racewave.flows.inputs import Experiment
from racewave.golden import network
from racewave.golden.config import Config
from racewave.golden.errors import BadInput, nearest
from racewave.golden.network import Result

__all__ = ["LEVELS", "Summary", "check_level", "labels_to_learn", "make_ready", "run", "summarise"]

LEVELS = ("golden", "rtl")
LATER = ("gates", "bitstream", "board")  # named already, so that the answer can be precise


@dataclass(frozen=True)
class Summary:
    """What came out of a run, in short.

    Parameters
    ----------
    config, hash, on, source
        What was played, where.
    waves, learn
        How many, and with STDP.
    spikes
        Winners of all waves; None where hardware was not asked for times.
    seconds
        Time it took.
    correct, accuracy
        Against the labels, in waves and per cent; None without read-out or labels.
    cycles
        Fewest and most clock cycles of a wave; None where no hardware ran.
    """

    config: str
    hash: str
    on: str
    source: str
    waves: int
    learn: bool
    spikes: int | None
    seconds: float
    correct: int | None = None
    accuracy: float | None = None
    cycles: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def check_level(on: str) -> None:
    """Refuse a level that is not there; raises `BadInput`."""
    if on in LATER:
        raise BadInput(f"level must be {' or '.join(LEVELS)}, not '{on}', which is not there yet")
    if on not in LEVELS:
        raise BadInput(f"level must be {' or '.join(LEVELS)}, not '{on}'{nearest(on, LEVELS)}")


def run(
    experiment: Experiment,
    on: str = "golden",
    learn: bool = False,
    simulator: str | None = None,
    waves: Path | None = None,
    on_waves: Callable[[int], None] | None = None,
    say: Callable[[str], None] | None = None,
    times: bool = True,
) -> tuple[Result, Summary]:
    """Play an experiment; the result is the same on every level, `cycles` aside.

    A perceptron or dual voter learns the labels if `learn` is on.

    Parameters
    ----------
    experiment
        Model and volleys.
    on
        "golden" or "rtl".
    learn
        With STDP.
    simulator, waves
        For "rtl": which simulator, and a file for the waves.
    on_waves
        Called with the number of waves played since the last call.
    say
        Told when a tool's first start will take its time.
    times
        Hardware must report every time. Without, a folded core with a read-out sends classes alone,
        and takes the clocks that it takes in use; the result has no times then.

    Raises
    ------
    BadInput
        Unknown level, or something that does not fit.
    """
    check_level(on)
    if waves is not None and on != "rtl":
        raise BadInput(f"--waves must come with --on rtl, not with --on {on}")
    begin = time.perf_counter()
    if on == "golden":
        result = network.run(
            experiment.model, experiment.times, learn, labels=labels_to_learn(experiment, learn)
        )
    else:
        from racewave.sim import rtl  # needs a simulator

        make_ready(experiment, learn, simulator, say)
        result = rtl.run(
            experiment.model,
            experiment.times,
            learn,
            simulator=simulator,
            waves=waves,
            on_waves=on_waves,
            labels=labels_to_learn(experiment, learn),
            report=times,
        )
    return result, summarise(experiment, result, on, learn, time.perf_counter() - begin)


def labels_to_learn(experiment: Experiment, learn: bool) -> np.ndarray | None:
    """Labels for a read-out that learns on line, if it is to."""
    readout = experiment.model.config.readout
    learns = readout is not None and readout.learns
    return experiment.labels if learn and learns else None


def make_ready(
    experiment: Experiment,
    learn: bool,
    simulator: str | None,
    say: Callable[[str], None] | None,
) -> None:
    """Refuse what cannot be simulated before any tool starts; then let yosys compile itself."""
    from racewave.sim import rtl, simulators

    rtl.check_learning(experiment.model.config, learn)
    simulators.pick(simulator)
    tools.prepare("yosys", say)


def summarise(
    experiment: Experiment, result: Result, on: str, learn: bool, seconds: float
) -> Summary:
    """Count what a run gave."""
    config, labels = experiment.model.config, experiment.labels
    correct = accuracy = cycles = None
    if result.classes is not None and labels is not None and len(labels):
        correct = int((result.classes == labels).sum())
        accuracy = round(100 * correct / len(labels), 2)
    if result.cycles is not None and len(result.cycles):
        cycles = (int(result.cycles.min()), int(result.cycles.max()))
    return Summary(
        config=config.name,
        hash=config.hash,
        on=on,
        source=experiment.source,
        waves=len(experiment.times),
        learn=learn,
        spikes=_spikes(result, config),
        seconds=round(seconds, 3),
        correct=correct,
        accuracy=accuracy,
        cycles=cycles,
    )


def _spikes(result: Result, config: Config) -> int | None:
    """Winners of all waves, unless hardware was not asked for times."""
    if result.times.shape[1] != config.outputs:
        return None
    return int((result.times != config.finals[0].column.none).sum())
