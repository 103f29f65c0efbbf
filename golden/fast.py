"""The fast form: jitted kernels and threads; equal to the reference to the bit.

Two kernels give the same (`racewave.golden.kernels`); `suits_events` says which one suits a column
and its volleys. Inference is shared out by images, learning by columns: columns of a layer depend
on each other only through the random draws, which are known before the first wave.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from racewave.golden import kernels, orbit, planes, stdp
from racewave.golden.config import ColumnConfig
from racewave.golden.lfsr import PERIOD

__all__ = ["Layer", "classify", "run_layer", "settings", "slots", "suits_events", "threads"]

BLOCK = 512  # waves per block: volleys of a block stay in the cache
PLANE = 0.25  # ns per input step, bit plane, word and neuron
ROW = 5.0  # ns per spike and step of its ramp ...
CELL = 0.1  # ... and neuron


def threads() -> int:
    """Threads to use: the processors of this process, at most ``$NUMBA_NUM_THREADS`` of them.

    Results never depend on it.
    """
    affine = hasattr(os, "sched_getaffinity")
    here = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    wish = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, min(here, int(wish))) if wish.isdigit() else here


def settings(column: ColumnConfig, learn: bool) -> tuple[int | bool, ...]:
    """What a column's parameters are to the kernels, in their order.

    Examples
    --------
    >>> settings(ColumnConfig(), learn=False)
    (40, 1, 7, 7, 1, 7, True, False, False, False)
    """
    return (
        column.theta,
        column.t_in,
        column.steps,
        column.none,
        column.k,
        column.w_max,
        column.response == "rnl",
        column.tie == "potential",
        column.stabilise_search,
        learn,
    )


def suits_events(volleys: np.ndarray, column: ColumnConfig, learn: bool = False) -> bool:
    """Tell whether the event-driven kernel is the faster one; results never depend on it.

    Learning synapses that draw for themselves can have no other. Else estimates decide, fitted to
    measurements: what all bit planes cost, and what the lines that spike cost.

    Examples
    --------
    >>> few = np.full((1, 100), 15)
    >>> column = ColumnConfig(p=100, q=64, t_in=8, response="snl")
    >>> suits_events(few, column), suits_events(few * 0, ColumnConfig(p=100))
    (True, False)
    """
    if learn and column.randomness == "synapse":
        return True
    spikes = column.p * float((volleys[:BLOCK] < column.t_in).mean()) if volleys.size else 0.0
    ramps = column.w_max if column.response == "rnl" else 1
    words = -(-column.p // planes.WORD)
    by_planes = PLANE * column.t_in * column.w_max * words * column.q
    return spikes * ramps * (ROW + CELL * column.q) < by_planes


class Layer:
    """A layer as a kernel wants it, ready for one block of waves after another.

    Parameters
    ----------
    weights, fields, column, state
        As `layer.run` takes them.
    events
        Use the event-driven kernel (`suits_events`), not the one for bit planes.

    Attributes
    ----------
    stored : numpy.ndarray
        The weights in the kernel's own form; `restore` turns it, or a stack of it, back.
    state : int
        Random generator after the last wave.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2, u_capture=1024, u_min=1024)
    >>> layer = Layer(np.array([[[3, 3]]]), np.array([[0, 1]]), column, events=True)
    >>> layer.play(np.array([[0, 0]]), learn=True, jobs=1).tolist(), layer.restore().tolist()
    ([[0]], [[[4, 4]]])
    """

    def __init__(
        self,
        weights: np.ndarray,
        fields: np.ndarray,
        column: ColumnConfig,
        state: int | None = None,
        events: bool = False,
    ):
        self.column = column
        self.state = column.seed if state is None else state
        self.events = events
        self.stored = planes.to_rows(weights) if events else planes.to_planes(weights, column.w_max)
        self._fields = np.ascontiguousarray(fields, np.int64)
        self._limits = stdp.thresholds(column)
        alone = events and column.randomness == "synapse"
        self._values = orbit.values(column.prob_bits, 3 * column.q if alone else 0)

    def restore(self, stored: np.ndarray | None = None) -> np.ndarray:
        """Weights, ... x C x q x p, uint8: now, or as `stored` was."""
        stored = self.stored if stored is None else stored
        return (
            planes.from_rows(stored) if self.events else planes.from_planes(stored, self.column.p)
        )

    def play(self, volleys: np.ndarray, learn: bool = False, jobs: int | None = None) -> np.ndarray:
        """Play volleys, one wave each, and return the winners' spike times, waves x (C * q).

        Parameters
        ----------
        volleys, learn
            As `layer.run` takes them.
        jobs
            Threads; all processors if not given.
        """
        waves, columns, jobs = len(volleys), len(self._fields), jobs or threads()
        plan = self._plan(volleys, learn)
        if learn:
            tasks = [(slice(a, b), 0, waves) for a, b in _ranges(columns, jobs)]
        else:
            tasks = [(slice(0, columns), a, b) for a, b in _ranges(waves, jobs)]
        if len(tasks) == 1:
            self._work(plan, *tasks[0])
        else:
            with ThreadPoolExecutor(jobs) as pool:
                for _ in pool.map(lambda task: self._work(plan, *task), tasks):
                    pass
        return plan.out.astype(self.column.times_dtype, copy=False)

    def trace(self, volleys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Play volleys with learning: times as from `play`, and `stored` after each wave."""
        plan = self._plan(volleys, True)
        after = np.empty((len(volleys), *self.stored.shape), self.stored.dtype)
        for wave in range(len(volleys)):
            self._work(plan, slice(0, len(self._fields)), wave, wave + 1)
            after[wave] = self.stored
        return plan.out.astype(self.column.times_dtype, copy=False), after

    def _plan(self, volleys: np.ndarray, learn: bool) -> _Plan:
        """Draw for all waves; the generator is then that after the last one."""
        column = self.column
        out = np.full((len(volleys), len(self._fields) * column.q), column.none, np.uint8)
        shared = learn and column.randomness == "layer"
        hits = np.zeros((len(volleys) if shared else 0, len(self._limits)), np.bool_)
        draws = hits.shape[1] if shared else 3 * column.p * out.shape[1]
        place = orbit.place_of(self.state)
        kernels.draw(self._values, place, self._limits, hits)
        if learn:
            self.state = orbit.state_at(place + len(volleys) * draws)
        volleys = np.ascontiguousarray(volleys, np.uint8)
        return _Plan(volleys, out, hits, place, draws, settings(column, learn))

    def _work(self, plan: _Plan, mine: slice, start: int, stop: int) -> None:
        """Play the waves from `start` to `stop` on some columns."""
        for first in range(start, stop, BLOCK):
            block = slice(first, min(first + BLOCK, stop))
            common = (plan.volleys[block], self._fields[mine], self.stored[mine], plan.out[block])
            base, hits = mine.start * self.column.q, plan.hits[block]
            if self.events:
                place = (plan.place + 1 + first * plan.draws) % PERIOD  # of the block's first draw
                alone = (self._values, place, self._limits)
                kernels.play_events(*common, base, hits, alone, plan.settings)
            else:
                kernels.play_planes(*common, base, hits, plan.settings)


