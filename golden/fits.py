"""Training of read-outs, one class per kind: epoch by epoch, with a state for checkpoints.

The columns stay as they are. The linear read-out is fitted by gradient steps and rounded; the
perceptron and the dual voter learn image by image, as they do on chip; the tally counts whom each
neuron wins for.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from racewave.golden import augment, encoders, fast, kinds, network, tally
from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.golden.volleys import check_times

__all__ = ["Fit", "LinearFit", "OnlineFit", "TallyFit", "start"]


class Fit(Protocol):
    """What a training run does with a read-out.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and how many there are.
    """

    epoch: int
    epochs: int

    def run_epoch(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Show every image once: uint8, N x rows x columns, with N labels."""
        ...

    def table(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Make the table of the trained read-out; see `racewave.golden.kinds`."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything a checkpoint needs; names start with ``fit_``."""
        ...

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `state()`; TypeError names an array that does not fit."""
        ...


def start(model: Model) -> Fit:
    """Begin to train the read-out of a model whose columns have learnt."""
    assert model.config.readout is not None  # the caller has asked
    fits = {"linear": LinearFit, "tally": TallyFit}
    if model.config.readout.learns:
        return OnlineFit(model)
    return fits[model.config.readout.kind](model)


class LinearFit:
    """Softmax regression on the winners, rounded to integers. Needs torch."""

    def __init__(self, model: Model) -> None:
        from racewave.golden.regression import WinnerFit

        assert model.config.readout is not None
        self._model, self._config = model, model.config
        self._classes, self._bits = model.config.readout.classes, model.config.readout.bits
        self._fit = WinnerFit(model.config.outputs, self._classes, model.config.train)
        self._slots = np.zeros(0, np.int32)
        self.epochs = model.config.train.epochs

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self._fit.epoch

    def run_epoch(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Show every image once."""
        train = self._config.train
        if train.distorts or not self._slots.size:
            self._slots = self._winners(augment.distort(images, train, self.epoch))
        self._fit.run_epoch(self._slots, labels)

    def table(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Round the weights: int8, outputs x classes."""
        from racewave.golden.regression import quantise

        if self._config.train.distorts or not self._slots.size:
            self._slots = self._winners(images)
        return quantise(self._fit.table, self._bits, self._slots, labels)

    def state(self) -> dict[str, np.ndarray]:
        """Weights, moments and counters of the regression."""
        return self._fit.state()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `state()`."""
        shape = (self._config.outputs + 1, self._classes)
        for name in ("fit_weight", "fit_mean", "fit_square", "fit_sum"):
            _expect(arrays, name, np.float32, shape)
        for name in ("fit_epoch", "fit_steps", "fit_summed"):
            _expect(arrays, name, np.int64, ())
        self._fit.restore(arrays)

    def _winners(self, images: np.ndarray) -> np.ndarray:
        """Rows that the winners of each image select: int32, N x winners."""
        blocks = []
        for first in range(0, len(images), network.BLOCK):
            times = _times(self._model, images[first : first + network.BLOCK], first)
            blocks.append(slots(times, self._config))
        return np.concatenate(blocks)


class OnlineFit:
    """The perceptron and the dual voter learn image by image, in a new order in every epoch."""

    def __init__(self, model: Model) -> None:
        self._model, self._config = model, model.config
        table = kinds.blank(model.config)
        assert table is not None  # the read-out learns
        self._table = table
        self.epoch, self.epochs = 0, model.config.train.epochs

    def run_epoch(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Show every image once."""
        images = augment.distort(images, self._config.train, self.epoch)
        seed = [self._config.train.seed, self.epoch, 1]
        order = np.random.default_rng(seed).permutation(len(images))
        for first in range(0, len(images), network.BLOCK):
            shown = order[first : first + network.BLOCK]
            times = _times(self._model, images[shown], first)
            known = labels[shown].astype(np.int64)
            _, self._table = kinds.play(times, self._table, self._config, known)
        self.epoch += 1

    def table(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Weights or counters as they are now."""
        return self._table

    def state(self) -> dict[str, np.ndarray]:
        """Weights or counters, and epochs."""
        return {"fit_table": self._table, "fit_epoch": np.array(self.epoch, np.int64)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `state()`."""
        _expect(arrays, "fit_table", self._table.dtype, self._table.shape)
        _expect(arrays, "fit_epoch", np.int64, ())
        self._table = kinds.check(arrays["fit_table"], self._config)
        self.epoch = int(arrays["fit_epoch"])


class TallyFit:
    """Counts labels of winners. Undistorted, every epoch would count the same: there is one."""

    def __init__(self, model: Model) -> None:
        assert model.config.readout is not None
        self._model, self._config = model, model.config
        self._classes = model.config.readout.classes
        self._counts = np.zeros((model.config.outputs, self._classes), np.int64)
        train = model.config.train
        self.epoch, self.epochs = 0, train.epochs if train.distorts else 1

    def run_epoch(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Show every image once."""
        images = augment.distort(images, self._config.train, self.epoch)
        none = self._config.finals[0].column.none
        for first in range(0, len(images), network.BLOCK):
            part = slice(first, first + network.BLOCK)
            times = _times(self._model, images[part], first)
            self._counts += tally.count(times, labels[part], self._classes, none)
        self.epoch += 1

    def table(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Labels of the neurons: uint8, outputs."""
        return tally.labels(self._counts)

    def state(self) -> dict[str, np.ndarray]:
        """Counts and epochs."""
        return {"fit_counts": self._counts, "fit_epoch": np.array(self.epoch, np.int64)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from `state()`."""
        _expect(arrays, "fit_counts", np.int64, self._counts.shape)
        _expect(arrays, "fit_epoch", np.int64, ())
        self._counts, self.epoch = arrays["fit_counts"].copy(), int(arrays["fit_epoch"])


def slots(times: np.ndarray, config: Config) -> np.ndarray:
    """List the rows that the winners of all final layers select.

    Returns
    -------
    numpy.ndarray
        int32, waves x winners; `config.outputs`, one past the last row, where one is missing.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> times = np.full((1, 48), 7)
    >>> times[0, [3, 47]] = 4
    >>> slots(times, presets.load("digits")).tolist()
    [[3, 48, 48, 47]]
    """
    parts, first = [], 0
    for stage in config.finals:
        q, column = stage.column.q, stage.column
        rows = fast.slots(times[:, first : first + stage.outputs], q, column.k, column.none)
        parts.append(np.where(rows == stage.outputs, config.outputs, rows + first))
        first += stage.outputs
    return np.concatenate(parts, axis=1).astype(np.int32, copy=False)


def _times(model: Model, images: np.ndarray, first: int) -> np.ndarray:
    volleys = check_times(encoders.encode(images, model.config, first), model.config)
    return network.play(model, volleys)[0]


def _expect(arrays: dict[str, np.ndarray], name: str, kind: Any, shape: tuple[int, ...]) -> None:
    if arrays[name].dtype != kind or arrays[name].shape != shape:
        raise TypeError(name)
