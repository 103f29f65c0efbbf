"""How the kernels of the fast form store weights: bit planes, or rows of lines.

Planes hold a weight as a thermometer: bit i of plane l of a neuron tells whether ``w[i] > l``.
64 synapses share a word; the neurons of a column lie next to each other. Rows hold the weights of
one line next to each other, neuron by neuron.
"""

from __future__ import annotations

import numpy as np

__all__ = ["from_planes", "from_rows", "to_planes", "to_rows"]

WORD = 64


def to_planes(weights: np.ndarray, w_max: int) -> np.ndarray:
    """Turn weights into bit planes.

    Parameters
    ----------
    weights
        ... x q x p, 0..w_max.

    Returns
    -------
    numpy.ndarray
        uint64, ... x w_max x words x q; bit i of word n stands for synapse ``64 n + i``.

    Examples
    --------
    >>> to_planes(np.array([[2, 0, 1]]), w_max=2).tolist()
    [[[5]], [[1]]]
    """
    p = weights.shape[-1]
    bits = weights[..., None, :] > np.arange(w_max)[:, None]
    room = -(-p // WORD) * WORD
    padded = np.zeros((*bits.shape[:-1], room), np.bool_)
    padded[..., :p] = bits
    packed = np.packbits(padded, axis=-1, bitorder="little")
    words = packed.view("<u8").astype(np.uint64)  # ... x q x w_max x words
    return np.ascontiguousarray(np.moveaxis(words, -3, -1))


def from_planes(planes: np.ndarray, p: int) -> np.ndarray:
    """Turn bit planes back into weights: uint8, ... x q x p.

    Examples
    --------
    >>> from_planes(to_planes(np.array([[2, 0, 1]]), w_max=2), p=3).tolist()
    [[2, 0, 1]]
    """
    octets = np.ascontiguousarray(np.moveaxis(planes, -1, -3), "<u8").view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little")[..., :p]
    return bits.sum(axis=-2, dtype=np.uint8)


def to_rows(weights: np.ndarray) -> np.ndarray:
    """Turn weights, ... x q x p, into a row per line: uint8, ... x p x q, a copy.

    Examples
    --------
    >>> to_rows(np.array([[2, 0, 1], [3, 4, 5]])).tolist()
    [[2, 3], [0, 4], [1, 5]]
    """
    return np.array(weights.swapaxes(-1, -2), np.uint8, order="C")


def from_rows(rows: np.ndarray) -> np.ndarray:
    """Turn rows back into weights: uint8, ... x q x p.

    Examples
    --------
    >>> from_rows(to_rows(np.array([[2, 0, 1]]))).tolist()
    [[2, 0, 1]]
    """
    return np.ascontiguousarray(rows.swapaxes(-1, -2))
