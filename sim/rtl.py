"""The RTL level: a model played on generated Verilog, with the golden model's signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from racewave.golden.config import Config
from racewave.golden.errors import BadInput
from racewave.golden.model import Model
from racewave.golden.network import Result
from racewave.golden.streams import Streams, from_digits, to_digits
from racewave.golden.volleys import check_times
from racewave.sim import bench
from racewave.sim.runner import Order, Session, SimulationError, build, pick

__all__ = ["Chunk", "Core", "Played", "check_learning", "run"]

RESET, RESEED, LEARN, START, _, STALL, DUMP, REPORT, SWEEP = (1 << n for n in range(9))


@dataclass(frozen=True)
class Played:
    """What waves gave on the core.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs; None if the core does not report them.
    classes
        One per wave, if the core has a read-out.
    cycles
        Clock cycles of each wave: differences of the core's counter when results end.
    layers
        Weights of every layer after each wave (waves x C x q x p), if they were logged.
    readouts
        Read-outs that learn, after each wave, if weights were logged.
    """

    times: np.ndarray | None
    classes: np.ndarray | None
    cycles: np.ndarray
    layers: tuple[np.ndarray, ...] | None = None
    readouts: np.ndarray | None = None


@dataclass(frozen=True)
class Chunk:
    """Waves that one order plays.

    Parameters
    ----------
    waves
        How many.
    log
        Weights are logged after each.
    order
        For the bench.
    """

    waves: int
    log: bool
    order: Order


class Core:
    """A generated core, alive in a simulator.

    The core is exported with an empty read-out, so that all models of a config share one build;
    weights and read-out enter through the weight stream.

    Parameters
    ----------
    config
        What the core is.
    simulator
        "verilator" or "icarus"; the best one here if not given.
    stalls
        Probability that a stream pauses at a clock, 0 or 0.5, for every stream of the bench.
    seed
        Of the stalls, 1..2^32-1.
    waves
        FST file for the waves.
    dump
        Write waves from the next order on; may be set at any time, and then stays.
    report
        Folded hardware sends every column's times; without, a wave ends with its class alone, and
        takes the clocks that it takes in use.
    verilog
        Text of the core instead of a fresh export.
    room
        Capacity of one order.
    wake
        See `Session`.
    timeout_s
        Longest time to wait for an answer.

    Examples
    --------
    ::

        with Core(config) as core:
            core.write(model)
            played = core.play(volleys, learn=True)
            layers = core.read()
    """

    def __init__(
        self,
        config: Config,
        simulator: str | None = None,
        stalls: float = 0.0,
        seed: int = 1,
        waves: Path | None = None,
        dump: bool = True,
        report: bool = True,
        verilog: str | None = None,
        room: bench.Capacity | None = None,
        wake: Literal["order", "clock"] = "order",
        timeout_s: float = 900.0,
    ):
        if stalls not in (0, 0.5):
            raise ValueError(f"stalls must be 0 or 0.5, not {stalls}")
        self.config = config
        self.dump = dump
        self.seed = seed
        self.streams = Streams(config)
        # Spatial cores, and folded ones without a read-out, have nothing else to say.
        self.report = report or not self.streams.folded or not self.streams.class_bits
        self._stall = STALL if stalls else 0
        self._cycles = 0
        picked = pick(simulator)
        self.room = room or bench.capacity(config, picked.name)
        if verilog is None:
            from racewave.hw.verilog import export

            verilog = export(config)
        traced = waves is not None
        text = bench.verilog(config, verilog, self.room, traced)
        # Many weights on few engines: little to compile, much to play.
        engines = sum(stage.engines for stage in config.stages)
        long = self.streams.folded and config.synapses > 5_000 * engines
        self.build = build(picked, text, waves=traced, optimise="-O2" if long else "-O1")
        self.session = Session(self.build, timeout_s, waves=waves, wake=wake)
        self.reset()

    def __enter__(self) -> Core:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.session.close(failed=kind is not None)

    @property
    def learns(self) -> bool:
        """The core has a read-out that learns from labels."""
        return self.streams.label_bits > 0

    def reset(self) -> None:
        """Reset the core: counters and random generator, not the weights."""
        registers = {"limit": bench.limit(self.config), "seed": self.seed}
        self._check(self.session.play(self._order(RESET, registers))[0])
        self._cycles = 0

    def reseed(self) -> None:
        """Put the random generator back to its seed."""
        self._check(self.session.play(self._order(RESEED))[0])

    # Weights.

    def write(self, model: Model) -> None:
        """Load a model's weights, and its read-out if it has one, through the weight stream."""
        self.request(list(enumerate(self.streams.rows_of(model))))

    def read(self) -> tuple[np.ndarray, ...]:
        """Read all weights back through the weight stream: C x q x p of every layer."""
        return self.streams.layers_of(self._read_rows(0, self.streams.weight_rows))

    def read_readout(self) -> np.ndarray:
        """Read the read-out back through the weight stream, as a model holds it."""
        block = self.streams.readout_block
        if block is None:
            raise ValueError("config must have a read-out")
        return self.streams.readout_of(self._read_rows(block.first, block.rows))

    def _read_rows(self, first: int, count: int) -> np.ndarray:
        """Bits of consecutive rows."""
        parts, most = [], self.room.requests
        for start in range(first, first + count, most):
            rows = min(most, first + count - start)
            registers = {"first_row": start, "request_count": rows}
            answer = self.session.play(self._order(SWEEP, registers, ["replies"]))[0]
            self._check(answer)
            parts.append(bench.digits(answer["replies"], rows, self.streams.row_bits))
        return np.concatenate(parts)

    def request(self, requests: Sequence[tuple[int, np.ndarray | None]]) -> np.ndarray:
        """Play weight requests.

        Parameters
        ----------
        requests
            Address, and the bits of a row to write or None to read.

        Returns
        -------
        numpy.ndarray
            Bits of the rows that were read, reads x row bits.
        """
        found = []
        for start in range(0, len(requests), self.room.requests):
            part = requests[start : start + self.room.requests]
            answer = self.session.play(self._order(0, self.requests(part), ["replies"]))[0]
            self._check(answer)
            found.append(self.replies(answer, part))
        return np.concatenate(found)

    def requests(self, requests: Sequence[tuple[int, np.ndarray | None]]) -> dict[str, str | int]:
        """Registers of the bench that hold weight requests."""
        streams = self.streams
        bits, address = streams.row_bits, streams.address_bits
        digits = np.zeros((self.room.requests, streams.request_bits), np.uint8)
        addresses = np.array([request for request, _ in requests], np.int64)[:, None]
        digits[: len(requests), bits:-1] = to_digits(addresses, address, address)
        for n, (_, row) in enumerate(requests):
            if row is not None:
                digits[n, :bits] = row
                digits[n, -1] = 1
        return {"requests": bench.value(digits), "request_count": len(requests)}

    def replies(
        self, answer: dict[str, str], requests: Sequence[tuple[int, np.ndarray | None]]
    ) -> np.ndarray:
        """Bits of the rows that an order read, reads x row bits."""
        reads = sum(row is None for _, row in requests)
        return bench.digits(answer["replies"], reads, self.streams.row_bits)

    # Waves.

    def most_waves(self, log: bool = False) -> int:
        """Waves that fit a chunk."""
        return self.room.logs if log else self.room.waves

    def chunk(
        self,
        volleys: np.ndarray,
        learn: bool = False,
        log: bool = False,
        labels: np.ndarray | None = None,
    ) -> Chunk:
        """Write an order that plays checked volleys, at most `most_waves` of them.

        Spatial hardware logs its weights while it goes on; from folded hardware they are read
        through the weight stream between waves.
        """
        streams, waves = self.streams, len(volleys)
        beats = streams.volleys(volleys, labels)
        registers = {
            "volleys": bench.value(beats, self.room.waves * beats[0].size),
            "beat_count": waves * streams.volley_beats,
            "result_count": waves * streams.result_beats(self.report),
            "log_count": waves if log else 0,
        }
        flags = START | (LEARN if learn else 0)
        get = ["results", "stamps"]
        if log and streams.folded:
            flags |= SWEEP
            registers |= {"first_row": 0, "request_count": self._logged_rows}
            get.append("replies")
        elif log:
            get.append("weights")
        return Chunk(waves, log, self._order(flags, registers, get))

    @property
    def _logged_rows(self) -> int:
        return self.streams.rows if self.learns else self.streams.weight_rows

    def played(self, answer: dict[str, str], chunk: Chunk) -> Played:
        """Decode what a chunk gave, chunk after chunk: cycles go on from the one before."""
        config, streams = self.config, self.streams
        self._check(answer)
        beats = chunk.waves * streams.result_beats(self.report)
        results = bench.digits(answer["results"], beats, streams.result_bits)
        try:
            times, classes = streams.results(results, self.report)
        except ValueError as error:
            raise SimulationError(str(error)) from None
        stamps = from_digits(bench.digits(answer["stamps"], chunk.waves * 32), 32)
        cycles = np.diff(stamps, prepend=np.uint32(self._cycles)).astype(np.uint32)
        self._cycles = int(stamps[-1])
        layers = readouts = None
        if chunk.log and not streams.folded:
            column = config.column
            planes = bench.digits(
                answer["weights"], chunk.waves, config.columns, column.q, column.w_bits, column.p
            )
            bits = np.ascontiguousarray(planes.swapaxes(-1, -2))
            layers = (from_digits(bits.reshape(*planes.shape[:3], -1), column.w_bits),)
        elif chunk.log:
            layers, readouts = self._logged(answer, chunk.waves)
        return Played(times, classes, cycles, layers, readouts)

    def _logged(
        self, answer: dict[str, str], waves: int
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray | None]:
        """Weights, and a read-out that learns, from the sweeps between waves."""
        streams, block = self.streams, self.streams.readout_block
        every = bench.digits(answer["replies"], waves, self._logged_rows, streams.row_bits)
        layers = zip(*(streams.layers_of(rows) for rows in every), strict=True)
        readouts = None
        if self.learns and block is not None:
            readouts = np.stack([streams.readout_of(rows[block.first :]) for rows in every])
        return tuple(np.stack(layer) for layer in layers), readouts

    def play(
        self,
        volleys: np.ndarray,
        learn: bool = False,
        log: bool = False,
        labels: np.ndarray | None = None,
        on_waves: Callable[[int], None] | None = None,
    ) -> Played:
        """Play volleys, one wave each, on the weights that the core holds.

        Parameters
        ----------
        volleys
            Spike times, waves x lines.
        learn
            With STDP.
        log
            Return the weights after every wave, too.
        labels
            One per wave for a read-out that learns them; negative where there is none.
        on_waves
            Called with the number of waves after every chunk, for progress bars.
        """
        volleys = check_times(volleys, self.config)
        check_learning(self.config, learn)
        parts = []
        for chunk in self.chunks(volleys, learn, log, labels):
            parts.append(self.played(self.session.play(chunk.order)[0], chunk))
            if on_waves is not None:
                on_waves(chunk.waves)
        return _join(parts) if parts else self._nothing(log)

    def chunks(
        self,
        volleys: np.ndarray,
        learn: bool = False,
        log: bool = False,
        labels: np.ndarray | None = None,
    ) -> Iterator[Chunk]:
        """Cut checked volleys into chunks."""
        size = self.most_waves(log)
        for start in range(0, len(volleys), size):
            part = slice(start, start + size)
            yield self.chunk(volleys[part], learn, log, None if labels is None else labels[part])

    def _nothing(self, log: bool) -> Played:
        config, none = self.config, np.zeros(0, np.uint8)
        kind = config.finals[0].column.times_dtype
        layers = tuple(np.zeros((0, *stage.shape), np.uint8) for stage in config.stages)
        return Played(
            np.zeros((0, config.outputs), kind) if self.report else None,
            none if self.streams.class_bits else None,
            np.zeros(0, np.uint32),
            layers if log else None,
        )

    def _order(
        self, flags: int, registers: Mapping[str, int | str] | None = None, get: Sequence[str] = ()
    ) -> Order:
        flags |= self._stall | (DUMP if self.dump else 0) | (REPORT if self.report else 0)
        counts = ("beat_count", "result_count", "log_count", "request_count")
        registers = {**dict.fromkeys(counts, 0), **(registers or {}), "flags": flags}
        return {"set": registers, "get": [*get, "faults", "ended"]}

    def _check(self, answer: dict[str, str]) -> None:
        faults = int(answer["faults"], 2)
        if faults:
            said = [text for bit, text in bench.FAULTS.items() if faults >> bit & 1]
            after = int(answer["ended"], 2)
            raise SimulationError(f"{'; '.join(said)} ({after} waves of the order had ended)")


