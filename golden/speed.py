"""How fast the fast form is, beside the reference form in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from racewave.golden import encoders, fast, layer, network, readout
from racewave.golden.config import Config
from racewave.golden.model import Model, initial

__all__ = ["inference", "learning"]

REFERENCE_IMAGES = 20  # the reference form is thousands of times slower


def learning(config: Config, images: np.ndarray) -> dict[str, Any]:
    """Measure how long the columns take to learn from images, encoding included.

    Parameters
    ----------
    config
        A network with an ``[input]`` table.
    images
        uint8, N x rows x columns; each is one wave.

    Returns
    -------
    dict
        `what`, `preset`, `images`, `seconds`, `images_per_s`, and `times_faster` than the
        reference form.
    """
    fields, column, start = config.field_lines(), config.column, initial(config).weights

    def play(run: Callable[..., Any], some: np.ndarray) -> Any:
        return run(encoders.encode(some, config), start, fields, column, True)

    play(fast.run_layer, images[:2])  # compile
    return _row("columns learn", config, images, play)


def inference(config: Config, images: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Measure the classification of images, from pixels to classes.

    The columns have learned from the images first, since learned columns spike when they spike;
    the read-out is random, since its sums take as long.

    Parameters
    ----------
    config
        A network with a read-out.
    images
        uint8, N x rows x columns.
    seed
        Of the read-out.

    Returns
    -------
    dict
        As `learning` returns it.
    """
    fields, column = config.field_lines(), config.column
    classes = config.readout.classes if config.readout else 1
    rng = np.random.default_rng(seed)
    rows = rng.integers(-127, 128, (config.outputs, classes)).astype(np.int8)
    volleys = encoders.encode(images, config)
    weights = fast.run_layer(volleys, initial(config).weights, fields, column, True)[1]
    model = Model(config, weights, rows)

    def play(run: Callable[..., Any], some: np.ndarray) -> Any:
        if run is fast.run_layer:
            return network.classify(model, some)
        times = layer.run(encoders.encode(some, config), weights, fields, column)[0]
        return readout.classify(times, rows, column.none)

    play(fast.run_layer, images[:2])  # compile
    return _row("images classified", config, images, play)


def _row(what: str, config: Config, images: np.ndarray, play: Callable[..., Any]) -> dict[str, Any]:
    fast_seconds = _seconds(lambda: play(fast.run_layer, images))
    few = images[:REFERENCE_IMAGES]
    plain_seconds = _seconds(lambda: play(layer.run, few))
    per_second = len(images) / fast_seconds
    return {
        "what": what,
        "preset": config.name,
        "images": len(images),
        "seconds": round(fast_seconds, 3),
        "images_per_s": round(per_second),
        "times_faster": round(per_second * plain_seconds / len(few)),
        "threads": fast.threads(),
    }


def _seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
