"""One training run: its two phases, and the checkpoint that it can go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from racewave.golden import archive, encoders, fast, network
from racewave.golden.config import Config
from racewave.golden.data import Dataset
from racewave.golden.errors import BadInput
from racewave.golden.model import Model, initial

__all__ = ["Job", "Progress", "checkpoint_path", "shift", "silent"]

BLOCK = 1_000  # waves between two looks at the stop limit
SAVE_EVERY = 5_000  # waves between two checkpoints of the columns
Progress = Callable[[str, int, int], None]


def checkpoint_path(out: str | Path) -> Path:
    """Where an interrupted run keeps its state.

    Examples
    --------
    >>> checkpoint_path("models/m.npz").name
    'm.npz.ckpt.npz'
    """
    return Path(f"{out}.ckpt.npz")


class Job:
    """State of one training run: the model so far, waves played, the fit of the read-out.

    Parameters
    ----------
    config
        What to train; its ``[train]`` table says how, and only what the data allow.
    dataset
        Labelled images.
    out
        Model file; the checkpoint lies beside it. None: write no checkpoint.
    progress
        Called with a stage, what is done of it and its whole.
    limit
        Waves after which to stop, or None.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        out: Path | None,
        progress: Progress,
        limit: int | None,
    ) -> None:
        self.config = config
        self.dataset = dataset
        self.progress = progress
        self.limit = limit
        self.model = initial(config)
        self.waves = 0
        self.fit: Any = None
        self.fit_arrays: dict[str, np.ndarray] = {}
        self.checkpoint = checkpoint_path(out) if out else Path()
        self.keeps = out is not None
        count = config.train.readout_images
        self.classes = config.readout.classes if config.readout else 0
        self.labelled = dataset.train_images[:count], dataset.train_labels[:count]

    def learn_columns(self) -> bool:
        """Show the columns their images; False if the stop limit came first."""
        config, train = self.config, self.config.train
        total = train.images * train.passes
        fields, saved = config.field_lines(), self.waves
        while self.waves < total:
            if self.limit is not None and self.waves >= self.limit:
                self.write()
                return False
            turn, at = divmod(self.waves, train.images)
            count = min(BLOCK, train.images - at)
            if self.limit is not None:
                count = min(count, self.limit - self.waves)
            shown = self._order(turn)[at : at + count]
            volleys = encoders.encode(self.dataset.train_images[shown], config, self.waves)
            _, weights, state = fast.run_layer(
                volleys, self.model.weights, fields, config.column, True, self.model.lfsr_state
            )
            self.model = replace(self.model, weights=weights, lfsr_state=state)
            self.waves += count
            if self.waves - saved >= SAVE_EVERY:
                self.write()
                saved = self.waves
            self.progress("columns", self.waves, total)
        return True

    def fit_readout(self, stage: str = "read-out") -> bool:
        """Fit the read-out to the winners; False if the stop limit came first."""
        config, train = self.config, self.config.train
        if config.readout is None:
            return True
        from racewave.golden.regression import WinnerFit, quantise

        images, labels = self.labelled
        self.fit = WinnerFit(config.outputs, self.classes, train)
        if self.fit_arrays:
            self.fit.restore(self.fit_arrays)
        slots = np.zeros(0, np.int32)
        while self.fit.epoch < train.epochs:
            played = self.waves + self.fit.epoch * len(labels)
            if self.limit is not None and played >= self.limit:
                self.write()
                return False
            if train.shifts or not slots.size:
                slots = self._features(shift(images, config, self.fit.epoch))
            self.fit.run_epoch(slots, labels)
            self.write()
            self.progress(stage, self.fit.epoch, train.epochs)
        if train.shifts or not slots.size:
            slots = self._features(images)
        table = quantise(self.fit.table, config.readout.bits, slots, labels)
        self.model = replace(self.model, readout=table)
        return True

    def write(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self.keeps:
            return
        arrays = {
            "run": np.array(_identity(self.config, self.dataset)),
            "waves": np.array(self.waves, np.int64),
            "weights": self.model.weights,
            "lfsr_state": np.array(self.model.lfsr_state, np.uint16),
        }
        archive.write(self.checkpoint, arrays | (self.fit.state() if self.fit else {}))

    def restore(self) -> None:
        """Go on from the checkpoint."""
        arrays = archive.read(self.checkpoint, "checkpoint")
        what = f"checkpoint file '{self.checkpoint}'"
        fit = {name: value for name, value in arrays.items() if name.startswith("fit_")}
        try:
            if str(arrays["run"]) != _identity(self.config, self.dataset):
                raise BadInput(f"{what} must be of the same config, data, seed and images")
            state = int(arrays["lfsr_state"])
            if not 1 <= state <= 65_535:
                raise BadInput(f"{what}: lfsr_state must be in 1..65535, not {state}")
            self.model = Model(self.config, arrays["weights"], None, state)
            self.waves = int(arrays["waves"])
            _check_fit(fit, self.config)
        except (KeyError, TypeError) as error:
            raise BadInput(f"{what} must be whole: {error} is missing or broken") from None
        self.fit_arrays = fit

    def _order(self, turn: int) -> np.ndarray:
        """Which images the columns see in a pass, and in which order."""
        train = self.config.train
        chosen = np.random.default_rng([train.seed, 0]).permutation(len(self.dataset.train_images))
        chosen = chosen[: train.images]
        return np.random.default_rng([train.seed, turn, 0]).permutation(chosen)

    def _features(self, images: np.ndarray) -> np.ndarray:
        """Rows that the winners select, for every image: int32, N x (C * k)."""
        column, blocks = self.config.column, []
        for start in range(0, len(images), network.BLOCK):
            part = images[start : start + network.BLOCK]
            volleys = encoders.encode(part, self.config, start)
            times = network.run(replace(self.model, readout=None), volleys).times
            blocks.append(fast.slots(times, column.q, column.k, column.none))
        return np.concatenate(blocks)


def shift(images: np.ndarray, config: Config, epoch: int) -> np.ndarray:
    """Move every image by up to `shifts` pixels in each direction, anew in every epoch."""
    reach = config.train.shifts
    if not reach:
        return images
    rng = np.random.default_rng([config.train.seed, epoch, 2])
    moves = rng.integers(0, 2 * reach + 1, (len(images), 2))
    rows, columns = images.shape[1:]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2))
    return windows[np.arange(len(images)), moves[:, 0], moves[:, 1]]


def _identity(config: Config, dataset: Dataset) -> str:
    """What a checkpoint belongs to."""
    digest = hashlib.sha256(dataset.train_images.tobytes())
    digest.update(dataset.train_labels.tobytes())
    what = {"config": config.to_dict(), "data": digest.hexdigest()}
    return json.dumps(what, sort_keys=True)


def _check_fit(arrays: dict[str, np.ndarray], config: Config) -> None:
    if not arrays:
        return
    classes = config.readout.classes if config.readout else 0
    for name in ("fit_weight", "fit_mean", "fit_square"):
        if arrays[name].dtype != np.float32 or arrays[name].shape != (config.outputs + 1, classes):
            raise TypeError(name)
    for name in ("fit_epoch", "fit_steps"):
        if arrays[name].dtype != np.int64 or arrays[name].shape != ():
            raise TypeError(name)


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""
