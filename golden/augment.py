"""Random distortions of images, so that a read-out does not learn its training set by heart.

Every image is turned, scaled, sheared and moved (an affine map about the centre), bent (a smooth
field of displacements: cubic B-splines on a coarse grid) and made brighter or darker, then sampled
bilinearly. Nothing of it is on chip: only the training of read-outs sees such images. Ref: Simard,
Steinkraus & Platt, "Best Practices for Convolutional Neural Networks" (2003).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from racewave.golden import fast, sampler
from racewave.golden.config import TrainConfig

__all__ = ["distort"]

BLOCK = 1_000  # images that share a generator: results depend on it, and on no number of threads
CELLS = 4  # of the grid along a side of the image


def distort(images: np.ndarray, train: TrainConfig, epoch: int) -> np.ndarray:
    """Distort every image in its own way, anew in every epoch.

    Parameters
    ----------
    images
        uint8, N x rows x columns.
    train
        How far: `shifts`, `rotate`, `scale`, `shear`, `bend`, `gain`; and the seed.
    epoch
        Number of the epoch; the same seed and epoch give the same images.

    Returns
    -------
    numpy.ndarray
        uint8, shaped as `images`; outside of an image all is 0. `images` itself if `train`
        distorts nothing.

    Examples
    --------
    >>> image = np.zeros((1, 4, 4), np.uint8)
    >>> image[0, 1, 1] = 200
    >>> distort(image, TrainConfig(gain=0.2), epoch=0)[0, 1].tolist()
    [0, 184, 0, 0]
    """
    if not train.distorts:
        return images
    out = np.empty_like(images)

    def work(first: int) -> None:
        part = slice(first, first + BLOCK)
        maps = _draw(len(images[part]), images.shape[1:], train, [train.seed, epoch, 2, first])
        sampler.sample(images[part], *maps, out[part])

    with ThreadPoolExecutor(fast.threads()) as pool:
        for _ in pool.map(work, range(0, len(images), BLOCK)):
            pass
    return out


def _draw(
    count: int, sides: tuple[int, ...], train: TrainConfig, seed: list[int]
) -> tuple[np.ndarray, ...]:
    """Draw matrix (N x 4), bend (2 x N x rows x columns) and gain (N) of each image: float32.

    `bend` says where a pixel is taken from beside the place that the matrix gives; it contains
    the move of the whole image.
    """
    rng = np.random.default_rng(seed)
    turn = np.deg2rad(rng.uniform(-train.rotate, train.rotate, count))
    tall, wide = 1 + rng.uniform(-train.scale, train.scale, (2, count))
    skew = rng.uniform(-train.shear, train.shear, count)
    cos, sin = np.cos(turn), np.sin(turn)
    # Rotation x (scale and shear).
    matrix = [
        cos * tall,
        cos * tall * skew - sin * wide,
        sin * tall,
        sin * tall * skew + cos * wide,
    ]
    move = rng.uniform(-train.shifts, train.shifts, (2, count, 1, 1)).astype(np.float32)
    down, across = (_splines(side) for side in sides)
    shape = (2, count, down.shape[1], across.shape[1])
    nodes = rng.normal(0, train.bend, shape).astype(np.float32)
    gain = 1 + rng.uniform(-train.gain, train.gain, count)
    bend = down @ nodes @ across.T + move
    return np.stack(matrix, axis=1).astype(np.float32), bend, gain.astype(np.float32)


def _splines(side: int) -> np.ndarray:
    """Uniform cubic B-splines at the pixels of a side: float32, side x nodes; rows sum to 1."""
    at = (np.arange(side) + 0.5) * CELLS / side
    distance = np.abs(at[:, None] - np.arange(-1, CELLS + 2))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance) ** 3 / 6
    rows = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return rows.astype(np.float32)
