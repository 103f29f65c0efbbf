"""Several streams into one, and sums of many engines into one class."""

import operator

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from racewave.hw.hierarchy import Unit
from racewave.hw.scan import bits_for
from racewave.hw.wta import lowest

__all__ = ["Argmax", "Merge", "balanced"]


def balanced(operation, values: list) -> Value:
    """Reduce values in a tree, not in a chain."""
    while len(values) > 1:
        pairs = [operation(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[2 * len(pairs) :]
    return values[0]


class Merge(Unit):
    """Takes from several streams, lowest number first, through a register.

    Parameters
    ----------
    streams : int
        How many.
    bits : int
        Bits of a payload.

    Members
    -------
    i : In(stream.Signature(bits)).array(streams)
    o : Out(stream.Signature(bits))
    """

    def __init__(self, streams: int, bits: int):
        self.streams, self.bits = streams, bits
        super().__init__(
            {
                "i": In(stream.Signature(bits)).array(streams),
                "o": Out(stream.Signature(bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        waiting = Cat(port.valid for port in self.i)
        chosen = Signal(self.streams)
        room = Signal()
        m.d.comb += [chosen.eq(lowest(waiting)), room.eq(~self.o.valid | self.o.ready)]
        payloads = [port.payload & chosen[n].replicate(self.bits) for n, port in enumerate(self.i)]
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(waiting.any()),
                self.o.payload.eq(balanced(operator.or_, payloads)),
            ]
        for n, port in enumerate(self.i):
            m.d.comb += port.ready.eq(room & chosen[n])
        return m


class Argmax(Unit):
    """Adds the sums of all engines, class by class, and takes the first largest.

    The engines are added in a tree with a register behind every pair. Latency from `start` to
    `done`: classes + levels of the tree + 2 clocks.

    Parameters
    ----------
    engines, classes : int
        Sums per class, and classes.
    sum_bits : int
        Bits of a signed sum of one engine.
    margin : int or None
        Tell, too, whether a label leads all other classes by so much.

    Members
    -------
    start, done : In(1), Out(1)
        All sums are ready, until `done`.
    label, rival, close : In, Out, Out(1)
        The label; the first largest class beside it; it does not lead that one by the margin. Valid
        with `done`, the rival until the next (with a margin).
    number, sums : Out, In(engines * sum_bits)
        Class, and its sums one clock later.
    best : Out
        Class with the largest sum; valid with `done`.
    """

    def __init__(self, engines: int, classes: int, sum_bits: int, margin: int | None = None):
        self.engines, self.classes, self.sum_bits = engines, classes, sum_bits
        self.margin = margin
        members = {
            "start": In(1),
            "done": Out(1),
            "number": Out(bits_for(classes)),
            "sums": In(engines * sum_bits),
            "best": Out(bits_for(classes)),
        }
        if margin is not None:
            members |= {
                "label": In(bits_for(classes)),
                "rival": Out(bits_for(classes)),
                "close": Out(1),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        total_bits = self.sum_bits + (self.engines - 1).bit_length()

        # The sums of class n are here a clock after n is asked for.
        running = Signal()
        arrives = [Signal(name="arrives_0")]
        m.d.sync += arrives[0].eq(running)
        values = [self.sums.word_select(n, self.sum_bits).as_signed() for n in range(self.engines)]
        while len(values) > 1:
            level = len(arrives)
            sums = []
            for n in range(0, len(values), 2):
                total = Signal(signed(self.sum_bits + level), name=f"total_{level}_{n // 2}")
                m.d.sync += total.eq(sum(values[n + 1 : n + 2], start=values[n]))
                sums.append(total)
            values = sums
            arrives.append(Signal(name=f"arrives_{level}"))
            m.d.sync += arrives[level].eq(arrives[level - 1])

        largest = Signal(signed(total_bits))
        place = Signal(bits_for(self.classes))
        m.d.sync += self.done.eq(0)
        with m.If(running):
            m.d.sync += self.number.eq(self.number + 1)
            with m.If(self.number == self.classes - 1):
                m.d.sync += running.eq(0)
        with m.Elif(self.start & ~Cat(*arrives, self.done).any()):
            m.d.sync += [running.eq(1), self.number.eq(0), place.eq(0)]
        with m.If(arrives[-1]):
            m.d.sync += place.eq(place + 1)
            with m.If((place == 0) | (values[0] > largest)):
                m.d.sync += [largest.eq(values[0]), self.best.eq(place)]
            with m.If(place == self.classes - 1):
                m.d.sync += self.done.eq(1)
        if self.margin is not None:
            self._compare(m, arrives[-1], place, values[0])
        return m

    def _compare(self, m: Module, arrives, place, value) -> None:
        """Find the rival of the label, and how much the label leads."""
        own, largest = Signal.like(value), Signal.like(value)
        first = Signal()  # no rival yet
        with m.If(self.start & ~arrives & (place == 0)):
            m.d.sync += first.eq(1)
        with m.If(arrives):
            with m.If(place == self.label):
                m.d.sync += own.eq(value)
            with m.Elif(first | (value > largest)):
                m.d.sync += [largest.eq(value), self.rival.eq(place), first.eq(0)]
        m.d.comb += self.close.eq(own - largest < self.margin)
