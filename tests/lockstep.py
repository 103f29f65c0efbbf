"""The first difference between a core and the golden model, found the slow way."""

from __future__ import annotations

import dataclasses

import numpy as np

from racewave.golden import kinds, network
from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.sim import rtl


def neuron(config: Config, output: int) -> tuple[int, int, int]:
    """Layer, column and neuron of an output, by counting."""
    places = [
        (stage.index, column, number)
        for stage in config.finals
        for column in range(stage.columns)
        for number in range(stage.column.q)
    ]
    return places[output]


def first_difference(
    core: rtl.Core,
    start: Model,
    volleys: np.ndarray,
    learn: bool,
    labels: np.ndarray | None = None,
) -> tuple:
    """Play the whole run on the core and the reference form wave by wave.

    Returns
    -------
    tuple
        As `dataclasses.astuple` of a `Mismatch`; empty if nothing differs.
    """
    config = start.config
    core.write(start)
    played = core.play(volleys, learn, log=True, labels=labels)
    assert played.times is not None
    assert played.layers is not None
    model, states = start, None
    for wave, volley in enumerate(volleys):
        times, layers, states = network.play(model, volley[None], learn, "reference", states)
        for output in np.flatnonzero(times[0] != played.times[wave]):
            pair = (int(times[0, output]), int(played.times[wave, output]))
            return ("time", wave, *neuron(config, output), None, *pair, None)
        table = start.readout
        if model.readout is not None and played.classes is not None:
            label = None if labels is None else labels[wave : wave + 1]
            found, table = kinds.play(times, model.readout, config, label, "reference")
            if found[0] != played.classes[wave]:
                pair = (int(found[0]), int(played.classes[wave]))
                return ("class", wave, None, None, None, None, *pair, None)
        for layer, weights in enumerate(layers):
            for place in np.argwhere(weights != played.layers[layer][wave]).tolist():
                at = tuple(place)
                pair = (int(weights[at]), int(played.layers[layer][wave][at]))
                return ("weight", wave, layer, *at, *pair, None)
        if played.readouts is not None and table is not None:
            for output, *counter in np.argwhere(table != played.readouts[wave]).tolist():
                at = (output, *counter)
                pair = (int(table[at]), int(played.readouts[wave][at]))
                return ("counter", wave, *neuron(config, output), None, *pair, tuple(counter))
        model = dataclasses.replace(model, layers=layers, readout=table)
    return ()
