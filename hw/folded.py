"""The folded core: weights in block memories, columns that share engines, any number of layers."""

import operator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout

from racewave.golden.config import Config
from racewave.golden.stage import Stage
from racewave.golden.streams import Streams
from racewave.hw.access import Access
from racewave.hw.boundary import core_members
from racewave.hw.folded_layer import FoldedLayer
from racewave.hw.hierarchy import Unit, place
from racewave.hw.merge import Argmax, Merge, balanced
from racewave.hw.scan import bits_for, code_bits
from racewave.hw.votes import VotesShape

__all__ = ["Folded"]


class Folded(Unit):
    """A network of temporal columns on column engines.

    A volley arrives row by row of its image, at most every second clock, while the one before is
    played, and is gone from the stream once its last row is taken. Layers work on consecutive
    volleys at the same time. Weight requests are accepted while nothing is under way; one that
    waits holds the next volley back.

    Weights are as given at power-up, and survive reset.

    Parameters
    ----------
    config : Config
        The network.
    weights : tuple[tuple[int, ...], ...]
        Rows of the weights of every layer at power-up; empty: all 0.
    readout : tuple[int, ...]
        Rows of the read-out at power-up.

    Members
    -------
    volleys : In(stream)
        A row of the image: the time code of every line, line 0 in the low bits; with a dual voter
        {valid, label} above them, of the volley's last row.
    results : Out(stream)
        {last, class, column, times}, times in the low bits: if `report` was high one beat per
        column of the final layers, in any order, then always one with `last` and the class.
    requests : In(stream)
        {write, address, row}, row in the low bits. An address beyond the last row reads 0; writing
        there does nothing.
    replies : Out(stream)
        The row, for every request that does not write.
    start : In(1)
        Volleys are accepted.
    learn, report : In(1)
        Sampled with the last row of a volley: its wave learns, its times are sent. Networks without
        read-out always report.
    reseed : In(1)
        Random generators back to their seeds, for the next wave that begins.
    busy : Out(1)
        A wave is under way, or a volley or a result waits.
    cycles : Out(32)
        Clocks in which a layer or the read-out worked.
    waves : Out(32)
        Waves completed.
    """

    def __init__(
        self,
        config: Config,
        weights: tuple[tuple[int, ...], ...] = (),
        readout: tuple[int, ...] = (),
    ):
        self.config = config
        self.weights = weights
        self.readout = readout
        self.streams = streams = Streams(config)
        super().__init__(core_members(streams))

    def elaborate(self, platform):
        m = Module()
        streams = self.streams
        layers = self._layers(m)
        banks = self._banks(layers)
        access = place(
            m,
            "access",
            Access,
            tuple(rows for _, _, rows in banks),
            streams.address_bits,
            streams.row_bits,
        )
        quiet = Signal()
        m.d.comb += [quiet.eq(~self.busy), access.quiet.eq(quiet)]
        loading = self._input(m, layers, access.on | self.requests.valid)
        for stage in self.config.stages:
            if stage not in self.config.finals:
                self._feed(m, stage, layers)
        resulting = self._results(m, layers)

        working = Cat(layer.working for layer in layers).any()
        waiting = Cat(layer.busy for layer in layers).any()
        m.d.comb += self.busy.eq(waiting | resulting | self.results.valid | loading)
        with m.If(working | resulting):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        self._connect_access(m, access, layers, banks)
        return m

    def _layers(self, m: Module) -> list:
        config, readout = self.config, self.config.readout
        finals, learning = config.finals, config.hardware.learning
        self.sum_bits = 1
        if readout is not None:
            winners = max(s.columns // s.engines * s.column.k for s in finals)  # of an engine
            self.sum_bits = VotesShape.sum_bits(readout, winners)
        block = self.streams.readout_block
        per_output = block.rows // config.outputs if block else 0
        layers, first = [], 0
        for stage in config.stages:
            final = stage in finals
            rows: tuple[int, ...] = ()
            if final:
                rows = self.readout[first : first + stage.outputs * per_output]
                first += stage.outputs * per_output
            layer = place(
                m,
                f"layer_{stage.index}",
                FoldedLayer,
                stage,
                self._parts(stage),
                not final,
                learning,
                readout if final else None,
                config.readout_times if final and readout else (),
                max(0, self.streams.label_bits - 1),
                self.sum_bits,
                self.weights[stage.index] if self.weights else (),
                rows,
            )
            if learning:
                m.d.comb += layer.reseed.eq(self.reseed)
            if not final:
                m.d.comb += layer.take.eq(layer.finished)
            layers.append(layer)
        return layers

    def _parts(self, stage: Stage) -> int:
        """Parts in which a row of a layer's source arrives: columns, or all at once."""
        if stage.source < 0:
            return 1
        source = self.config.stages[stage.source]
        return source.grid[1] * source.copies

    def _input(self, m: Module, layers: list, blocked) -> Signal:
        """Rows of the image into the stores; returns a signal that is high inside a volley."""
        config, streams = self.config, self.streams
        inputs = [layers[stage.index] for stage in config.stages if stage.source < 0]

        row = Signal(bits_for(streams.volley_beats))
        last = Signal()
        loading = Signal()
        takes = Signal()
        written = Signal()  # in the clock before: the stores are read between two rows
        room = Cat(layer.room for layer in inputs).all()
        m.d.comb += [
            last.eq(row == streams.volley_beats - 1),
            loading.eq(row != 0),
            self.volleys.ready.eq(room & ~written & (loading | (self.start & ~blocked))),
            takes.eq(self.volleys.valid & self.volleys.ready),
        ]
        m.d.sync += written.eq(takes)
        with m.If(takes):
            m.d.sync += row.eq(Mux(last, 0, row + 1))

        step_bits = code_bits(config.column.t_in) - 1
        codes = [
            self.volleys.payload.word_select(n, streams.code_bits)
            for n in range(streams.beat_lines)
        ]
        word = Cat(Cat(~code.all(), code[:step_bits]) for code in codes)
        label = self.volleys.payload[streams.beat_lines * streams.code_bits :]
        for layer in inputs:
            m.d.comb += [
                layer.write.eq(takes),
                layer.write_row.eq(row),
                layer.write_word.eq(word),
                layer.full.eq(takes & last),
                layer.learn.eq(self.learn),
                layer.report.eq(self.report if config.readout is not None else 1),
            ]
            if streams.label_bits:
                m.d.comb += [layer.known.eq(label[-1]), layer.label.eq(label[:-1])]
        return loading

    def _feed(self, m: Module, stage: Stage, layers: list) -> None:
        """Outcomes of a layer into the stores of those that read it."""
        source = layers[stage.index]
        users = [s for s in self.config.stages if s.source == stage.index]
        outcome = source.outcome
        takes, last = Signal(name=f"feeds_{stage.index}"), Signal(name=f"fed_{stage.index}")
        count = Signal(bits_for(stage.columns), name=f"columns_{stage.index}")
        room = Cat(layers[user.index].room for user in users).all()
        m.d.comb += [
            outcome.ready.eq(room),
            takes.eq(outcome.valid & room),
            last.eq(takes & (count == stage.columns - 1)),
        ]
        with m.If(takes):
            m.d.sync += count.eq(Mux(last, 0, count + 1))

        bits = stage.column.time_bits
        payload = outcome.payload
        times = [payload.times.word_select(j, bits) for j in range(stage.column.q)]
        for user in users:
            layer = layers[user.index]
            step_bits = code_bits(user.column.t_in) - 1
            codes = Cat(Cat(~time.all(), time[:step_bits]) for time in times)
            parts = self._parts(user)
            m.d.comb += [
                layer.write.eq(Mux(takes, 1 << payload.place, 0)),
                layer.write_row.eq(payload.row),
                layer.write_word.eq(codes.replicate(parts)),
                layer.full.eq(last),
                layer.learn.eq(source.learns),
                layer.report.eq(source.reports),
            ]
            if self.streams.label_bits:
                m.d.comb += [layer.known.eq(source.knows), layer.label.eq(source.labelled)]

    def _results(self, m: Module, layers: list) -> Signal:
        """Results of the final layers; returns a signal that is high while the class is sought."""
        config, streams, readout = self.config, self.streams, self.config.readout
        finals = [(stage, layers[stage.index]) for stage in config.finals]

        # Times, column by column.
        columns = self._columns(m, finals)

        # The end of a wave, with its class.
        ended = Cat(layer.finished for _, layer in finals).all() & ~columns.valid
        best = Signal(streams.class_bits)
        last = Signal()  # the last beat waits
        over = Signal()
        resulting = Signal()
        if readout is None:
            m.d.comb += over.eq(ended & ~last)
        else:
            engines = sum(stage.engines for stage in config.finals)
            learns = readout.kind == "perceptron"
            margin = (readout.margin,) if learns else ()
            argmax = place(m, "argmax", Argmax, engines, readout.classes, self.sum_bits, *margin)
            if learns:
                self._correct(m, argmax, [layer for _, layer in finals])
            m.d.comb += [
                argmax.start.eq(ended & ~last),
                argmax.sums.eq(Cat(layer.sums for _, layer in finals)),
                over.eq(argmax.done),
                resulting.eq(ended & ~last),
            ]
            for _, layer in finals:
                m.d.comb += layer.number.eq(argmax.number)
            with m.If(over):
                m.d.sync += best.eq(argmax.best)
        for _, layer in finals:
            m.d.comb += layer.take.eq(over)
        with m.If(over):
            m.d.sync += [last.eq(1), self.waves.eq(self.waves + 1)]
        with m.Elif(self.results.ready):
            m.d.sync += last.eq(0)
        m.d.comb += [
            self.results.valid.eq(last | columns.valid),
            columns.ready.eq(self.results.ready & ~last),
            self.results.payload.eq(
                Cat(
                    Mux(last, 0, columns.payload[: streams.times_bits]),
                    Mux(last, 0, columns.payload[streams.times_bits :]),
                    best & last.replicate(len(best)),
                    last,
                )
            ),
        ]
        return resulting

    def _correct(self, m: Module, argmax, layers: list) -> None:
        """A label that does not lead by the margin changes the rows of all winners."""
        known, label = layers[0].knows, layers[0].labelled
        m.d.comb += argmax.label.eq(label)
        for layer in layers:
            m.d.comb += [
                layer.correct.eq(argmax.done & known & argmax.close),
                layer.rival.eq(argmax.rival),
            ]

    def _columns(self, m: Module, finals: list):
        """Stream of {column, times} of all final layers."""
        streams = self.streams
        layout = StructLayout({"times": streams.times_bits, "column": streams.column_bits})
        signature = stream.Signature(layout.size)
        ports, first = [], 0
        for stage, layer in finals:
            port = signature.create(path=(f"columns_{stage.index}",))
            payload = layer.outcome.payload
            number = Signal(streams.column_bits, name=f"column_{stage.index}")
            times = Signal(streams.times_bits, name=f"times_{stage.index}")
            m.d.comb += [
                number.eq(payload.number + first),
                times.eq(payload.times),
                port.valid.eq(layer.outcome.valid),
                port.payload.eq(Cat(times, number)),
                layer.outcome.ready.eq(port.ready),
            ]
            ports.append(port)
            first += stage.columns
        if len(ports) == 1:
            return ports[0]
        merge = place(m, "merge", Merge, len(ports), layout.size)
        for i, port in zip(merge.i, ports, strict=True):
            m.d.comb += [
                i.valid.eq(port.valid),
                i.payload.eq(port.payload),
                port.ready.eq(i.ready),
            ]
        return merge.o

    def _banks(self, layers: list) -> list[tuple[int, int, int]]:
        """Memories in the order of their addresses: layer, number in the layer, rows."""
        banks = []
        for stage in self.config.stages:
            rows = stage.columns // stage.engines * stage.column.p
            banks += [(stage.index, e, rows) for e in range(stage.engines)]
        block = self.streams.readout_block
        if block is not None:
            for stage in self.config.finals:
                rows = stage.outputs // stage.engines * (block.rows // self.config.outputs)
                banks += [(stage.index, stage.engines + e, rows) for e in range(stage.engines)]
        return banks

    def _connect_access(self, m: Module, access, layers: list, banks: list) -> None:
        for member in ("requests", "replies"):
            inner, outer = getattr(access, member), getattr(self, member)
            source, sink = (inner, outer) if member == "replies" else (outer, inner)
            m.d.comb += [
                sink.valid.eq(source.valid),
                sink.payload.eq(source.payload),
                source.ready.eq(sink.ready),
            ]
        for index, layer in enumerate(layers):
            targets = Signal(len(layer.target), name=f"target_{index}")
            m.d.comb += [
                targets[place].eq(access.target[n])
                for n, (owner, place, _) in enumerate(banks)
                if owner == index
            ]
            m.d.comb += [
                layer.target.eq(targets),
                layer.access.eq(access.on),
                layer.address.eq(access.address),
                layer.row_in.eq(access.row),
                layer.write_in.eq(access.write),
            ]
        m.d.comb += access.shown.eq(balanced(operator.or_, [layer.row_out for layer in layers]))
