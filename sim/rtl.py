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
from racewave.golden.volleys import check_times
from racewave.hw.network import Widths
from racewave.sim import bench
from racewave.sim.runner import Order, Session, SimulationError, build, pick

__all__ = ["Core", "Played", "check_learning", "run"]

RESET, RESEED, LEARN, START, LOG, STALL, DUMP = (1 << n for n in range(7))


@dataclass(frozen=True)
class Played:
    """What waves gave on the core.

    Parameters
    ----------
    times
        Winners' spike times, waves x outputs.
    classes
        One per wave, if the core has a read-out.
    cycles
        Clock cycles of each wave.
    weights
        C x q x p after each wave (waves x C x q x p), if they were logged.
    """

    times: np.ndarray
    classes: np.ndarray | None
    cycles: np.ndarray
    weights: np.ndarray | None = None


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
    verilog
        Text of the core instead of a fresh export.
    room
        Capacity of one order.
    wake
        See `Session`.

    Examples
    --------
    ::

        with Core(config) as core:
            core.write(model)
            played = core.play(volleys, learn=True)
            weights = core.read()
    """

    def __init__(
        self,
        config: Config,
        simulator: str | None = None,
        stalls: float = 0.0,
        seed: int = 1,
        waves: Path | None = None,
        dump: bool = True,
        verilog: str | None = None,
        room: bench.Capacity | None = None,
        wake: Literal["order", "clock"] = "order",
    ):
        if stalls not in (0, 0.5):
            raise ValueError(f"stalls must be 0 or 0.5, not {stalls}")
        self.config = config
        self.dump = dump
        self.seed = seed
        self.widths = Widths.of(config)
        self.room = room or bench.capacity(config)
        self._stall = STALL if stalls else 0
        self._cycles = 0
        picked = pick(simulator)
        if verilog is None:
            from racewave.hw.verilog import export

            verilog = export(config)
        traced = waves is not None
        text = bench.verilog(config, verilog, self.room, traced)
        self.build = build(picked, text, waves=traced)
        self.session = Session(self.build, waves=waves, wake=wake)
        self.reset()

    def __enter__(self) -> Core:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.session.close(failed=kind is not None)

    def reset(self) -> None:
        """Reset the core: counters and random generator, not the weights."""
        registers = {"limit": bench.limit(self.config), "seed": self.seed}
        self._check(self.session.play(self._order(RESET, registers))[0])
        self._cycles = 0

    def reseed(self) -> None:
        """Put the random generator back to its seed."""
        self._check(self.session.play(self._order(RESEED))[0])

    def write(self, model: Model) -> None:
        """Load a model's weights, and its read-out if it has one, through the weight stream."""
        self.request([(address, row) for address, row in enumerate(self.rows(model))])

    def rows(self, model: Model) -> list[np.ndarray]:
        """The bits of every row of a model, as the weight stream takes them."""
        column = self.config.column
        weights = model.weights.transpose(0, 2, 1).reshape(-1, column.q)
        tables = [(weights, column.w_bits)]
        if model.readout is not None and self.config.readout is not None:
            bits = self.config.readout.bits
            tables.append((model.readout.astype(np.int64) & ((1 << bits) - 1), bits))
        return [bench.to_digits(row, bits, self.widths.row_bits) for t, bits in tables for row in t]

    def read(self) -> np.ndarray:
        """Read all weights back through the weight stream: C x q x p."""
        column = self.config.column
        replies = self.request([(address, None) for address in range(self.widths.ring_rows)])
        used = replies[:, : column.q * column.w_bits]
        rows = bench.join(used.reshape(self.config.columns, column.p, column.q, column.w_bits))
        return rows.transpose(0, 2, 1).copy()

    def read_readout(self) -> np.ndarray:
        """Read the read-out back through the weight stream: outputs x classes, signed."""
        readout = self.config.readout
        if readout is None:
            raise ValueError("config must have a read-out")
        first = self.widths.ring_rows
        replies = self.request([(first + r, None) for r in range(self.config.outputs)])
        used = replies[:, : self.widths.readout_bits]
        codes = bench.join(used.reshape(self.config.outputs, readout.classes, readout.bits))
        signed = codes.astype(np.int16)
        return np.where(signed >> (readout.bits - 1), signed - (1 << readout.bits), signed)

    def request(self, requests: list[tuple[int, np.ndarray | None]]) -> np.ndarray:
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

    def requests(self, requests: list[tuple[int, np.ndarray | None]]) -> dict[str, str | int]:
        """Registers of the bench that hold weight requests."""
        widths = self.widths
        digits = np.zeros((self.room.requests, widths.request_bits), np.uint8)
        for n, (address, row) in enumerate(requests):
            if row is not None:
                digits[n, : widths.row_bits] = row
                digits[n, -1] = 1
            digits[n, widths.row_bits : -1] = bench.to_digits(
                np.array([address]), widths.address_bits, widths.address_bits
            )
        return {"requests": bench.value(digits), "request_count": len(requests)}

    def replies(
        self, answer: dict[str, str], requests: list[tuple[int, np.ndarray | None]]
    ) -> np.ndarray:
        """Bits of the rows that an order read, reads x row bits."""
        reads = sum(row is None for _, row in requests)
        digits = bench.digits(answer["replies"], reads * self.widths.row_bits)
        return digits.reshape(reads, self.widths.row_bits)

    def orders(self, volleys: np.ndarray, learn: bool, log: bool = False) -> Iterator[Order]:
        """Cut checked volleys into orders."""
        flags = START | (LEARN if learn else 0) | (LOG if log else 0)
        size = self.room.logs if log else self.room.waves
        bits = self.config.column.time_bits
        get = ["results", "stamps", *(["weights"] if log else [])]
        for start in range(0, len(volleys), size):
            part = volleys[start : start + size]
            digits = np.zeros((self.room.waves, self.widths.volley_bits), np.uint8)
            digits[: len(part)] = bench.to_digits(part, bits, self.widths.volley_bits)
            registers = {"volleys": bench.value(digits), "volley_count": len(part)}
            yield self._order(flags, registers, get)

    def played(self, answer: dict[str, str], waves: int, before: int = 0) -> Played:
        """Decode what an order logged; `before` is the cycle counter before its first wave."""
        self._check(answer)
        config, widths = self.config, self.widths
        column = config.column
        results = bench.digits(answer["results"], waves * widths.result_bits)
        results = results.reshape(waves, widths.result_bits)
        times = results[:, : widths.times_bits].reshape(waves, config.outputs, column.time_bits)
        stamps = bench.from_text(answer["stamps"], 32, waves)
        weights = None
        if "weights" in answer:
            planes = bench.digits(answer["weights"], waves * bench.weight_bits(config))
            planes = planes.reshape(waves, config.columns, column.q, column.w_bits, column.p)
            weights = bench.join(planes.swapaxes(-1, -2))
        return Played(
            bench.join(times),
            bench.join(results[:, widths.times_bits :]) if widths.class_bits else None,
            np.diff(stamps, prepend=np.uint32(before)).astype(np.uint32),
            weights,
        )

    def play(
        self,
        volleys: np.ndarray,
        learn: bool = False,
        log: bool = False,
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
        on_waves
            Called with the number of waves after every order, for progress bars.
        """
        volleys = check_times(volleys, self.config)
        check_learning(self.config, learn)
        parts = []
        for order in self.orders(volleys, learn, log):
            answer = self.session.play(order)[0]
            waves = order["set"]["volley_count"]
            parts.append(self.played(answer, waves, self._cycles))
            self._cycles = int(answer["stamps"][-32 * waves :][:32], 2)
            if on_waves is not None:
                on_waves(waves)
        if not parts:
            return self._nothing(log)
        return Played(
            np.concatenate([part.times for part in parts]),
            _concatenate([part.classes for part in parts]),
            np.concatenate([part.cycles for part in parts]),
            _concatenate([part.weights for part in parts]),
        )

    def _nothing(self, log: bool) -> Played:
        config, column = self.config, self.config.column
        none = np.zeros(0, np.uint8)
        shape = (0, config.columns, column.q, column.p)
        return Played(
            np.zeros((0, config.outputs), column.times_dtype),
            none if self.widths.class_bits else None,
            np.zeros(0, np.uint32),
            np.zeros(shape, np.uint8) if log else None,
        )

    def _order(
        self, flags: int, registers: Mapping[str, int | str] | None = None, get: Sequence[str] = ()
    ) -> Order:
        flags |= self._stall | (DUMP if self.dump else 0)
        registers = {"volley_count": 0, "request_count": 0, **(registers or {}), "flags": flags}
        return {"set": registers, "get": [*get, "faults", "received"]}

    def _check(self, answer: dict[str, str]) -> None:
        faults = int(answer["faults"], 2)
        if faults:
            said = [text for bit, text in bench.FAULTS.items() if faults >> bit & 1]
            after = int(answer["received"], 2)
            raise SimulationError(f"{'; '.join(said)} ({after} waves of the order had ended)")


def check_learning(config: Config, learn: bool) -> None:
    """Refuse to learn on hardware without STDP."""
    if learn and not config.hardware.learning:
        raise BadInput("learn must be off: the config's hardware.learning is false")


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
) -> Result:
    """Play volleys on the RTL of a model, one wave each: `golden.network.run`, one level down.

    Parameters
    ----------
    model, volleys, learn
        As `golden.network.run` takes them.
    simulator, stalls, waves
        See `Core`.
    on_waves
        Called with the number of waves played since the last call.

    Returns
    -------
    Result
        With `cycles`; `state` is 0, for hardware does not tell it.

    Raises
    ------
    BadInput
        Volleys that do not fit, or no simulator here.
    """
    volleys = check_times(volleys, model.config)
    check_learning(model.config, learn)
    with Core(model.config, simulator, stalls, waves=waves) as core:
        core.write(model)
        played = core.play(volleys, learn, on_waves=on_waves)
        weights = core.read()
    classes = played.classes if model.readout is not None else None
    return Result(played.times, weights, classes, played.cycles)
