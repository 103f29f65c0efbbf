"""Plays folded cores in Amaranth's simulator: what three independent hosts do on their streams.

`play` has the golden model's point of view: volleys in, times, classes, weights and read-out out.
`expected` says the same of the golden model, with a wish to learn, a report and a label per wave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hw_bench import Player, simulate
from numpy.testing import assert_array_equal

from racewave.golden import kinds, model, network
from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.golden.streams import Streams
from racewave.hw import verilog
from racewave.hw.folded import Folded

__all__ = ["Host", "Played", "Waves", "compare", "core_of", "expected", "play", "random_waves"]


@dataclass(frozen=True)
class Waves:
    """Volleys, and what goes with each.

    Attributes
    ----------
    volleys
        Spike times, waves x lines.
    learn, report
        Waves, or one for all.
    labels
        Waves, negative where there is none; None: no wave has one.
    """

    volleys: np.ndarray
    learn: bool | np.ndarray = False
    report: bool | np.ndarray = True
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.volleys)

    def each(self, name: str) -> np.ndarray:
        """A flag of every wave."""
        return np.broadcast_to(getattr(self, name), len(self)).astype(bool)


@dataclass(frozen=True)
class Played:
    """What waves gave: times are 0 where nobody asked for them."""

    times: np.ndarray
    classes: np.ndarray | None
    layers: tuple[np.ndarray, ...]
    readout: np.ndarray | None
    cycles: np.ndarray | None = None


def core_of(given: Model) -> Folded:
    """A core that holds a model at power-up."""
    kind, *parameters = verilog.unit(given.config, given)
    return kind(*parameters)


class Host(Player):
    """The outside of a folded core."""

    core: Folded

    async def volley(self, ctx, beats: np.ndarray, learn: bool = False, report: bool = True):
        """Send the beats of a volley (beats x bits).

        `learn` and `report` count with the last beat only: before and after it they lie.
        """
        for n, beat in enumerate(beats):
            last = n == len(beats) - 1
            ctx.set(self.core.learn, learn == last)
            ctx.set(self.core.report, report == last)
            await self.send(ctx, self.core.volleys, from_bits(beat))
        ctx.set(self.core.learn, not learn)
        ctx.set(self.core.report, not report)

    async def receive(self, ctx, port) -> int:
        """Take a beat; one that waits must stay as it is."""
        held = None
        while True:
            ready = not self.stalled()
            ctx.set(port.ready, ready)
            if ctx.get(port.valid):
                word = ctx.get(port.payload)
                assert held in (None, word), "a beat changed before it was taken"
                if ready:
                    await ctx.tick()
                    ctx.set(port.ready, 0)
                    return word
                held = word
            else:
                assert held is None, "a beat went away before it was taken"
            await ctx.tick()

    async def result(self, ctx) -> list[int]:
        """Beats of a wave up to the last one."""
        beats = [await self.receive(ctx, self.core.results)]
        while not beats[-1] >> (self.core.streams.result_bits - 1):
            beats.append(await self.receive(ctx, self.core.results))
        return beats

    async def write(self, ctx, given: Model) -> None:
        """Load all rows of a model."""
        for address, row in enumerate(self.core.streams.rows_of(given)):
            await self.request(ctx, address, from_bits(row), write=True)

    async def read_all(self, ctx) -> np.ndarray:
        """Bits of all rows."""
        bits = self.core.streams.row_bits
        words = [await self.read(ctx, address) for address in range(self.core.streams.rows)]
        return np.array([to_bits(word, bits) for word in words])


def from_bits(bits: np.ndarray) -> int:
    """A word of bits, lowest first."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def to_bits(word: int, count: int) -> np.ndarray:
    """The bits of a word, lowest first."""
    octets = np.frombuffer(word.to_bytes((count + 7) // 8, "little"), np.uint8)
    return np.unpackbits(octets, count=count, bitorder="little")


def play(
    given: Model,
    waves: Waves,
    stalls: float = 0.0,
    load: bool = False,
    watchdog: int = 400_000,
    core: Callable[[Model], Folded] = core_of,
) -> Played:
    """Play waves on a core that holds the model: at power-up, or through its weight stream.

    Volleys are sent and results taken by two hosts with stalls of their own; afterwards every row
    is read.
    """
    config = given.config
    held = model.initial(config) if load else given
    unit, streams = core(held), Streams(config)
    beats, learn, report = (
        streams.volleys(waves.volleys, waves.labels),
        waves.each("learn"),
        waves.each("report") | (config.readout is None),
    )
    results, stamps, rows = [], [], []
    loaded = []

    async def bench(ctx):
        host = Host(unit, stalls)
        if load:
            await host.write(ctx, given)
        loaded.append(True)
        ctx.set(unit.start, 1)
        for _ in beats:
            results.append(await host.result(ctx))
            stamps.append(ctx.get(unit.cycles))
        ctx.set(unit.start, 0)
        rows.append(await host.read_all(ctx))
        assert not ctx.get(unit.busy)
        assert ctx.get(unit.waves) == len(beats)
        assert ctx.get(unit.cycles) >= stamps[-1]  # a wave may learn after its result

    async def sender(ctx):
        host = Host(unit, stalls, seed=1)
        while not loaded:
            await ctx.tick()
        for volley, learns, reports in zip(beats, learn, report, strict=True):
            await host.volley(ctx, volley, bool(learns), bool(reports))

    simulate(unit, bench, sender, watchdog=watchdog)
    times = np.zeros((len(waves), config.outputs), int)
    classes = np.zeros(len(waves), int)
    for n, words in enumerate(results):
        bits = np.array([to_bits(word, streams.result_bits) for word in words])
        found, label = streams.results(bits, bool(report[n]))
        if found is not None:
            times[n] = found[0]
        if label is not None:
            classes[n] = label[0]
    block = streams.readout_block
    return Played(
        times,
        classes if config.readout is not None else None,
        streams.layers_of(rows[0][: streams.weight_rows]),
        streams.readout_of(rows[0][block.first :]) if block is not None else None,
        np.diff(stamps, prepend=0),
    )


def expected(given: Model, waves: Waves) -> Played:
    """What the golden model says, wave by wave."""
    config = given.config
    layers, states, table = given.layers, None, given.readout
    learn, report = waves.each("learn"), waves.each("report") | (config.readout is None)
    times, classes = [], []
    for n, volley in enumerate(waves.volleys):
        out, layers, states = network.play(
            given.with_weights(layers), volley[None], bool(learn[n]), "reference", states
        )
        times.append(out[0].astype(int) * report[n])
        if table is not None:
            labels = None if waves.labels is None else waves.labels[n : n + 1]
            label, table = kinds.play(out, table, config, labels, "reference")
            classes.append(int(label[0]))
    found = np.array(classes) if config.readout is not None else None
    return Played(np.array(times), found, tuple(layers), table)


def compare(found: Played, wanted: Played) -> None:
    """Times, classes, weights of every layer, and the read-out are equal."""
    assert_array_equal(found.times, wanted.times)
    if wanted.classes is not None:
        assert_array_equal(found.classes, wanted.classes)
    for weights, others in zip(found.layers, wanted.layers, strict=True):
        assert_array_equal(weights, others)
    if wanted.readout is not None:
        assert_array_equal(found.readout, wanted.readout)


def random_waves(
    config: Config, count: int, seed: int = 0, learn: bool | np.ndarray = False, **options
) -> Waves:
    """Draw volleys of which a third of the lines never spikes; labels, if a voter learns."""
    rng = np.random.default_rng([seed, 7])
    column = config.column
    shape = (count, config.lines)
    times = np.where(rng.random(shape) < 0.35, column.none, rng.integers(0, column.t_in, shape))
    if config.readout is not None and config.readout.learns:
        labels = rng.integers(-1, config.readout.classes, count)
        options = {"labels": labels, **options}
    return Waves(times.astype(column.times_dtype), learn, **options)
