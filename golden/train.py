"""Train a network: its columns by STDP without labels, then its read-out with labels.

Only the read-out needs torch. A run writes checkpoints beside the model file; resumed at any of
them it ends in the same bytes as a run that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from racewave.golden import archive, data, encoders, fast, network
from racewave.golden.config import Config
from racewave.golden.data import Dataset
from racewave.golden.errors import BadInput
from racewave.golden.model import Model, initial, save

__all__ = ["TrainReport", "baselines", "checkpoint_path", "train"]

BLOCK = 1_000  # waves between two looks at the stop limit
SAVE_EVERY = 5_000  # waves between two checkpoints of the columns
PIXEL_STEPS = 5_000  # of the raw-pixel fit; twice as many change little
PIXEL_RATE = 0.005
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainReport:
    """What a training run did.

    Parameters
    ----------
    config, data, seed
        What was trained on what.
    finished
        False if a stop limit came first; a checkpoint is there then, and no model.
    column_waves, readout_images, epochs
        What was shown.
    accuracy, train_accuracy
        Per cent of the test and of the training images, integer inference of the whole network;
        None without a read-out.
    correct, tested
        The counts behind `accuracy`.
    baselines
        Per cent of "random weights" and "raw pixels" on the same test images.
    column_seconds, readout_seconds
        Time this run took.
    model
        Path of the model file.
    """

    config: str
    data: str
    seed: int
    finished: bool
    column_waves: int
    readout_images: int
    epochs: int
    accuracy: float | None = None
    train_accuracy: float | None = None
    correct: int | None = None
    tested: int | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    column_seconds: float = 0.0
    readout_seconds: float = 0.0
    model: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)


def train(
    config: Config,
    dataset: Dataset,
    out: str | Path,
    seed: int | None = None,
    resume: bool = False,
    images: int | None = None,
    progress: Progress | None = None,
    stop_after_waves: int | None = None,
    compare: bool = True,
) -> TrainReport:
    """Train a network and write its model file.

    Parameters
    ----------
    config
        A network with an ``[input]`` table; its ``[train]`` table says how.
    dataset
        Labelled images of the network's size.
    out
        Model file.
    seed
        Instead of `config.train.seed`.
    resume
        Go on from the checkpoint of an interrupted run with the same config, data, seed and images.
    images
        At most this many training images, for the columns and for the read-out.
    progress
        Called with the stage ("columns", "read-out", ...), what is done of it and its whole.
    stop_after_waves
        Stop with a checkpoint once this many waves were played since training began: first the
        columns' waves, then the read-out's images (whole epochs).
    compare
        Measure the baselines, too.

    Raises
    ------
    BadInput
        Network, data or checkpoint do not fit each other.
    """
    config = _settle(config, dataset, seed, images)
    if stop_after_waves is not None and stop_after_waves < 0:
        raise BadInput(f"stop_after_waves must be 0 or more, not {stop_after_waves}")
    job = _Job(config, dataset, Path(out), progress or _silent, stop_after_waves)
    if resume:
        job.restore()
    start = time.perf_counter()
    finished = job.learn_columns()
    middle = time.perf_counter()
    finished = finished and job.fit_readout()
    report = TrainReport(
        config=config.name,
        data=dataset.name,
        seed=config.train.seed,
        finished=finished,
        column_waves=job.waves,
        readout_images=config.train.readout_images if config.readout else 0,
        epochs=job.fit.epoch if job.fit else 0,
        column_seconds=round(middle - start, 3),
        readout_seconds=round(time.perf_counter() - middle, 3),
    )
    if not finished:
        return report
    save(out, job.model)
    job.checkpoint.unlink(missing_ok=True)
    report = replace(report, model=str(out))
    if config.readout is None:
        return report
    correct = _count(job.model, dataset.test_images, dataset.test_labels)
    seen = _count(job.model, *job.labelled)
    return replace(
        report,
        accuracy=_per_cent(correct, len(dataset.test_labels)),
        train_accuracy=_per_cent(seen, len(job.labelled[1])),
        correct=correct,
        tested=len(dataset.test_labels),
        baselines=baselines(config, dataset, progress) if compare else {},
    )


def baselines(
    config: Config, dataset: Dataset, progress: Progress | None = None
) -> dict[str, float]:
    """Measure what the columns add: the same network with random weights, and no network at all.

    Both get the images and the seed of the network's own read-out, the random weights also its
    epochs and shifts; raw pixels do best unshifted and with steps of their own.

    Returns
    -------
    dict
        Per cent of the test images: "random weights", "raw pixels".
    """
    from racewave.golden.regression import PixelFit

    if config.readout is None:
        raise BadInput(f"config {config.name} must have a [readout] table to be compared")
    config = _settle(config, dataset, None, None)
    column = config.column
    rng = np.random.default_rng([config.train.seed, 3])
    shape = (config.columns, column.q, column.p)
    job = _Job(config, dataset, None, progress or _silent, None)
    job.model = Model(config, rng.integers(0, column.w_max, shape, np.uint8, endpoint=True))
    job.fit_readout("random weights")
    random = _count(job.model, dataset.test_images, dataset.test_labels)

    shown, labels = job.labelled
    own = {"epochs": -(-PIXEL_STEPS * config.train.batch // len(labels)), "weight_decay": 0.0}
    settings = config.train.model_copy(update=own | {"learning_rate": PIXEL_RATE})
    fit = PixelFit(shown[0].size, job.classes, settings)
    for epoch in range(settings.epochs):
        fit.run_epoch(shown, labels)
        job.progress("raw pixels", epoch + 1, settings.epochs)
    raw = int((fit.classify(dataset.test_images) == dataset.test_labels).sum())
    tested = len(dataset.test_labels)
    return {"random weights": _per_cent(random, tested), "raw pixels": _per_cent(raw, tested)}


def checkpoint_path(out: str | Path) -> Path:
    """Where an interrupted run keeps its state.

    Examples
    --------
    >>> checkpoint_path("models/m.npz").name
    'm.npz.ckpt.npz'
    """
    return Path(f"{out}.ckpt.npz")


class _Job:
    """State of one training run: the model so far, waves played, the fit of the read-out."""

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
                slots = self._features(_shift(images, config, self.fit.epoch))
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


def _settle(config: Config, dataset: Dataset, seed: int | None, images: int | None) -> Config:
    """Write what this run really does into the config, so that a model file repeats it."""
    data.check(dataset, config)
    if images is not None and images < 1:
        raise BadInput(f"images must be 1 or more, not {images}")
    most = min(len(dataset.train_labels), images or len(dataset.train_labels))
    train = config.train
    changes = {
        "seed": train.seed if seed is None else seed,
        "images": min(train.images, most),
        "readout_images": min(train.readout_images, most),
    }
    if changes["seed"] < 0:
        raise BadInput(f"seed must be 0 or more, not {seed}")
    return config.model_copy(update={"train": train.model_copy(update=changes)})


def _shift(images: np.ndarray, config: Config, epoch: int) -> np.ndarray:
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


def _count(model: Model, images: np.ndarray, labels: np.ndarray) -> int:
    return int((network.classify(model, images) == labels).sum())


def _per_cent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _silent(stage: str, done: int, total: int) -> None:
    pass
