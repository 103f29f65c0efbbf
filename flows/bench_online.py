"""Speed of on-line training: every wave changes the weights that the next one meets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from racewave.flows.bench_rows import clock, row
from racewave.flows.console import Console
from racewave.golden import data, encoders, fast, layer, presets
from racewave.golden.config import ColumnConfig

__all__ = ["online"]

IMAGES = 2_000
FEW = 3  # images for the baselines
ROUNDS = 3  # the fastest counts: the machine does other work, too

Play = Callable[[np.ndarray], object]
Played = tuple[np.ndarray, np.ndarray, int]
Run = Callable[..., Played]


def online(data_dir: str | None, show: Console) -> list[dict[str, Any]]:
    """Images per second of the row-wise network, from pixels to weights, against other forms.

    An image is 28 waves, one per row of pixels, on the column of `rtnn-v8`: 100 neurons, step
    response, ten winners, STDP after each wave. The seed draws for each synapse.
    """
    images = data.load("mnist", data_dir).train_images[:IMAGES]
    rows = []
    for randomness in ("synapse", "layer"):
        column = presets.load("rtnn-v8").column.model_copy(update={"randomness": randomness})
        show.say(f"speed of on-line training, draws per {randomness}")
        weights = _teach(images, column)
        baselines: dict[str, Play] = {"reference form": partial(_learn, layer.run, column, weights)}
        if randomness == "synapse" and (theirs := _bindsnet(column)) is not None:
            baselines["BindsNET, DiehlAndCook2015"] = theirs
        ours = _rate(partial(_learn, fast.run_layer, column, weights), images)
        for title, play in baselines.items():
            other = _rate(play, images[:FEW])
            for unit, per_image in (("images/s", 1), ("waves/s", images.shape[1])):
                what = f"train on-line, rows as waves, 28 x {column.q}, draws per {randomness}"
                found, beside = round(ours * per_image), round(other * per_image, 2)
                rows.append(row(what, found, unit, title, beside, ours / other))
    return rows


def _rate(play: Play, images: np.ndarray) -> float:
    """Images per second."""
    return len(images) / min(clock(partial(play, images)) for _ in range(ROUNDS))


def _volleys(images: np.ndarray, column: ColumnConfig) -> np.ndarray:
    """A volley per row of pixels; times are relative to the image's largest pixel."""
    times = encoders.intensity(images, column.t_in, column.none)
    return times.reshape(-1, column.p).astype(column.times_dtype)


def _teach(images: np.ndarray, column: ColumnConfig) -> np.ndarray:
    """Weights that have learned: at first no neuron fires, and such waves are quickly played."""
    rng = np.random.default_rng(column.seed)
    low, high = column.initial_range
    weights = rng.integers(low, high, (1, column.q, column.p), np.uint8, endpoint=True)
    return _learn(fast.run_layer, column, weights, images)[1]


def _learn(run: Run, column: ColumnConfig, weights: np.ndarray, images: np.ndarray) -> Played:
    """Images to volleys, and a wave that learns for each."""
    return run(_volleys(images, column), weights, np.arange(column.p)[None], column, True)


def _bindsnet(column: ColumnConfig) -> Play | None:
    """BindsNET's column of the same size on the same spikes, a run per row; None without it.

    No extra of this project installs BindsNET: it asks for another version of torch.
    """
    try:
        import bindsnet.models  # pyright: ignore[reportMissingImports]
        import torch
    except ImportError:
        return None
    network = bindsnet.models.DiehlAndCook2015(n_inpt=column.p, n_neurons=column.q)

    def play(images: np.ndarray) -> None:
        steps = np.arange(column.t_in)[:, None]
        for volley in _volleys(images, column):
            spikes = torch.from_numpy((volley[None] == steps).astype(np.uint8))
            network.run(inputs={"X": spikes[:, None]}, time=column.t_in)
            network.reset_state_variables()

    return play
