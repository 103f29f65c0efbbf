"""From 8-bit images to volleys of spike times, in integer arithmetic only.

Lines are numbered pixel by pixel in row-major order; an encoder with two lines per pixel puts them
next to each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from racewave.golden import lfsr, orbit
from racewave.golden.config import Config
from racewave.golden.errors import BadInput

__all__ = ["encode", "intensity", "onoff", "poisson", "posneg", "posneg_graded"]

ON_OFF_LEAST = 255  # one full pixel of contrast out of eight


def posneg(images: np.ndarray, t_in: int, none: int) -> np.ndarray:
    """Black or white: of a pixel's two lines the first spikes at 0 if bright, else the second.

    Parameters
    ----------
    images
        B x rows x columns, 8 bit.
    t_in
        Input steps; this encoder uses only step 0.
    none
        The no-spike code.

    Returns
    -------
    numpy.ndarray
        Spike times, B x (rows * columns * 2).

    Examples
    --------
    >>> posneg(np.array([[[127, 128]]], np.uint8), t_in=1, none=7).tolist()
    [[7, 0, 0, 7]]
    """
    bright = images >= 128  # 2 * pixel >= 255
    never = np.uint8(none)  # one step, so a code of at most 8 bits
    zero = np.uint8(0)
    return _two_lines(np.where(bright, zero, never), np.where(bright, never, zero))


def posneg_graded(images: np.ndarray, t_in: int, none: int) -> np.ndarray:
    """Graded black and white: the brighter, the earlier on the first line.

    The level ``(pixel * t_in) >> 8`` gives ``t_in - 1 - level``, level 0 never spikes. The second
    line is the mirror image: the same rule for ``255 - pixel``.

    Examples
    --------
    >>> posneg_graded(np.array([[[0, 255, 100]]], np.uint8), t_in=8, none=15).tolist()
    [[15, 0, 0, 15, 4, 3]]
    """
    pixel = images.astype(np.int64)

    def grade(value: np.ndarray) -> np.ndarray:
        level = (value * t_in) >> 8
        return np.where(level > 0, t_in - 1 - level, none)

    return _two_lines(grade(pixel), grade(255 - pixel))


def intensity(images: np.ndarray, t_in: int, none: int) -> np.ndarray:
    """One line per pixel, earlier when brighter, relative to the image's largest pixel m.

    ``t_in - (pixel * t_in + m - 1) // m``; pixel 0 never spikes. Ref: the rTNN notebook.

    Examples
    --------
    >>> intensity(np.array([[[0, 1, 100, 200]]], np.uint8), t_in=8, none=15).tolist()
    [[15, 7, 4, 0]]
    """
    pixel = images.reshape(len(images), -1).astype(np.int64)
    largest = np.maximum(pixel.max(axis=1, keepdims=True, initial=0), 1)
    time = t_in - (pixel * t_in + largest - 1) // largest
    return np.where(pixel > 0, time, none)


def onoff(images: np.ndarray, t_in: int, none: int) -> np.ndarray:
    """Centre against surround: the first line spikes where a pixel is brighter than around it.

    Contrast is 8 times the pixel less its eight neighbours, the border pixels repeated outwards:
    -2040..2040. The first line takes contrasts of 255 or more, the second those of -255 or less,
    at ``t_in - 1 - ((|contrast| * t_in) >> 11)``.

    Examples
    --------
    >>> spot = np.zeros((1, 3, 3), np.uint8)
    >>> spot[0, 1, 1] = 255
    >>> onoff(spot, t_in=4, none=7).reshape(3, 3, 2)[:2].tolist()
    [[[7, 3], [7, 3], [7, 3]], [[7, 3], [0, 7], [7, 3]]]
    """
    rows, columns = images.shape[1:]
    padded = np.pad(images.astype(np.int64), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = sum(padded[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3))
    contrast = 9 * images.astype(np.int64) - around
    time = t_in - 1 - ((np.abs(contrast) * t_in) >> 11)
    on = np.where(contrast >= ON_OFF_LEAST, time, none)
    off = np.where(contrast <= -ON_OFF_LEAST, time, none)
    return _two_lines(on, off)


def poisson(
    images: np.ndarray, t_in: int, none: int, seed: int = lfsr.DEFAULT_SEED, first: int = 0
) -> np.ndarray:
    """One line per pixel that may spike in every step with probability pixel / 256.

    Only the first spike counts. Draws are 8 bits of the 16-bit generator in the order image, step,
    pixel.

    Parameters
    ----------
    images
        B x rows x columns, 8 bit.
    t_in
        Input steps.
    none
        The no-spike code.
    seed
        State of the generator before image 0.
    first
        Number of the first image given, so that blocks of a data set encode as the whole does.

    Examples
    --------
    >>> image = np.array([[[0, 64, 128, 255]]] * 2, np.uint8)
    >>> poisson(image, t_in=4, none=7).tolist()
    [[7, 0, 0, 0], [7, 0, 0, 0]]
    """
    pixel = images.reshape(len(images), -1)
    per_image = t_in * pixel.shape[1]
    sequence = _all_draws(seed)
    start = first * per_image
    order = np.arange(start, start + len(images) * per_image, dtype=np.int64) % len(sequence)
    drawn = sequence[order].reshape(len(images), t_in, -1)
    spikes = drawn < pixel[:, None, :]
    return np.where(spikes.any(axis=1), spikes.argmax(axis=1), none)


def encode(images: np.ndarray, config: Config, first: int = 0) -> np.ndarray:
    """Encode images for the input lines of a network.

    Parameters
    ----------
    images
        uint8, B x rows x columns, as `config.input.image` says.
    config
        A network with an ``[input]`` table.
    first
        Number of the first image within its data set (used by "poisson" only).

    Returns
    -------
    numpy.ndarray
        Spike times, B x `config.lines`.

    Raises
    ------
    BadInput
        The network takes no images, or images of another size.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> encode(np.zeros((5, 28, 28), np.uint8), presets.load("mnist-49")).shape
    (5, 1568)
    """
    if config.input is None:
        raise BadInput(f"config {config.name} must have an [input] table to take images")
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != config.input.image:
        rows, columns = config.input.image
        raise BadInput(
            f"images must be uint8, N x {rows} x {columns} (config {config.name}), "
            f"not {images.dtype} {' x '.join(map(str, images.shape))}"
        )
    column = config.column
    if config.input.encoder == "poisson":
        times = poisson(images, column.t_in, column.none, column.seed, first)
    else:
        times = _ENCODERS[config.input.encoder](images, column.t_in, column.none)
    return times.astype(column.times_dtype)


_ENCODERS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "posneg": posneg,
    "posneg-graded": posneg_graded,
    "intensity": intensity,
    "onoff": onoff,
}


def _two_lines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.stack([first, second], axis=-1).reshape(len(first), -1)


def _all_draws(seed: int) -> np.ndarray:
    """Low 8 bits of every draw of one period, from `seed` on."""
    return np.roll(orbit.values(8), -orbit.place_of(seed) - 1).astype(np.uint8)
