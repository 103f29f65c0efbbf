"""What an experiment plays: a model, and volleys from a file, from images or drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from racewave.flows import engines
from racewave.flows.options import Shown
from racewave.golden import config as configs
from racewave.golden import data, encoders, model, presets, volleys
from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.model import Model

__all__ = [
    "Experiment",
    "open_config",
    "open_data",
    "open_experiment",
    "open_model",
    "open_sample",
    "open_shown",
]

DATA = {(8, 8): "digits", (28, 28): "mnist"}  # what images of a size most likely are


@dataclass(frozen=True)
class Experiment:
    """A model and what it is shown.

    Parameters
    ----------
    model
        With the weights to start from.
    times
        Waves x lines.
    labels
        One per wave, or None.
    source
        Where the volleys come from, for people.
    """

    model: Model
    times: np.ndarray
    labels: np.ndarray | None
    source: str


def open_model(name: str, seed: int | None = None, clock_mhz: float | None = None) -> Model:
    """A model file, or the untrained model of a config file or preset, its engines chosen.

    Parameters
    ----------
    name
        Path of an ``.npz`` or ``.toml`` file, or a preset.
    seed
        Of the initial weights, if the config leaves them to chance.
    clock_mhz
        Clock that `target_fps` reckons with, if not the config's; see `engines.pick`.
    """
    if Path(name).suffix == ".npz":
        found = model.load(name)
        picked = engines.pick(found.config, clock_mhz)
        return found if picked is found.config else replace(found, config=picked)
    return model.initial(engines.pick(configs.load(name), clock_mhz), seed)


def open_config(name: str) -> Config:
    """The config of a model file, a config file or a preset."""
    return model.load(name).config if Path(name).suffix == ".npz" else configs.load(name)


def open_data(config: Config, name: str | None = None, data_dir: str | None = None) -> data.Dataset:
    """The data set that was asked for, or the one whose images have the network's size."""
    if config.input is None:
        raise BadInput(
            f"config {config.name} must have an [input] table to take images; "
            f"presets that do: {', '.join(image_presets())}"
        )
    if name is None:
        name = DATA.get(config.input.image)
    if name is None:
        rows, columns = config.input.image
        raise BadInput(f"--data must be given for images of {rows} x {columns}")
    found = data.load(name, data_dir)
    data.check(found, config)
    return found


def image_presets() -> list[str]:
    """Presets that are shown images."""
    return [name for name in presets.names() if presets.load(name).input is not None]


def open_experiment(
    shown: Model,
    file: str | None = None,
    data_name: str | None = None,
    data_dir: str | None = None,
    images: int | None = None,
    draw: int | None = None,
    seed: int | None = None,
) -> Experiment:
    """Collect what a model is shown.

    Parameters
    ----------
    shown
        The model.
    file
        Volley file, which may bring weights to start from.
    data_name, data_dir
        Data set whose test images are shown instead.
    images
        Only the first so many waves.
    draw
        How many random volleys to draw for a network that takes none of these; without it, an
        input must be given.
    seed
        Of random volleys.

    Raises
    ------
    BadInput
        Contradicting, missing or broken inputs.
    """
    if file is not None and data_name is not None:
        raise BadInput("--input and --data must not be given together")
    if file is not None:
        found = volleys.load(file, shown.config)
        if found.layers is not None:
            shown = shown.with_weights(found.layers)
        result = Experiment(shown, found.times, found.labels, file)
    elif data_name is not None or shown.config.input is not None:
        images_of = open_data(shown.config, data_name, data_dir)
        times = encoders.encode(images_of.test_images[:images], shown.config)
        labels = images_of.test_labels[:images]
        result = Experiment(shown, times, labels, f"{images_of.name} test images")
    elif draw is not None:
        count = draw if images is None else images
        times = random_volleys(shown.config, count, seed or 0)
        result = Experiment(shown, times, None, f"random volleys, seed {seed or 0}")
    else:
        raise BadInput(
            f"--input must be given: {shown.config.name} takes volleys of "
            f"{shown.config.lines} spike times"
        )
    if images is not None and images < len(result.times):
        labels = None if result.labels is None else result.labels[:images]
        result = replace(result, times=result.times[:images], labels=labels)
    return result


def open_shown(name: str, shown: Shown, draw: int | None = None) -> Experiment:
    """Open what a verb was told to play, see `open_model` and `open_experiment`."""
    model_shown = open_model(name, shown.seed)
    given = (shown.file, shown.data, shown.data_dir, shown.images)
    return open_experiment(model_shown, *given, draw=draw, seed=shown.seed)


def open_sample(shown: Model, count: int) -> Experiment:
    """The first test images that fit a network, or as many random volleys if none are known."""
    image = shown.config.input.image if shown.config.input is not None else None
    if image in DATA:
        return open_experiment(shown, images=count)
    return Experiment(shown, random_volleys(shown.config, count, 0), None, "random volleys, seed 0")


def random_volleys(config: Config, count: int, seed: int) -> np.ndarray:
    """Volleys in which half of the lines spikes, at any input step.

    Examples
    --------
    >>> random_volleys(Config(), 2, seed=1).shape
    (2, 32)
    """
    column, rng = config.column, np.random.default_rng(seed)
    times = rng.integers(0, column.t_in, (count, config.lines))
    spikes = rng.random(times.shape) < 0.5
    return np.where(spikes, times, column.none).astype(column.times_dtype)
