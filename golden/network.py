"""Run a model on volleys: the golden level of every experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from racewave.golden import encoders, layer, readout
from racewave.golden.errors import BadInput
from racewave.golden.model import Model
from racewave.golden.volleys import check_times

__all__ = ["Form", "Result", "classify", "run"]

BLOCK = 2_000  # images at a time: bounds memory, changes nothing

Form = Literal["fast", "reference"]


@dataclass(frozen=True)
class Result:
    """What a run gives, on every level.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs, column by column; the no-spike code elsewhere.
    weights
        Weights after the last wave, C x q x p.
    classes
        One per wave, where the model has a read-out.
    cycles
        Clock cycles per wave, where hardware ran.
    state
        Random generator after the last wave.
    """

    times: np.ndarray
    weights: np.ndarray
    classes: np.ndarray | None = None
    cycles: np.ndarray | None = None
    state: int = 0


def run(model: Model, volleys: np.ndarray, learn: bool = False, form: Form = "fast") -> Result:
    """Play volleys, one wave each, from the generator's power-up state.

    Parameters
    ----------
    model
        Config, weights and perhaps a read-out.
    volleys
        Spike times, waves x `model.config.lines`.
    learn
        Apply STDP after every wave.
    form
        "fast" (jitted, threaded) or "reference" (plain); equal to the bit.

    Raises
    ------
    BadInput
        Volleys that do not fit the network.

    Examples
    --------
    >>> from racewave.golden import config, model
    >>> lone = config.Config(column=config.ColumnConfig(p=2, q=1, theta=3))
    >>> result = run(model.initial(lone).with_weights(np.array([[2, 2]])), np.array([[0, 0]]))
    >>> result.times.tolist()
    [[1]]
    """
    times = check_times(volleys, model.config)
    fields, column = model.config.field_lines(), model.config.column
    if form == "fast":
        from racewave.golden import fast  # numba loads when it is needed

        out, weights, state = fast.run_layer(times, model.weights, fields, column, learn)
        classify = fast.classify
    else:
        out, weights, state = layer.run(times, model.weights, fields, column, learn)
        classify = readout.classify
    classes = None
    if model.readout is not None:
        classes = classify(out, model.readout, column.none)
    return Result(out, weights, classes, None, state)


def classify(model: Model, images: np.ndarray, form: Form = "fast") -> np.ndarray:
    """Classify images.

    Parameters
    ----------
    model
        A model with a read-out.
    images
        uint8, N x rows x columns.
    form
        As for `run`.

    Returns
    -------
    numpy.ndarray
        uint8, N.

    Raises
    ------
    BadInput
        The model has no read-out, or the images do not fit it.

    Examples
    --------
    >>> from racewave.golden import model, presets
    >>> classify(model.initial(presets.load("digits")), np.zeros((1, 8, 8), np.uint8))
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: model digits must have a read-out: train it first
    """
    if model.readout is None:
        name = model.config.name
        raise BadInput(f"model {name} must have a read-out: train it first")
    classes = np.zeros(len(images), np.uint8)
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        volleys = encoders.encode(images[block], model.config, start)
        found = run(model, volleys, form=form).classes
        assert found is not None  # the model has a read-out
        classes[block] = found
    return classes
