"""Golden model and RTL in lock step, for an experiment that the user named."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from racewave.flows import files
from racewave.flows.inputs import Experiment
from racewave.flows.run import labels_to_learn, make_ready
from racewave.golden.errors import BadInput

__all__ = ["cosim"]


def cosim(
    experiment: Experiment,
    typed: list[str],
    learn: bool = True,
    simulator: str | None = None,
    stalls: float = 0.0,
    waves: Path | None = None,
    first_wave: int = 0,
    mismatches: Path | None = None,
    on_waves: Callable[[int], None] | None = None,
    say: Callable[[str], None] | None = None,
    every: int | None = None,
    times: bool = True,
) -> dict[str, Any]:
    """Compare until the first difference.

    Parameters
    ----------
    experiment
        Model and volleys.
    typed
        What the user typed to name them; the command that repeats a mismatch begins with it.
    learn, simulator, stalls, waves, first_wave, mismatches, on_waves, every
        As `racewave.sim.cosim.cosim` takes them; a read-out that learns does so if `learn` is on.
    say
        Told when a tool's first start will take its time.
    times
        Compare times; see `racewave.flows.run.run`.

    Returns
    -------
    dict
        Its report as plain data; `file` is where the first difference was written.

    Raises
    ------
    BadInput
        Something does not fit.
    """
    from racewave.sim import cosim as sim  # needs a simulator

    if first_wave and waves is None:
        raise BadInput("--first-wave must come with --waves")
    files.check_file(waves)
    files.check_file(mismatches)
    make_ready(experiment, learn, simulator, say)
    name = " ".join(shlex.join(part.split(" ", 1)) for part in typed)
    report = sim.cosim(
        experiment.model,
        experiment.times,
        learn,
        simulator,
        stalls,
        waves=waves,
        first_wave=first_wave,
        mismatches=mismatches,
        command=lambda wave: sim.replay(name, wave, learn),
        on_waves=on_waves,
        every=every,
        labels=labels_to_learn(experiment, learn),
        report=times,
    ).to_dict()
    return {**report, "file": None if report["equal"] else str(mismatches)}
