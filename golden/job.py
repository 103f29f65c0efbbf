"""One training run: its two phases, and the checkpoint that it can go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from racewave.golden import archive, encoders, fits, network, weights
from racewave.golden.config import Config
from racewave.golden.data import Dataset
from racewave.golden.errors import BadInput
from racewave.golden.fits import Fit
from racewave.golden.model import Model, initial, states_in
from racewave.golden.volleys import check_times

__all__ = ["Job", "Progress", "checkpoint_path", "silent"]

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
        self.fit: Fit | None = None
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
        saved = self.waves
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
            volleys = check_times(volleys, config)
            learner = replace(self.model, config=_learner(config))
            _, layers, states = network.play(
                learner, volleys, learn=True, states=self.model.lfsr_states
            )
            self.model = replace(self.model, layers=layers, lfsr_states=states)
            self.waves += count
            if self.waves - saved >= SAVE_EVERY:
                self.write()
                saved = self.waves
            self.progress("columns", self.waves, total)
        return True

    def fit_readout(self, stage: str = "read-out") -> bool:
        """Train the read-out with labels; False if the stop limit came first."""
        if self.config.readout is None:
            return True
        images, labels = self.labelled
        self.fit = fit = fits.start(self.model)
        if self.fit_arrays:
            fit.restore(self.fit_arrays)
        while fit.epoch < fit.epochs:
            played = self.waves + fit.epoch * len(labels)
            if self.limit is not None and played >= self.limit:
                self.write()
                return False
            fit.run_epoch(images, labels)
            self.write()
            self.progress(stage, fit.epoch, fit.epochs)
        self.model = replace(self.model, readout=fit.table(images, labels))
        return True

    def write(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self.keeps:
            return
        arrays = {
            "run": np.array(_identity(self.config, self.dataset)),
            "waves": np.array(self.waves, np.int64),
            **weights.to_arrays(self.model.layers, lone=False),
            "lfsr_state": np.array(self.model.lfsr_states, np.uint16),
        }
        if len(self.model.layers) == 1:
            arrays["lfsr_state"] = arrays["lfsr_state"][0]
        archive.write(self.checkpoint, arrays | (self.fit.state() if self.fit else {}))

    def restore(self) -> None:
        """Go on from the checkpoint."""
        arrays = archive.read(self.checkpoint, "checkpoint")
        what = f"checkpoint file '{self.checkpoint}'"
        fit = {name: value for name, value in arrays.items() if name.startswith("fit_")}
        try:
            if str(arrays["run"]) != _identity(self.config, self.dataset):
                raise BadInput(f"{what} must be of the same config, data, seed and images")
            layers = weights.from_arrays(arrays, self.config)
            if layers is None:
                raise KeyError(weights.names(self.config)[0])
            states = states_in({"lfsr_state": arrays["lfsr_state"]}, self.config)
            self.model = Model(self.config, layers, self.model.readout, states)
            self.waves = int(arrays["waves"])
            if fit and self.config.readout is not None:
                fits.start(self.model).restore(fit)
        except (KeyError, TypeError) as error:
            raise BadInput(f"{what} must be whole: {error} is missing or broken") from None
        self.fit_arrays = fit

    def _order(self, turn: int) -> np.ndarray:
        """Which images the columns see in a pass, and in which order."""
        train = self.config.train
        chosen = np.random.default_rng([train.seed, 0]).permutation(len(self.dataset.train_images))
        chosen = chosen[: train.images]
        return np.random.default_rng([train.seed, turn, 0]).permutation(chosen)


def _learner(config: Config) -> Config:
    """The config while columns learn: with `train.winners` as k of every layer."""
    if config.train.winners is None:
        return config
    k = {"k": config.train.winners}
    layers = [
        layer.model_copy(update={"column": layer.column and layer.column.model_copy(update=k)})
        for layer in config.layer
    ]
    column = config.column.model_copy(update=k)
    return config.model_copy(update={"column": column, "layer": tuple(layers)})


def _identity(config: Config, dataset: Dataset) -> str:
    """What a checkpoint belongs to."""
    digest = hashlib.sha256(dataset.train_images.tobytes())
    digest.update(dataset.train_labels.tobytes())
    what = {"config": config.to_dict(), "data": digest.hexdigest()}
    return json.dumps(what, sort_keys=True)


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""
