"""How fast a core is co-simulated, beside the usual ways to write a bench, in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from racewave.golden import model as models
from racewave.golden import network
from racewave.golden.config import ColumnConfig, Config
from racewave.golden.model import Model
from racewave.sim import bench
from racewave.sim.cosim import cosim
from racewave.sim.rtl import Core
from racewave.sim.simulators import survey

__all__ = ["column", "measure"]

ONE_WAVE = bench.Capacity(waves=1, logs=1, requests=64)


def column(t_in: int = 1, p: int = 64, q: int = 10, theta: int = 80) -> Config:
    """The column that speeds are quoted for: ``cmu-cvt`` with 64 x 10 synapses."""
    return Config(name=f"speed-{t_in}", column=ColumnConfig(p=p, q=q, theta=theta, t_in=t_in))


def experiment(config: Config, waves: int, seed: int = 1) -> tuple[Model, np.ndarray]:
    """Seeded weights and volleys in which half of the lines spikes."""
    rng = np.random.default_rng(seed)
    one = config.column
    weights = rng.integers(0, one.w_max, (1, one.q, one.p), np.uint8, endpoint=True)
    times = rng.integers(0, one.t_in, (waves, config.lines))
    volleys = np.where(rng.random(times.shape) < 0.5, times, one.none).astype(one.times_dtype)
    return models.initial(config).with_weights(weights), volleys


def measure(
    config: Config | None = None, waves: int = 20_000, repeats: int = 3
) -> list[dict[str, Any]]:
    """Measure checked volleys per second of one core.

    Every row compares every result with the golden model, which plays the same volleys within the
    measured time. `wake` says how often Python wakes up: once per batch of waves (the way of
    `cosim`), once per wave, or once per clock. Only `learning` compares weights, all of them after
    every wave.

    Parameters
    ----------
    config
        The core; 64 x 10 synapses of ``cmu-cvt`` if not given.
    waves
        Waves of the fastest row; slower ones play fewer.
    repeats
        Every row is the fastest of so many measurements, taken in turn.

    Returns
    -------
    list of dict
        `what`, `wake`, `simulator`, `waves`, `seconds`, `volleys_per_s`, `cycles_per_s`, `build_s`,
        and `times_slower` than the first row.
    """
    config = config or column()
    model, volleys = experiment(config, waves)
    tasks: list[Callable[[], dict[str, Any]]] = []
    for name in (found.name for found in survey() if found.usable):
        full = name == "verilator"
        few = waves if full else min(waves, 128)
        tasks.append(partial(_batched, model, volleys[:few], False, name))
        if full:
            if config.hardware.learning:
                tasks.append(partial(_batched, model, volleys[: waves // 2], True, name))
            tasks.append(partial(_serial, model, volleys[: waves // 4], name, "order"))
        tasks.append(partial(_serial, model, volleys[: max(1, few // 20)], name, "clock"))
    rounds = [[task() for task in tasks] for _ in range(repeats)]
    rows = [
        max(of_one, key=lambda row: row["volleys_per_s"]) for of_one in zip(*rounds, strict=True)
    ]
    for row in rows:
        row["times_slower"] = round(rows[0]["volleys_per_s"] / row["volleys_per_s"], 2)
    return rows


def _batched(model: Model, volleys: np.ndarray, learn: bool, simulator: str) -> dict[str, Any]:
    cosim(model, volleys[:64], learn, simulator)  # build, and compile the golden model
    with Core(model.config, simulator) as core:
        core.write(model)
        cycles = float(core.play(volleys[:64], learn).cycles.mean())
    report = cosim(model, volleys, learn, simulator)
    if not report.equal:
        raise RuntimeError(f"RTL must equal the golden model: {report.mismatch}")
    what = "learning, every weight compared" if learn else "frozen"
    return _row(what, "batch", report.simulator, report.checked, report.seconds, cycles, report)


def _serial(
    model: Model, volleys: np.ndarray, simulator: str, wake: Literal["order", "clock"]
) -> dict[str, Any]:
    """Play waves one by one; `wake` is "order" (once per wave) or "clock"."""
    config = model.config
    with Core(config, simulator, room=ONE_WAVE, wake=wake) as core:
        core.write(model)
        cycles = float(core.play(volleys[:64]).cycles.mean())
        streams = core.streams
        begin = time.perf_counter()
        # What such a bench cannot do without: write a volley, read its result.
        written = streams.volleys(volleys)
        orders = [{"set": {"volleys": bench.value(one)}, "get": ["results"]} for one in written]
        answers = core.session.play(*orders)
        found = [bench.digits(one["results"], streams.result_bits) for one in answers]
        times, _ = streams.results(np.stack(found))
        same = times is not None and np.array_equal(times, network.run(model, volleys).times)
        seconds = time.perf_counter() - begin
        made, name = core.build, f"{core.build.simulator.name} {core.build.simulator.version}"
    if not same:
        raise RuntimeError("RTL must equal the golden model")
    label = "wave" if wake == "order" else "clock"
    return _row("frozen", label, name, len(volleys), seconds, cycles, made)


def _row(
    what: str, wake: str, simulator: str, waves: int, seconds: float, cycles: float, made: Any
) -> dict[str, Any]:
    return {
        "what": what,
        "wake": wake,
        "simulator": simulator,
        "waves": waves,
        "seconds": round(seconds, 3),
        "volleys_per_s": round(waves / seconds, 1),
        "cycles_per_s": round(waves * cycles / seconds),
        "build_s": round(made.build_s if hasattr(made, "build_s") else made.seconds, 2),
    }
