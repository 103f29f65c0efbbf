"""Accuracy over seeds and speed of the golden model."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from racewave.flows.bench_rows import clock, row
from racewave.flows.console import Console
from racewave.golden import accuracy as accuracies
from racewave.golden import data, encoders, model, network, presets
from racewave.golden.data import Dataset
from racewave.golden.network import Result

__all__ = ["accuracy", "speed"]

SEEDS = [0, 1, 2]
NETWORKS = {"digits": "digits", "mnist-49": "mnist", "mnist-169": "mnist", "mnist-625": "mnist"}
IMAGES = 10_000
FEW = 200  # images for the reference form
TAUGHT = 2_000  # images that columns learn from before inference is timed
ROUNDS = 3  # the fastest counts: the machine does other work, too


def accuracy(
    data_dir: str | None, show: Console, networks: Iterable[str] = tuple(NETWORKS)
) -> list[dict[str, Any]]:
    """Per cent of all test images, integer inference, against random weights and raw pixels."""
    sets: dict[str, Dataset] = {}
    rows = []
    for name in networks:
        source = NETWORKS[name]
        if source not in sets:
            sets[source] = data.load(source, data_dir)
        show.say(f"accuracy of {name}, seeds {SEEDS}")
        found = accuracies.measure(presets.load(name), sets[source], SEEDS, progress=show.progress)
        own = found["accuracy"]
        for key, title in (("random_weights", "random weights"), ("raw_pixels", "raw pixels")):
            other = found[key]["mean"]
            title += f" (spread {found[key]['spread']})"
            # Times fewer errors than the baseline makes.
            fewer = (100 - other) / (100 - own["mean"]) if own["mean"] < 100 else None
            what = f"accuracy {name} (spread {own['spread']})"
            rows.append(row(what, own["mean"], "%", title, other, fewer, SEEDS))
    return rows


def speed(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """Training of mnist-625's columns and inference of mnist-169, against the reference form."""
    images = data.load("mnist", data_dir).train_images[:IMAGES]
    rows = []
    for name, learn in (("mnist-625", True), ("mnist-169", False)):
        start = model.initial(presets.load(name))
        show.say(f"speed of {name}, {'learning' if learn else 'inference'}")
        taught = _play(start, images[:TAUGHT], True, "fast")  # compiles, too
        if not learn:  # neurons that have learned fire, as they do in use
            start = start.with_weights(taught.weights)
            _play(start, images[:TAUGHT], False, "fast")
        took = min(clock(partial(_play, start, images, learn, "fast")) for _ in range(ROUNDS))
        few = max(1, FEW * 169 // start.config.columns // 10)
        slow = clock(partial(_play, start, images[:few], learn, "reference"))
        reference = slow / few * len(images)
        if learn:
            what = f"train columns of {name} on {len(images):,} images"
            rows.append(row(what, round(took, 2), "s", "reference form", round(reference, 1),
                            reference / took))  # fmt: skip
        else:
            what = f"inference of {name}, encoding included"
            rows.append(row(what, round(len(images) / took), "images/s", "reference form",
                            round(len(images) / reference), reference / took))  # fmt: skip
    return rows


def _play(start: model.Model, images: np.ndarray, learn: bool, form: network.Form) -> Result:
    """From images to winners."""
    return network.run(start, encoders.encode(images, start.config), learn, form=form)
