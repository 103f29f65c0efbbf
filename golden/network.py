"""Run a model on volleys: the golden level of every experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from racewave.golden import layer, readout
from racewave.golden.model import Model
from racewave.golden.volleys import check_times

__all__ = ["Form", "Result", "run"]

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
