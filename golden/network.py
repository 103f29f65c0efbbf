"""Run a model on volleys: the golden level of every experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from racewave.golden import encoders, kinds, layer, weights
from racewave.golden.config import ColumnConfig
from racewave.golden.errors import BadInput
from racewave.golden.kinds import Form
from racewave.golden.model import Model
from racewave.golden.volleys import check_times
from racewave.golden.weights import Layers

__all__ = ["Form", "Result", "classify", "play", "recode", "run"]

BLOCK = 2_000  # images at a time: bounds memory, changes nothing


@dataclass(frozen=True, init=False)
class Result:
    """What a run gives, on every level.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs: final layers in order, column by column; the
        no-spike code elsewhere.
    layers
        Weights of each layer after the last wave, C x q x p; an array for the only layer.
    classes
        One per wave, where the model has a read-out.
    cycles
        Clock cycles per wave, where hardware ran.
    states
        Random generator of each layer after the last wave.
    readout
        Table of a read-out that learns after the last wave, if there were labels.
    """

    times: np.ndarray
    layers: tuple[np.ndarray, ...]
    classes: np.ndarray | None
    cycles: np.ndarray | None
    states: tuple[int, ...]
    readout: np.ndarray | None

    def __init__(
        self,
        times: np.ndarray,
        layers: Layers,
        classes: np.ndarray | None = None,
        cycles: np.ndarray | None = None,
        states: Sequence[int] = (),
        readout: np.ndarray | None = None,
    ) -> None:
        fields = {
            "times": times,
            "layers": weights.as_tuple(layers),
            "classes": classes,
            "cycles": cycles,
            "states": tuple(states),
            "readout": readout,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the only layer; ValueError if there are several."""
        return weights.only(self.layers)


def run(
    model: Model,
    volleys: np.ndarray,
    learn: bool = False,
    form: Form = "fast",
    labels: np.ndarray | None = None,
) -> Result:
    """Play volleys, one wave each, from the generators' power-up states.

    Parameters
    ----------
    model
        Config, weights and perhaps a read-out.
    volleys
        Spike times, waves x `model.config.lines`.
    learn
        Apply STDP after every wave, in every layer.
    form
        "fast" (jitted, threaded) or "reference" (plain); equal to the bit.
    labels
        Right classes, one per wave, negative where not known: a read-out that learns on line
        learns from them, after it has settled the class of the wave. Others need none.

    Raises
    ------
    BadInput
        Volleys or labels that do not fit the network.

    Examples
    --------
    >>> from racewave.golden import config, model
    >>> lone = config.Config(column=config.ColumnConfig(p=2, q=1, theta=3))
    >>> result = run(model.initial(lone).with_weights(np.array([[2, 2]])), np.array([[0, 0]]))
    >>> result.times.tolist()
    [[1]]
    """
    config, rules = model.config, model.config.readout
    times = check_times(volleys, config)
    learns = rules is not None and rules.learns
    if rules is not None and learns:
        labels = kinds.check_labels(labels, len(times), rules.classes)
    outs, layers, states = play(model, times, learn, form)
    classes = table = None
    if model.readout is not None:
        classes, table = kinds.play(outs, model.readout, config, labels, form)
    learnt = table if learns and labels is not None else None
    return Result(outs, layers, classes, None, states, learnt)


def play(
    model: Model,
    times: np.ndarray,
    learn: bool = False,
    form: Form = "fast",
    states: Sequence[int] | None = None,
) -> tuple[np.ndarray, tuple[np.ndarray, ...], tuple[int, ...]]:
    """Play volleys through all layers, without the read-out.

    In each wave a layer sees what its source fires in the same wave, before any weight of that
    wave has changed; so whole blocks of waves may pass layer by layer.

    Parameters
    ----------
    model, learn, form
        As `run` takes them.
    times
        Spike times, waves x `model.config.lines`, as `volleys.check_times` returns them.
    states
        Random generator of each layer; the seeds if not given.

    Returns
    -------
    times : numpy.ndarray
        Winners' spike times of the final layers, waves x outputs.
    layers : tuple of numpy.ndarray
        Weights after the last wave.
    states : tuple of int
        Random generators after the last wave.
    """
    if form == "fast":  # numba loads when it is needed
        from racewave.golden import fast

        run_layer = fast.run_layer
    else:
        run_layer = layer.run
    stages = model.config.stages
    states = [stage.column.seed for stage in stages] if states is None else states
    outs: list[np.ndarray] = []
    layers, ends = [], []
    for stage, given, state in zip(stages, model.layers, states, strict=True):
        column = stage.column
        lines = recode(times if stage.source < 0 else outs[stage.source], column)
        fields = stage.field_lines()
        out, learnt, end = run_layer(lines, given, fields, column, learn, state)
        outs.append(out)
        layers.append(learnt)
        ends.append(end)
    last = [outs[stage.index] for stage in model.config.finals]
    found = last[0] if len(last) == 1 else np.concatenate(last, axis=1)
    return found, tuple(layers), tuple(ends)


def recode(times: np.ndarray, column: ColumnConfig) -> np.ndarray:
    """Spike times of a source in the time code of the columns that read them.

    What is no input step of these columns is their no-spike code.

    Examples
    --------
    >>> recode(np.array([0, 2, 3, 7], np.uint8), ColumnConfig(t_in=3, w_max=7)).tolist()
    [0, 2, 15, 15]
    """
    return np.where(times < column.t_in, times, column.none).astype(column.times_dtype)


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
