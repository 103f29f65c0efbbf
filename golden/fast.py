"""The fast form: jitted kernels, threads over columns; equal to the reference to the bit.

Columns of a layer depend on each other only through the shared random draws, so a block of waves
draws all its decisions first, then every thread plays the whole block on columns of its own.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from racewave.golden import kernels, stdp
from racewave.golden.config import ColumnConfig

__all__ = ["classify", "run_layer", "slots", "threads"]

BLOCK = 512  # waves per block: volleys of a block stay in the cache


def threads() -> int:
    """Threads to use: the processors of this process, at most ``$NUMBA_NUM_THREADS`` of them.

    Results never depend on it.
    """
    affine = hasattr(os, "sched_getaffinity")
    here = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    wish = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, min(here, int(wish))) if wish.isdigit() else here


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
    state = column.seed if state is None else state
    jobs = jobs or threads()
    volleys = np.ascontiguousarray(volleys, np.uint8)
    fields = np.ascontiguousarray(fields, np.int64)
    planes = kernels.to_planes(weights, column.w_max)
    out = np.full((len(volleys), len(fields) * column.q), column.none, np.uint8)
    limits = stdp.thresholds(column)
    settings = (
        column.theta,
        column.t_in,
        column.steps,
        column.none,
        column.k,
        column.response == "rnl",
        column.tie == "potential",
        column.stabilise_search,
        learn,
    )
    with ThreadPoolExecutor(jobs) as pool:
        for start in range(0, len(volleys), BLOCK):
            block = slice(start, start + BLOCK)
            waves = len(volleys[block])
            hits = np.zeros((waves if learn else 0, len(limits)), np.bool_)
            state = int(kernels.draw(state, column.prob_bits, limits, hits))
            tasks = []
            for columns, span in _split(len(fields), waves, jobs, learn):
                tasks.append(
                    pool.submit(
                        kernels.play,
                        volleys[block][span],
                        fields[columns],
                        planes[columns],
                        out[block][span],
                        columns.start * column.q,
                        hits,
                        settings,
                    )
                )
            for task in tasks:
                task.result()
    if learn:
        weights = kernels.to_weights(planes, column.p).astype(weights.dtype)
    return out.astype(column.times_dtype, copy=False), weights, state


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


def _split(columns: int, waves: int, jobs: int, learn: bool) -> list[tuple[slice, slice]]:
    """Share out the work: by columns; by waves if there are few columns and no learning."""
    if learn or columns >= jobs:
        return [(slice(a, b), slice(0, waves)) for a, b in _ranges(columns, jobs)]
    return [(slice(0, columns), slice(a, b)) for a, b in _ranges(waves, jobs)]
