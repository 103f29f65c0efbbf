"""The golden model's fast form, with the weights after every wave instead of the last only."""

from __future__ import annotations

import numpy as np

from racewave.golden import kernels, stdp
from racewave.golden.config import ColumnConfig

__all__ = ["history"]


def history(
    volleys: np.ndarray, weights: np.ndarray, fields: np.ndarray, column: ColumnConfig, state: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Play volleys with learning, as `golden.fast.run_layer` does, and keep every step.

    Parameters
    ----------
    volleys, weights, fields, column, state
        As `golden.layer.run` takes them.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times, waves x (C * q).
    weights : numpy.ndarray
        Weights after each wave, waves x C x q x p.
    state : int
        Random generator.

    Examples
    --------
    >>> column = ColumnConfig(p=2, q=1, theta=2, u_capture=1024, u_min=1024)
    >>> volleys, weights = np.array([[0, 0], [0, 0]]), np.array([[[3, 3]]], np.uint8)
    >>> history(volleys, weights, np.array([[0, 1]]), column, 0xACE1)[1].tolist()
    [[[[4, 4]]], [[[5, 5]]]]
    """
    volleys = np.ascontiguousarray(volleys, np.uint8)
    fields = np.ascontiguousarray(fields, np.int64)
    planes = kernels.to_planes(weights, column.w_max)
    out = np.full((len(volleys), len(fields) * column.q), column.none, np.uint8)
    limits = stdp.thresholds(column)
    hits = np.zeros((len(volleys), len(limits)), np.bool_)
    state = int(kernels.draw(state, column.prob_bits, limits, hits))
    settings = (
        column.theta,
        column.t_in,
        column.steps,
        column.none,
        column.k,
        column.response == "rnl",
        column.tie == "potential",
        column.stabilise_search,
        True,
    )
    after = np.empty((len(volleys), *planes.shape), np.uint64)
    for n in range(len(volleys)):
        one = slice(n, n + 1)
        kernels.play(volleys[one], fields, planes, out[one], 0, hits[one], settings)
        after[n] = planes
    return out.astype(column.times_dtype, copy=False), kernels.to_weights(after, column.p), state
