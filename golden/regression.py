"""Softmax regression in torch: fits the read-out, and the raw-pixel baseline beside it.

The gradient steps are Adam's with a rate that falls to zero along half a cosine; the weights may be
averaged over the last of them. One thread and seeded numpy order, so the same inputs give the same
weights, and a fit restored from its state goes on as if never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from racewave.golden.config import TrainConfig
from racewave.golden.errors import BadInput

__all__ = ["PixelFit", "WinnerFit", "quantise"]

CLIPS = (1.0, 0.8, 0.64, 0.5, 0.4, 0.3)  # largest weight kept, as a part of the largest there is
JUDGED = 10_000  # training images that choose among them


class _Fit:
    """Weights, Adam's moments and the loop over batches; a subclass says what a logit is."""

    def __init__(self, shape: tuple[int, int], train: TrainConfig) -> None:
        self._torch = _import_torch()
        self._train = train
        self.epoch = 0
        self._weight = self._torch.zeros(shape, requires_grad=True)
        self._mean = self._torch.zeros(shape)
        self._square = self._torch.zeros(shape)
        self._sum = self._torch.zeros(shape)  # of the weights after the last steps
        self._steps = self._summed = 0

    def _logits(self, features: np.ndarray) -> Any:
        raise NotImplementedError

    def run_epoch(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Show every example once, in an order drawn from the seed and the epoch."""
        train, torch = self._train, self._torch
        order = np.random.default_rng([train.seed, self.epoch, 1]).permutation(len(labels))
        batches = -(-len(labels) // train.batch)
        with _one_thread(torch):
            for n in range(batches):
                chosen = order[n * train.batch : (n + 1) * train.batch]
                done = (self.epoch + n / batches) / train.epochs
                target = torch.from_numpy(labels[chosen].astype(np.int64))
                logits = self._logits(features[chosen])
                torch.nn.functional.cross_entropy(logits, target).backward()
                self._descend(train.learning_rate * (1 + np.cos(np.pi * done)) / 2)
                if done >= 1 - train.average:
                    self._sum += self._weight.detach()
                    self._summed += 1
        self.epoch += 1

    def _descend(self, rate: float) -> None:
        """One step of Adam with decoupled decay. Ref: arXiv 1711.05101.

        Written out, because importing `torch.optim` takes longer than fitting the digits.
        """
        torch, weight, gradient = self._torch, self._weight, self._weight.grad
        self._steps += 1
        with torch.no_grad():
            self._mean.lerp_(gradient, 0.1)
            self._square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            size = (self._square / (1 - 0.999**self._steps)).sqrt_().add_(1e-8)
            weight.mul_(1 - rate * self._train.weight_decay)
            weight.addcdiv_(self._mean, size, value=-rate / (1 - 0.9**self._steps))
        self._weight.grad = None

    @property
    def weights(self) -> np.ndarray:
        """float32, features x classes."""
        weight = self._sum / self._summed if self._summed else self._weight.detach().clone()
        return weight.numpy()

    def state(self) -> dict[str, np.ndarray]:
        """Everything a checkpoint needs."""
        return {
            "fit_weight": self._weight.detach().numpy().copy(),
            "fit_mean": self._mean.numpy().copy(),
            "fit_square": self._square.numpy().copy(),
            "fit_sum": self._sum.numpy().copy(),
            "fit_summed": np.array(self._summed, np.int64),
            "fit_steps": np.array(self._steps, np.int64),
            "fit_epoch": np.array(self.epoch, np.int64),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `state()`."""
        torch = self._torch
        with torch.no_grad():
            self._weight.copy_(torch.from_numpy(arrays["fit_weight"]))
            self._mean.copy_(torch.from_numpy(arrays["fit_mean"]))
            self._square.copy_(torch.from_numpy(arrays["fit_square"]))
            self._sum.copy_(torch.from_numpy(arrays["fit_sum"]))
        self._steps, self._summed = int(arrays["fit_steps"]), int(arrays["fit_summed"])
        self.epoch = int(arrays["fit_epoch"])


class WinnerFit(_Fit):
    """Fit of the read-out: a logit is the sum of the rows that the winners select.

    Parameters
    ----------
    rows
        Rows of the table, columns * q.
    classes
        Classes.
    train
        Epochs, batch, rates, seed.
    """

    def __init__(self, rows: int, classes: int, train: TrainConfig) -> None:
        super().__init__((rows + 1, classes), train)  # the last row is "no winner": it stays 0
        self._rows = rows

    def _logits(self, features: np.ndarray) -> Any:
        torch = self._torch
        return torch.nn.functional.embedding_bag(
            torch.from_numpy(features), self._weight, mode="sum", padding_idx=self._rows
        )

    @property
    def table(self) -> np.ndarray:
        """float32, rows x classes."""
        return self.weights[: self._rows]


class PixelFit(_Fit):
    """Fit of the baseline without columns: a logit is a weighted sum of the pixels and a bias."""

    def __init__(self, pixels: int, classes: int, train: TrainConfig) -> None:
        super().__init__((pixels + 1, classes), train)

    def _logits(self, features: np.ndarray) -> Any:
        return self._torch.from_numpy(with_bias(features)) @ self._weight

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Classes of images: uint8, N."""
        return (with_bias(images) @ self.weights).argmax(axis=1).astype(np.uint8)


def with_bias(images: np.ndarray) -> np.ndarray:
    """Pixels as float32 in 0..1, and a one: N x (pixels + 1).

    Examples
    --------
    >>> with_bias(np.array([[[0, 255]]], np.uint8)).tolist()
    [[0.0, 1.0, 1.0]]
    """
    flat = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return np.concatenate([flat, np.ones((len(images), 1), np.float32)], axis=1)


def quantise(
    table: np.ndarray, bits: int, slots: np.ndarray | None = None, labels: np.ndarray | None = None
) -> np.ndarray:
    """Round a read-out to signed integers, one scale for the whole table.

    Rows lose their mean first: that adds the same to every class, so no decision changes. With
    `slots` and `labels` the scale that gives most right answers is chosen, the largest weights
    saturating.

    Parameters
    ----------
    table
        float32, rows x classes.
    bits
        Width of a weight; values are symmetric, ``-(2**(bits-1) - 1)..2**(bits-1) - 1``.
    slots, labels
        Training examples as `readout.slots` gives them, and their classes.

    Examples
    --------
    >>> quantise(np.array([[1.0, 3.0], [0.5, 0.5], [2.0, 1.0]], np.float32), bits=8).tolist()
    [[-127, 127], [0, 0], [64, -64]]
    """
    centred = table.astype(np.float64) - table.mean(axis=1, keepdims=True, dtype=np.float64)
    largest = np.abs(centred).max() or 1.0
    most = (1 << (bits - 1)) - 1

    def at(clip: float) -> np.ndarray:
        scaled = np.rint(centred * (most / (largest * clip)))
        return np.clip(scaled, -most, most).astype(np.int8)

    if slots is None or labels is None or not len(slots):
        return at(1.0)
    tables = [at(clip) for clip in CLIPS]
    right = [_count_right(rows, slots[:JUDGED], labels[:JUDGED]) for rows in tables]
    return tables[int(np.argmax(right))]


def _count_right(rows: np.ndarray, slots: np.ndarray, labels: np.ndarray) -> int:
    padded = np.concatenate([rows, np.zeros((1, rows.shape[1]), np.int8)])
    right = 0
    for start in range(0, len(slots), 500):
        part = slice(start, start + 500)
        sums = padded[slots[part]].sum(axis=1, dtype=np.int64)
        right += int((sums.argmax(axis=1) == labels[part]).sum())
    return right


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Sums of floats depend on how threads share them, so there is one; 2 cores gain little."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _import_torch() -> Any:
    try:
        import torch
    except ImportError:
        raise BadInput("torch must be installed to train: pip install 'racewave[train]'") from None
    return torch
