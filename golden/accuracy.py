"""Accuracy over seeds, with the baselines beside it: what a published figure needs."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from racewave.golden.config import Config
from racewave.golden.data import Dataset
from racewave.golden.errors import BadInput
from racewave.golden.job import Progress
from racewave.golden.train import TrainReport, train

__all__ = ["measure", "summarise"]


def measure(
    config: Config,
    dataset: Dataset,
    seeds: Iterable[int] = (0, 1, 2),
    images: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a network once per seed and test it on every test image.

    Parameters
    ----------
    config
        A network with a read-out.
    dataset
        Labelled images of the network's size.
    seeds
        One training run each; a seed decides the order of images and the baselines' weights.
    images
        At most this many training images.
    progress
        As for `train.train`.

    Returns
    -------
    dict
        Plain data, as `summarise` makes it.

    Raises
    ------
    BadInput
        No seed, or a network without a read-out.
    """
    if config.readout is None:
        raise BadInput(f"config {config.name} must have a [readout] table to be measured")
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out = Path(folder) / f"{seed}.npz"
            reports.append(train(config, dataset, out, seed, images=images, progress=progress))
    return summarise(config, reports)


def summarise(config: Config, reports: list[TrainReport]) -> dict[str, Any]:
    """Put the reports of several seeds into one row.

    Returns
    -------
    dict
        `preset`, `data`, `columns`, `synapses`, `tested`, `seeds`; `accuracy`, `train_accuracy`,
        `random_weights`, `raw_pixels`: per cent with `mean`, `spread` (largest less smallest) and
        `each`; `column_seconds`: the mean over the seeds.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> both = {"random weights": 80.0, "raw pixels": 91.0}
    >>> reports = [
    ...     TrainReport("mnist-49", "mnist", s, True, 9, 9, 1, 91.0 + s, 92.0, 1, 1, both)
    ...     for s in (0, 1)
    ... ]
    >>> summarise(presets.load("mnist-49"), reports)["accuracy"]
    {'mean': 91.5, 'spread': 1.0, 'each': [91.0, 92.0]}
    """
    if not reports:
        raise BadInput("seeds must be at least one, not none")

    def row(values: list[Any]) -> dict[str, Any]:
        spread = round(max(values) - min(values), 2)
        return {"mean": round(statistics.mean(values), 2), "spread": spread, "each": values}

    return {
        "preset": config.name,
        "data": reports[0].data,
        "columns": config.columns,
        "synapses": config.synapses,
        "tested": reports[0].tested,
        "seeds": [report.seed for report in reports],
        "accuracy": row([report.accuracy for report in reports]),
        "train_accuracy": row([report.train_accuracy for report in reports]),
        "random_weights": row([report.baselines["random weights"] for report in reports]),
        "raw_pixels": row([report.baselines["raw pixels"] for report in reports]),
        "column_seconds": round(statistics.mean(r.column_seconds for r in reports), 3),
    }
