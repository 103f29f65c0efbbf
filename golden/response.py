"""What a spike does to a membrane: ramp-no-leak and step-no-leak responses, and the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from racewave.golden.config import ColumnConfig


def no_spike(steps: int) -> int:
    """Return the code of "never": all ones of ``steps.bit_length()`` bits, at least `steps`.

    Examples
    --------
    >>> no_spike(7), no_spike(8), no_spike(1)
    (7, 15, 1)
    """
    return (1 << steps.bit_length()) - 1


def time_dtype(steps: int) -> type[np.uint8] | type[np.uint16]:
    """Return the array type of spike times: uint8, or uint16 beyond 8 bits."""
    return np.uint8 if steps.bit_length() <= 8 else np.uint16


def rnl(age: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ramp-no-leak: one more per step since the spike, up to the weight.

    Parameters
    ----------
    age
        Steps since the spike, counted from 1 in the step of the spike; zero or less before it.
    weights
        Broadcast against `age`.

    Examples
    --------
    >>> rnl(np.array([-1, 0, 1, 2, 3, 4]), np.array(3)).tolist()
    [0, 0, 1, 2, 3, 3]
    """
    return np.clip(age, 0, weights)


def snl(age: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Step-no-leak: the whole weight from the step of the spike on.

    Examples
    --------
    >>> snl(np.array([-1, 0, 1, 2, 3, 4]), np.array(3)).tolist()
    [0, 0, 3, 3, 3, 3]
    """
    return np.where(age > 0, weights, 0)


def potentials(times: np.ndarray, weights: np.ndarray, column: ColumnConfig) -> np.ndarray:
    """Compute the potential of every neuron at every step of a wave.

    Parameters
    ----------
    times
        Input spike times, shape (B, p); `column.none` where a line never spikes.
    weights
        Shape (q, p), 0..w_max.
    column
        `steps` and `response` are used.

    Returns
    -------
    numpy.ndarray
        int64, shape (B, q, steps).

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> column = ColumnConfig(p=2, q=1, theta=3, t_in=2, w_max=2)
    >>> potentials(np.array([[0, 1]]), np.array([[2, 1]]), column).tolist()
    [[[1, 3, 3]]]
    """
    step = np.arange(column.steps, dtype=np.int64)
    age = step - times.astype(np.int64)[:, None, :, None] + 1  # (B, 1, p, steps)
    respond = rnl if column.response == "rnl" else snl
    return respond(age, weights.astype(np.int64)[None, :, :, None]).sum(axis=2)


def fire(potential: np.ndarray, theta: int) -> np.ndarray:
    """Find the first step in which each neuron reaches its threshold.

    Parameters
    ----------
    potential
        Shape (B, q, steps).
    theta
        Threshold, 1 or more.

    Returns
    -------
    numpy.ndarray
        Raw spike times, shape (B, q); the no-spike code of ``steps`` where theta is never reached.

    Examples
    --------
    >>> fire(np.array([[[1, 3, 3], [0, 1, 2]]]), theta=3).tolist()
    [[1, 3]]
    """
    steps = potential.shape[-1]
    reached = potential >= theta
    times = np.where(reached.any(axis=-1), reached.argmax(axis=-1), no_spike(steps))
    return times.astype(time_dtype(steps))


def at_fire(potential: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Return each neuron's potential in the step it fires, 0 if it never does; shape (B, q).

    Examples
    --------
    >>> at_fire(np.array([[[1, 4, 6], [0, 1, 2]]]), np.array([[1, 3]])).tolist()
    [[4, 0]]
    """
    steps = potential.shape[-1]
    step = np.minimum(raw.astype(np.int64), steps - 1)[..., None]
    value = np.take_along_axis(potential, step, axis=-1)[..., 0]
    return np.where(raw < steps, value, 0)
