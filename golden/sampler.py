"""The loop of distorted images, compiled by numba; see `racewave.golden.augment`.

In a module of its own for the reason that `racewave.golden.kernels` gives.
"""

from __future__ import annotations

import numpy as np

from racewave.golden.kernels import jit

__all__ = ["sample"]


@jit
def sample(images, matrix, bend, gain, out):
    """Take every pixel of `out` from its place in the image, bilinearly; half rounds up."""
    count, rows, columns = images.shape
    one = np.float32(1)
    middle, centre = np.float32((rows - 1) / 2), np.float32((columns - 1) / 2)
    for n in range(count):
        a, b, c, d = matrix[n]
        for row in range(rows):
            for column in range(columns):
                dy, dx = np.float32(row) - middle, np.float32(column) - centre
                y = a * dy + b * dx + middle + bend[0, n, row, column]
                x = c * dy + d * dx + centre + bend[1, n, row, column]
                top, left = int(np.floor(y)), int(np.floor(x))
                lower, right = y - np.float32(top), x - np.float32(left)
                value = np.float32(0)
                for i in range(2):
                    for j in range(2):
                        if 0 <= top + i < rows and 0 <= left + j < columns:
                            part = (lower if i else one - lower) * (right if j else one - right)
                            value += part * np.float32(images[n, top + i, left + j])
                value = min(value * gain[n] + np.float32(0.5), np.float32(255))
                out[n, row, column] = np.uint8(value)