def check_learning(config: Config, learn: bool) -> None:
    """Refuse to learn on hardware without STDP."""
    if learn and not config.hardware.learning:
        raise BadInput("learn must be off: the config's hardware.learning is false")


def _join(parts: list[Played]) -> Played:
    """Waves of several chunks, one after the other."""
    layers = [part.layers for part in parts if part.layers is not None]
    return Played(
        _concatenate([part.times for part in parts]),
        _concatenate([part.classes for part in parts]),
        np.concatenate([part.cycles for part in parts]),
        tuple(np.concatenate(layer) for layer in zip(*layers, strict=True)) if layers else None,
        _concatenate([part.readouts for part in parts]),
    )


def _concatenate(parts: list[np.ndarray | None]) -> np.ndarray | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None


def run(
    model: Model,
    volleys: np.ndarray,
    learn: bool = False,
    simulator: str | None = None,
    stalls: float = 0.0,
    waves: Path | None = None,
    on_waves: Callable[[int], None] | None = None,
    labels: np.ndarray | None = None,
    report: bool = True,
) -> Result:
    """Play volleys on the RTL of a model, one wave each: `golden.network.run`, one level down.

    Parameters
    ----------
    model, volleys, learn, labels
        As `golden.network.run` takes them.
    simulator, stalls, waves
        See `Core`.
    on_waves
        Called with the number of waves played since the last call.

    report
        See `Core`.

    Returns
    -------
    Result
        With `cycles`, and with times of no outputs if they were not reported; without `states`,
        which hardware does not tell.

    Raises
    ------
    BadInput
        Volleys that do not fit, or no simulator here.
    """
    volleys = check_times(volleys, model.config)
    check_learning(model.config, learn)
    with Core(model.config, simulator, stalls, waves=waves, report=report) as core:
        core.write(model)
        played = core.play(volleys, learn, labels=labels, on_waves=on_waves)
        layers = core.read()
        learnt = labels is not None and core.learns
        readout = core.read_readout() if learnt else None
    classes = played.classes if model.readout is not None else None
    times = np.zeros((len(volleys), 0), np.uint8) if played.times is None else played.times
    return Result(times, layers, classes, played.cycles, readout=readout)
