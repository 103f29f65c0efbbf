"""The spatial core: volleys in, results out, weights through a stream of their own."""

import operator

from amaranth.hdl import Cat, Module, Mux, Signal

from racewave.golden.config import Config
from racewave.golden.streams import Streams
from racewave.hw.boundary import core_members
from racewave.hw.control import Control
from racewave.hw.hierarchy import Unit, place
from racewave.hw.layer import Layer
from racewave.hw.merge import balanced
from racewave.hw.readout import Readout

__all__ = ["Network"]


class Network(Unit):
    """A network of temporal columns with streams around it.

    The payload of a volley stays with its sender until the wave is over: `volleys.ready` is a pulse
    in the last clock of the wave, and the core has no copy. A wave begins when `start` is high, a
    volley waits, the result of the wave before has been taken, and no weight request waits. Weight
    requests are accepted between waves only. See `Control` for the clocks of a wave.

    Synapse weights survive reset; they are 0 at power-up.

    Parameters
    ----------
    config : Config
        The network.
    readout : tuple[int, ...]
        Rows of the read-out at power-up, class 0 in the low bits.

    Members
    -------
    volleys : In(stream)
        Time code of every input line, line 0 in the low bits.
    results : Out(stream)
        Times of every neuron, column by column, and above them the class if there is a read-out.
    requests : In(stream)
        {write, address, row}, row in the low bits. An address beyond the last row reads 0; writing
        there does nothing.
    replies : Out(stream)
        The row, for every request that does not write.
    start : In(1)
        Volleys are accepted.
    learn : In(1)
        Sampled when a wave begins; without effect if the hardware has no STDP.
    reseed : In(1)
        Random generator back to its seed, for the next wave that begins.
    busy : Out(1)
        A wave is under way.
    cycles : Out(32)
        Clocks spent in waves; not counted: waiting for streams.
    waves : Out(32)
        Waves completed.
    """

    def __init__(self, config: Config, readout: tuple[int, ...] = ()):
        self.config = config
        self.readout = readout
        self.streams = streams = Streams(config)
        super().__init__(core_members(streams))

    def elaborate(self, platform):
        m = Module()
        config, column = self.config, self.config.column
        learning = config.hardware.learning

        fields = tuple(map(tuple, config.field_lines().tolist()))
        layer = place(m, "layer", Layer, column, fields, config.lines, learning)
        control = place(m, "control", Control, column, learning, config.readout is not None)

        # Wave.
        m.d.comb += [
            layer.volley.eq(self.volleys.payload),
            layer.step.eq(control.step),
            layer.run.eq(control.run),
            layer.enable.eq(control.enable),
            layer.clear.eq(control.begins),
            layer.add.eq(control.add),
            layer.decide.eq(control.decide),
            layer.fired_step.eq(control.fired_step),
            control.hold.eq(layer.hold),
            self.volleys.ready.eq(control.ends),
            self.busy.eq(~control.idle),
        ]
        if learning:
            self._connect_learning(m, layer, control)

        # Result: straight from the winners' registers, which stay until the next wave begins.
        m.d.comb += self.results.payload.eq(layer.times)
        with m.If(control.ends):
            m.d.sync += self.results.valid.eq(1)
        with m.Elif(self.results.ready):
            m.d.sync += self.results.valid.eq(0)

        with m.If(~control.idle | control.begins):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(control.ends):
            m.d.sync += self.waves.eq(self.waves + 1)

        readout = None
        if config.readout is not None:
            readout = place(
                m,
                "readout",
                Readout,
                config.columns,
                column.q,
                column.k,
                config.readout.classes,
                config.readout.bits,
                self.readout,
            )
            m.d.comb += [
                readout.start.eq(control.read),
                readout.winners.eq(layer.winners),
                control.read_done.eq(readout.done),
                self.results.payload.eq(Cat(layer.times, readout.best)),
            ]
        self._access(m, layer, control, readout)
        return m

    def _connect_learning(self, m: Module, layer, control) -> None:
        m.d.comb += [
            control.learn.eq(self.learn),
            control.ready.eq(layer.ready),
            layer.take.eq(control.take),
            layer.active.eq(control.active),
            layer.index.eq(control.index),
        ]
        # A wave that learns keeps the decisions it began with: the generator waits for it.
        pending = Signal()
        waits = Signal()
        with m.If(control.take):
            m.d.sync += waits.eq(0)
        with m.Elif(control.begins):
            m.d.sync += waits.eq(self.learn)
        m.d.comb += layer.reseed.eq((self.reseed | pending) & ~waits)
        m.d.sync += pending.eq((self.reseed | pending) & waits)

    def _access(self, m: Module, layer, control, readout) -> None:
        """Weight requests: turn the rings until the row is at the door."""
        column, streams = self.config.column, self.streams
        row_bits = column.q * column.w_bits
        columns = self.config.columns

        row = self.requests.payload[: streams.row_bits]
        address = self.requests.payload[streams.row_bits : -1]
        write = self.requests.payload[-1]

        # Which synapse is at the door. Like the rings, not reset: a reset may come at any turn.
        turn = Signal(range(column.p), reset_less=True)
        turning = Signal()
        rotate = Signal()
        m.d.comb += layer.rotate.eq(turning)
        if self.config.hardware.learning:
            m.d.comb += rotate.eq(control.rotate)
            m.d.comb += layer.rotate.eq(turning | rotate)
        with m.If(layer.rotate):
            m.d.sync += turn.eq(Mux(turn == column.p - 1, 0, turn + 1))

        # Column c has the row at its door if address == c * p + turn.
        at_door = Signal(columns)
        rest = Signal(range(-column.p, 1 << streams.address_bits))
        m.d.comb += rest.eq(address - turn)
        m.d.comb += [at_door[c].eq(rest == c * column.p) for c in range(columns)]
        in_rings = Signal()
        m.d.comb += in_rings.eq(address < streams.weight_rows)

        may = Signal()  # no wave is under way, and a reply would have room
        m.d.comb += may.eq(
            control.idle & self.requests.valid & (write | ~self.replies.valid | self.replies.ready)
        )
        done = Signal()
        fetched = Signal()  # the read-out memory shows the row
        words = Signal(row_bits)
        selected = [layer.words.word_select(c, row_bits) for c in range(columns)]
        if columns > 1:
            selected = [Mux(at_door[c], word, 0) for c, word in enumerate(selected)]
        m.d.comb += words.eq(balanced(operator.or_, selected))

        with m.If(self.replies.ready):
            m.d.sync += self.replies.valid.eq(0)
        m.d.comb += [layer.row.eq(row), self.requests.ready.eq(done)]
        with m.If(may):
            with m.If(in_rings):
                m.d.comb += [turning.eq(1), done.eq(at_door.any())]
            with m.Elif(address < streams.rows):
                if readout is not None:
                    m.d.comb += done.eq(write | fetched)
            with m.Else():
                m.d.comb += done.eq(1)
        with m.Elif(control.idle & ~self.requests.valid & self.volleys.valid & (turn != 0)):
            m.d.comb += turning.eq(1)  # home before a wave
        with m.If(done & write & in_rings):
            m.d.comb += layer.load.eq(at_door)
        with m.If(done & ~write):
            m.d.sync += self.replies.valid.eq(1)
            m.d.sync += self.replies.payload.eq(Mux(in_rings, words, 0))

        if readout is not None:
            m.d.comb += [
                readout.address.eq(address - streams.weight_rows),
                readout.row_in.eq(row),
                readout.write.eq(done & write & ~in_rings & (address < streams.rows)),
            ]
            m.d.sync += fetched.eq(may & ~write & ~in_rings & (address < streams.rows) & ~fetched)
            with m.If(done & ~write & ~in_rings & (address < streams.rows)):
                m.d.sync += self.replies.payload.eq(readout.row)

        m.d.comb += control.go.eq(
            self.start
            & self.volleys.valid
            & ~self.requests.valid
            & (turn == 0)
            & (~self.results.valid | self.results.ready)
        )
