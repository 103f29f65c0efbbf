"""k-winners-take-all: the first k spikes of a column pass, the others are inhibited."""

from __future__ import annotations

import numpy as np


def wta(raw: np.ndarray, potential: np.ndarray, k: int, tie: str, none: int) -> np.ndarray:
    """Keep the k first spikes of every wave.

    Nothing is random: order is by time, then by larger potential at firing (`tie` "potential"
    only), then by index.

    Parameters
    ----------
    raw
        Raw spike times, shape (B, q).
    potential
        Potential of each neuron in the step it fires, shape (B, q); read for `tie` "potential".
    k
        Winners, 1..q.
    tie
        "index" or "potential".
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        Times of the winners, `none` elsewhere; shape and type of `raw`.

    Examples
    --------
    >>> raw = np.array([[4, 2, 2, 7]])
    >>> wta(raw, np.array([[9, 9, 10, 0]]), k=1, tie="index", none=7).tolist()
    [[7, 2, 7, 7]]
    >>> wta(raw, np.array([[9, 9, 10, 0]]), k=1, tie="potential", none=7).tolist()
    [[7, 7, 2, 7]]
    """
    index = np.broadcast_to(np.arange(raw.shape[-1]), raw.shape)
    larger = -potential.astype(np.int64) if tie == "potential" else np.zeros(raw.shape, np.int64)
    order = np.lexsort((index, larger, raw), axis=-1)  # the last key counts most
    wins = np.zeros(raw.shape, bool)
    np.put_along_axis(wins, order[..., :k], True, axis=-1)
    return np.where(wins, raw, none).astype(raw.dtype)
