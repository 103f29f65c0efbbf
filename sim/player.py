"""The golden model's fast form, a few waves at a time: it goes on where it stopped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from racewave.golden import fast, kinds, network
from racewave.golden.model import Model

__all__ = ["Player", "Steps"]


@dataclass(frozen=True)
class Steps:
    """What waves give on the golden model.

    Parameters
    ----------
    times
        Winners' spike times of the final layers, waves x outputs.
    classes
        One per wave, if the model has a read-out.
    layers
        Weights of every layer after each wave (waves x C x q x p), if they were asked for.
    readouts
        Read-outs that learn, after each wave, if weights were asked for.
    """

    times: np.ndarray
    classes: np.ndarray | None
    layers: tuple[np.ndarray, ...] | None = None
    readouts: np.ndarray | None = None


class Player:
    """A model that plays waves and learns.

    Parameters
    ----------
    model
        Where it begins; the random generators begin at their seeds.
    learn
        With STDP.

    Examples
    --------
    >>> from racewave.golden import config, model
    >>> lone = config.Config(column=config.ColumnConfig(p=2, q=1, theta=3))
    >>> player = Player(model.initial(lone).with_weights(np.array([[2, 2]])), learn=False)
    >>> player.play(np.array([[0, 0]])).times.tolist()
    [[1]]
    """

    def __init__(self, model: Model, learn: bool):
        self.config = model.config
        self.learn = learn
        self.readout = model.readout
        readout = self.config.readout
        self._learns = readout is not None and readout.learns
        if readout is not None and readout.kind == "dual-voter" and model.readout is not None:
            # Hardware has no counters for time codes that no neuron reaches.
            times = list(self.config.readout_times)
            self.readout = np.zeros_like(model.readout)
            self.readout[:, times] = model.readout[:, times]
        self._model = model
        self._layers: list[fast.Layer] = []  # made for the first waves

    @property
    def layers(self) -> tuple[np.ndarray, ...]:
        """Weights of every layer as they are now: C x q x p."""
        if not self._layers:
            return self._model.layers
        return tuple(layer.restore() for layer in self._layers)

    def play(
        self, volleys: np.ndarray, labels: np.ndarray | None = None, each: bool = False
    ) -> Steps:
        """Play volleys, one wave each.

        Parameters
        ----------
        volleys
            Spike times, waves x lines.
        labels
            One per wave for a read-out that learns, negative where there is none.
        each
            Keep weights, and a read-out that learns, after each wave.
        """
        times: list[np.ndarray] = []
        kept: list[np.ndarray] = []
        for n, stage in enumerate(self.config.stages):
            source = volleys if stage.source < 0 else times[stage.source]
            lines = network.recode(source, stage.column)
            if n == len(self._layers):
                events = fast.suits_events(lines, stage.column, self.learn)
                place = self._model.layers[n], stage.field_lines(), stage.column
                self._layers.append(fast.Layer(*place, events=events))
            layer = self._layers[n]
            if each and self.learn:
                out, stored = layer.trace(lines)
                kept.append(layer.restore(stored))
            else:
                out = layer.play(lines, self.learn)
                if each:
                    kept.append(np.broadcast_to(layer.restore(), (len(lines), *stage.shape)))
            times.append(out)
        final = [times[stage.index] for stage in self.config.finals]
        out = np.concatenate(final, axis=1) if len(final) > 1 else final[0]
        classes, readouts = self._classify(out, labels, each)
        return Steps(out, classes, tuple(kept) if each else None, readouts)

    def _classify(
        self, times: np.ndarray, labels: np.ndarray | None, each: bool
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Classes; a read-out that learns after each wave if asked for."""
        if self.readout is None:
            return None, None
        if not (each and self._learns):
            classes, self.readout = kinds.play(times, self.readout, self.config, labels, "fast")
            return classes, None
        classes, readouts = np.zeros(len(times), np.uint8), []
        for n in range(len(times)):
            one = slice(n, n + 1)
            label = None if labels is None else labels[one]
            classes[one], self.readout = kinds.play(
                times[one], self.readout, self.config, label, "fast"
            )
            readouts.append(self.readout)
        return classes, np.stack(readouts)