class _Plan(NamedTuple):
    """What is settled before the first wave: `hits` if synapses share draws, else `place`."""

    volleys: np.ndarray
    out: np.ndarray
    hits: np.ndarray
    place: int  # of the generator's state
    draws: int  # of a wave
    settings: tuple[int | bool, ...]


def run_layer(
    volleys: np.ndarray,
    weights: np.ndarray,
    fields: np.ndarray,
    column: ColumnConfig,
    learn: bool = False,
    state: int | None = None,
    jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play volleys on a layer, one wave each: the fast form of `layer.run`.

    Parameters
    ----------
    volleys, weights, fields, column, learn, state
        As `layer.run` takes them.
    jobs
        Threads; all processors if not given.

    Returns
    -------
    tuple
        As `layer.run` returns it.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2)
    >>> weights = np.array([[[3, 3]], [[3, 3]]])
    >>> run_layer(np.array([[0, 0, 7]]), weights, np.array([[0, 1], [1, 2]]), column)[0].tolist()
    [[0, 1]]
    """
    layer = Layer(weights, fields, column, state, suits_events(volleys, column, learn))
    times = layer.play(volleys, learn, jobs)
    if learn:
        weights = layer.restore().astype(weights.dtype)
    return times, weights, layer.state


def classify(times: np.ndarray, rows: np.ndarray, none: int, jobs: int | None = None) -> np.ndarray:
    """Class of each wave: the fast form of `readout.classify`.

    Examples
    --------
    >>> classify(np.array([[0, 7], [7, 7]]), np.array([[1, 2], [5, 5]], np.int8), none=7).tolist()
    [1, 0]
    """
    times = np.ascontiguousarray(times, np.uint8)
    rows = np.ascontiguousarray(rows, np.int8)
    classes = np.zeros(len(times), np.uint8)
    jobs = jobs or threads()
    with ThreadPoolExecutor(jobs) as pool:
        spans = [slice(a, b) for a, b in _ranges(len(times), jobs)]
        tasks = [pool.submit(kernels.classify, times[s], rows, none, classes[s]) for s in spans]
        for task in tasks:
            task.result()
    return classes


def slots(times: np.ndarray, q: int, k: int, none: int) -> np.ndarray:
    """Rows that the winners select: the fast form of `readout.slots`.

    Examples
    --------
    >>> slots(np.array([[7, 0, 7, 7], [1, 7, 7, 0]]), q=2, k=1, none=7).tolist()
    [[1, 4], [0, 3]]
    """
    times = np.ascontiguousarray(times, np.uint8)
    chosen = np.full((len(times), times.shape[1] // q * k), times.shape[1], np.int32)
    kernels.slots(times, q, k, none, chosen)
    return chosen


def _ranges(count: int, parts: int) -> list[tuple[int, int]]:
    edges = [count * n // parts for n in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if a < b]
