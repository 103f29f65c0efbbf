"""Train a network: its columns by STDP without labels, then its read-out with labels.

Only the read-out needs torch. A run writes checkpoints beside the model file; resumed at any of
them it ends in the same bytes as a run that was never interrupted.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from racewave.golden import data, network, weights
from racewave.golden.config import Config
from racewave.golden.data import Dataset
from racewave.golden.errors import BadInput
from racewave.golden.job import Job, Progress, silent
from racewave.golden.model import Model, save

__all__ = ["TrainReport", "baselines", "train"]

RANDOM_IMAGES = 1_200_000  # labelled images shown to random weights: 20 epochs of 60,000
PIXEL_STEPS = 5_000  # of the raw-pixel fit; twice as many change little
PIXEL_RATE = 0.005


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
    random_epochs
        Epochs of the read-out on random weights: `epochs`, or fewer where those take long.
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
    random_epochs: int | None = None
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
    job = Job(config, dataset, Path(out), progress or silent, stop_after_waves)
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
        random_epochs=_random_epochs(config) if compare else None,
    )


def baselines(
    config: Config, dataset: Dataset, progress: Progress | None = None
) -> dict[str, float]:
    """Measure what the columns add: the same network with random weights, and no network at all.

    Both get the images and the seed of the network's own read-out, the random weights also its
    distortions and its epochs, as far as those show them `RANDOM_IMAGES` images; raw pixels do best
    undistorted and with steps of their own.

    Returns
    -------
    dict
        Per cent of the test images: "random weights", "raw pixels".
    """
    from racewave.golden.regression import PixelFit

    if config.readout is None:
        raise BadInput(f"config {config.name} must have a [readout] table to be compared")
    config = _settle(config, dataset, None, None)
    train = config.train.model_copy(update={"epochs": _random_epochs(config)})
    config = config.model_copy(update={"train": train})
    job = Job(config, dataset, None, progress or silent, None)
    job.model = Model(config, weights.draw(config, [config.train.seed, 3], low=0))
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


def _random_epochs(config: Config) -> int:
    return min(config.train.epochs, max(1, RANDOM_IMAGES // config.train.readout_images))


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


def _count(model: Model, images: np.ndarray, labels: np.ndarray) -> int:
    return int((network.classify(model, images) == labels).sum())


def _per_cent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
