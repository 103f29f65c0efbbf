"""Small networks of several layers, and an image for each, drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from configs import random_column

from racewave.golden import config, kinds, weights
from racewave.golden.config import Config
from racewave.golden.model import Model

COLUMN = (
    "q",
    "w_max",
    "response",
    "k",
    "tie",
    "prob_bits",
    "stabilise",
    "stabilise_search",
    "seed",
)
CHANCES = ("u_capture", "u_minus", "u_search", "u_backoff", "u_min")


def overrides(rng: np.random.Generator, most: int = 4, **fixed: Any) -> dict[str, Any]:
    """Draw what a layer's columns are, all but `p`, `t_in` and `theta`."""
    drawn = random_column(rng, most)
    return {name: getattr(drawn, name) for name in (*COLUMN, *CHANCES)} | fixed


def random_network(seed: int, kind: str | None = None, classes: int = 3) -> Config:
    """Draw two or three layers: a chain, or two that read the input and one that reads the first.

    Fields, strides and copies differ; weights are small so that thresholds can be met. The layer
    on a layer has a step response: it adds no steps, and final layers must share a time code.
    """
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(4, 7, 2))
    image = {"image": [rows, columns], "encoder": ["posneg", "intensity"][rng.integers(2)]}
    t_in = 1 if image["encoder"] == "posneg" else int(rng.integers(1, 4))
    base = overrides(rng, w_max=int(rng.integers(1, 4)), response="rnl")
    first = {"field": [2, 3], "stride": int(rng.integers(1, 3)), "copies": int(rng.integers(1, 3))}
    layers: list[dict[str, Any]] = [first]
    if rng.integers(2):  # a second layer on the input, one of the outputs
        layers.append({"field": 2, "stride": 2, "source": "input"})
    span = 1 if rng.integers(2) else [2, 1]
    deep = overrides(rng, w_max=int(rng.integers(3, 5)), response="snl")
    layers.append({"field": span, "stride": 1, "source": 1, "column": deep})
    if len(layers) == 2 and rng.integers(2):
        layers.append({"field": 1, "stride": 1, "copies": 2, "column": overrides(rng, w_max=3)})
    for layer in layers:
        own = layer.setdefault("column", {})
        own["theta"] = int(rng.integers(1, 4))
    tables = {
        "column": {**base, "t_in": t_in, "theta": 2},
        "input": image,
        "layer": layers,
        "hardware": {"micro_architecture": "folded"},
    }
    if kind is not None:
        tables["readout"] = {"kind": kind, "classes": classes}
    return config.from_dict(tables)


def random_model(built: Config, seed: int) -> Model:
    """Draw weights and the table of the read-out."""
    rng = np.random.default_rng([seed, 1])
    table = None
    if built.readout is not None:
        half = 1 << (built.readout.bits - 1)
        low, high = {"dual-voter": (0, 225), "tally": (0, 4)}.get(built.readout.kind, (-half, half))
        table = rng.integers(low, high, kinds.shape(built))
        if built.readout.kind == "tally":
            table[table == 3] = 255
    return Model(built, weights.draw(built, [seed, 2], low=0), table)


def random_images(built: Config, seed: int, count: int) -> np.ndarray:
    """Draw images that are about half dark."""
    assert built.input is not None
    rng = np.random.default_rng([seed, 3])
    images = rng.integers(0, 256, (count, *built.input.image), np.uint8)
    return np.where(rng.random(images.shape) < 0.4, 0, images).astype(np.uint8)
