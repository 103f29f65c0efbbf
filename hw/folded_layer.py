"""A folded layer: N engines, each with its slice of columns, weights and read-out."""

import operator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ReadoutConfig
from racewave.golden.stage import Stage
from racewave.hw.draws import seeds
from racewave.hw.engine import Engine, outcome_layout
from racewave.hw.hierarchy import Unit, place
from racewave.hw.memory import Rows, Store
from racewave.hw.merge import Merge, balanced
from racewave.hw.scan import bits_for, code_bits, origins
from racewave.hw.stdp import Decisions
from racewave.hw.votes import Votes, VotesShape

__all__ = ["FoldedLayer"]


class FoldedLayer(Unit):
    """Plays waves on the columns of a layer, while the next volley arrives.

    Waves without learning, label and report overlap: the next one begins as soon as the store has
    been read. All others begin when nothing is under way.

    Parameters
    ----------
    stage : Stage
        The layer.
    parts : int
        Parts of a row of the source that arrive by themselves.
    learning : bool
        With STDP.
    readout : ReadoutConfig or None
        Read-out behind it.
    codes : tuple[int, ...]
        See `Votes`.
    label_bits : int
        Bits of a label; 0 if no layer of the network uses labels.
    sum_bits : int
        Bits of the sums of an engine.
    weights, rows : tuple[int, ...]
        Rows of the weights and of the read-out at power-up.

    Members
    -------
    write, write_row, write_word, full : In(parts), In, In, In(1)
        Lines of the volley that arrives: `code_bits` each; with `full` it is complete.
    room : Out(1)
        Lines may arrive.
    learn, report, known, label : In
        Of the volley, with `full`.
    learns, reports, knows, labelled : Out
        Of the wave under way.
    reseed : In(1)
        Random generator back to its seed.
    outcome : Out(stream)
        See `Engine`; columns of different engines in any order. Flows if the layer is somebody's
        source (`hidden`), else in waves that report.
    finished, take : Out(1), In(1)
        A wave is over, its sums are ready; they have been used.
    number, sums : In, Out
        See `Argmax`.
    correct, rival : In(1), In
        See `Votes` (perceptron).
    working, busy : Out(1)
        A wave is under way; or a volley waits.
    access : In(1)
        The memories belong to the weight stream; only while not `busy`.
    target, address, row_in, write_in : In(2 * engines), In, In, In(1)
        Memory (weights of engine 0, 1, ..., then read-outs), row, its bits, write it.
    row_out : Out
        The row, one clock later.
    """

    def __init__(
        self,
        stage: Stage,
        parts: int,
        hidden: bool,
        learning: bool,
        readout: ReadoutConfig | None,
        codes: tuple[int, ...],
        label_bits: int,
        sum_bits: int,
        weights: tuple[int, ...] = (),
        rows: tuple[int, ...] = (),
    ):
        self.stage, self.parts, self.hidden, self.learning = stage, parts, hidden, learning
        self.readout, self.codes, self.sum_bits = readout, codes, sum_bits
        self.label_bits = label_bits
        self.weights, self.rows = weights, rows
        self.voter = readout is not None and readout.kind == "dual-voter"
        self.perceptron = readout is not None and readout.kind == "perceptron"
        column = stage.column
        self.columns = stage.columns // stage.engines
        self.weight_bits = column.q * column.w_bits
        self.vote_bits = VotesShape.row_bits(readout) if readout else 0
        self.weight_rows = self.columns * column.p
        self.vote_rows = self.columns * column.q * (len(codes) if self.voter else 1)
        source_rows, width = stage.source_grid
        depth = max(self.weight_rows, self.vote_rows if readout else 0)
        widest = max(self.weight_bits, self.vote_bits)
        members = {
            "write": In(parts),
            "write_row": In(bits_for(source_rows)),
            "write_word": In(width * stage.channels * code_bits(column.t_in)),
            "full": In(1),
            "room": Out(1),
            "report": In(1),
            "reports": Out(1),
            "learn": In(1),
            "learns": Out(1),
            "outcome": Out(stream.Signature(outcome_layout(stage, hidden))),
            "finished": Out(1),
            "take": In(1),
            "working": Out(1),
            "busy": Out(1),
            "access": In(1),
            "target": In(2 * stage.engines),
            "address": In(bits_for(depth)),
            "row_in": In(widest),
            "write_in": In(1),
            "row_out": Out(widest),
        }
        if learning:
            members["reseed"] = In(1)
        if readout is not None:
            members |= {
                "number": In(bits_for(readout.classes)),
                "sums": Out(stage.engines * sum_bits),
            }
            if self.perceptron:
                members |= {"correct": In(1), "rival": In(bits_for(readout.classes))}
        if label_bits:
            members |= {
                "known": In(1),
                "label": In(label_bits),
                "knows": Out(1),
                "labelled": Out(label_bits),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        engines = [
            place(
                m,
                f"engine_{e}",
                Engine,
                self.stage,
                self.columns,
                self.learning,
                self.readout is not None,
                self.hidden,
            )
            for e in range(self.stage.engines)
        ]
        ended = self._votes(m, engines)
        self._weights(m, engines)
        self._waves(m, engines, ended)
        self._merge(m, engines)
        return m

    def _waves(self, m: Module, engines: list, ended) -> None:
        """Two volleys in the store, and the wave under way."""
        stage = self.stage
        scanned = Cat(engine.scanned for engine in engines).all()
        idle = Cat(engine.idle for engine in engines).all()
        full = Signal(2)
        to, of = Signal(), Signal()  # half that is written, half that is played
        flags = {"report": self.reports, "learn": self.learns}
        if self.label_bits:
            flags |= {"known": self.knows, "label": self.labelled}
        held = [Cat(Signal(len(out), name=f"{n}_{h}") for n, out in flags.items()) for h in (0, 1)]
        arriving = Cat(getattr(self, name) for name in flags)
        current = Cat(*flags.values())
        following = Mux(of, held[1], held[0])
        plain = ~following[:3].any() & ~current[:3].any()  # report, learn, known

        begin, begun, scanning = Signal(), Signal(), Signal()
        calm = Signal()
        ready = Signal(init=1)
        m.d.comb += [
            self.room.eq(~full.bit_select(to, 1)),
            calm.eq(idle & ~ended),
            begin.eq(full.bit_select(of, 1) & ~scanning & scanned & ready & (calm | plain)),
            self.working.eq(scanning | ~idle | begin),
            self.busy.eq(full.any() | scanning | ~idle | ended | self.outcome.valid),
        ]
        m.d.sync += begun.eq(begin)
        with m.If(begin):
            m.d.sync += [scanning.eq(1), current.eq(following)]
        with m.If(scanning & scanned & ~begun):
            m.d.sync += [scanning.eq(0), full.bit_select(of, 1).eq(0), of.eq(~of)]
        with m.If(self.full):
            m.d.sync += [full.bit_select(to, 1).eq(1), to.eq(~to)]
            with m.If(to):
                m.d.sync += held[1].eq(arriving)
            with m.Else():
                m.d.sync += held[0].eq(arriving)

        shared = self.learning and stage.column.randomness == "layer"
        if shared:
            decisions = place(m, "decisions", Decisions, stage.column)
            m.d.comb += [
                ready.eq(decisions.ready | ~following[1]),
                decisions.reseed.eq(self.reseed),
                decisions.take.eq(begin & following[1]),
            ]
        for e, engine in enumerate(engines):
            store = place(m, f"store_{e}", Store, stage, self.parts)
            where = origins(stage, self.columns, e)
            number = e * self.columns
            at, slot = divmod(number, stage.grid[1] * stage.copies)
            m.d.comb += [
                store.write.eq(self.write),
                store.write_address.eq(Cat(self.write_row, to)),
                store.write_word.eq(self.write_word),
                store.address.eq(engine.store_address),
                store.read.eq(engine.store_read),
                engine.store_word.eq(store.word),
                engine.store_held.eq(self.write.any()),
                engine.begin.eq(begin),
                engine.half.eq(of),
                engine.emit.eq(self.reports | int(self.hidden)),
                engine.origin_row.eq(where["row"]),
                engine.origin_place.eq(where["place"]),
                engine.origin_copy.eq(where["copy"]),
            ]
            if self.hidden:
                m.d.comb += [engine.origin_at.eq(at), engine.origin_slot.eq(slot)]
            else:
                m.d.comb += engine.origin_number.eq(number)
            if self.learning:
                m.d.comb += engine.learn.eq(following[1])
            if shared:
                m.d.comb += engine.decisions.eq(decisions.decisions)
            elif self.learning:
                first = seeds(stage.column, number)
                m.d.comb += [engine.reseed.eq(self.reseed), engine.seeds.eq(first)]

        # The end of a wave.
        if self.readout is None:
            m.d.comb += self.finished.eq(ended & idle & ~begun & ~self.outcome.valid)
            with m.If(self.take):
                m.d.sync += ended.eq(0)
            with m.If(begin):
                m.d.sync += ended.eq(1)
        else:
            m.d.comb += self.finished.eq(ended & (~self.reports | (idle & ~self.outcome.valid)))

    def _weights(self, m: Module, engines: list) -> None:
        count = len(engines)
        shown = Signal.like(self.target)
        m.d.sync += shown.eq(self.target)
        out = []
        for e, engine in enumerate(engines):
            init = self.weights[e * self.weight_rows :][: self.weight_rows]
            rows = place(
                m, f"weights_{e}", Rows, self.weight_bits, self.weight_rows, self.learning, init
            )
            own = self.target[e]
            m.d.comb += [
                rows.address.eq(Mux(self.access, self.address, engine.row_address)),
                rows.read.eq(engine.row_read | self.access),
                engine.row_word.eq(rows.row),
                rows.write.eq(own & self.write_in),
                rows.write_address.eq(self.address),
                rows.write_row.eq(self.row_in),
            ]
            if self.learning:
                with m.If(~self.access):
                    m.d.comb += [
                        rows.write.eq(engine.row_write),
                        rows.write_address.eq(engine.write_address),
                        rows.write_row.eq(engine.write_word),
                    ]
            out.append(Mux(shown[e], rows.row, 0))
            if self.readout is not None:
                out.append(Mux(shown[count + e], self._vote_rows[e], 0))
        m.d.comb += self.row_out.eq(balanced(operator.or_, out))

    def _votes(self, m: Module, engines: list):
        """Read-outs of the engines; returns a signal that is high when their sums are ready."""
        self._vote_rows = []
        if self.readout is None:
            return Signal(name="ended")
        column, count = self.stage.column, len(engines)
        finished = []
        for e, engine in enumerate(engines):
            votes = place(
                m,
                f"votes_{e}",
                Votes,
                self.readout,
                self.columns,
                column.q,
                column.k,
                self.codes,
                column.time_bits,
                self.sum_bits,
            )
            init = self.rows[e * self.vote_rows :][: self.vote_rows]
            learns = self.voter or self.perceptron
            rows = place(m, f"readout_{e}", Rows, self.vote_bits, self.vote_rows, learns, init)
            m.d.comb += [
                votes.start.eq(engine.vote),
                votes.winners.eq(engine.winners),
                votes.times.eq(engine.times),
                engine.voting.eq(votes.busy),
                votes.row.eq(rows.row),
                rows.address.eq(Mux(self.access, self.address, votes.address)),
                rows.read.eq(1),
                rows.write.eq(self.target[count + e] & self.write_in),
                rows.write_address.eq(self.address),
                rows.write_row.eq(self.row_in),
                votes.take.eq(self.take),
                votes.number.eq(self.number),
                self.sums.word_select(e, self.sum_bits).eq(votes.sum),
            ]
            if self.voter:
                m.d.comb += votes.known.eq(self.knows)
            if self.perceptron:
                m.d.comb += [votes.correct.eq(self.correct), votes.rival.eq(self.rival)]
            if learns:
                m.d.comb += votes.label.eq(self.labelled)
                with m.If(~self.access):
                    m.d.comb += [
                        rows.write.eq(votes.write),
                        rows.write_address.eq(votes.write_address),
                        rows.write_row.eq(votes.write_row),
                    ]
            self._vote_rows.append(rows.row)
            finished.append(votes.finished)
        return Cat(*finished).all()

    def _merge(self, m: Module, engines: list) -> None:
        outcomes = [engine.outcome for engine in engines]
        source = outcomes[0]
        if len(outcomes) > 1:
            bits = outcome_layout(self.stage, self.hidden).size
            merge = place(m, "merge", Merge, len(outcomes), bits)
            waits = self._in_step(m, outcomes)
            for n, (port, outcome) in enumerate(zip(merge.i, outcomes, strict=True)):
                m.d.comb += [
                    port.valid.eq(outcome.valid & ~waits[n]),
                    port.payload.eq(outcome.payload),
                    outcome.ready.eq(port.ready & ~waits[n]),
                ]
            source = merge.o
        m.d.comb += [
            self.outcome.valid.eq(source.valid),
            self.outcome.payload.eq(source.payload),
            source.ready.eq(self.outcome.ready),
        ]

    def _in_step(self, m: Module, outcomes: list) -> Signal:
        """Engines whose next outcome is of the wave after the one that the others still send.

        Only waves without report overlap: nobody but the next layer sees two of them at a time.
        """
        waits = Signal(len(outcomes))
        if not self.hidden:
            return waits
        sent = Signal(len(outcomes))  # with this clock's outcomes
        for n, outcome in enumerate(outcomes):
            count = Signal(bits_for(self.columns), name=f"sent_{n}")
            takes, last = Signal(name=f"sends_{n}"), Signal(name=f"sends_last_{n}")
            m.d.comb += [
                takes.eq(outcome.valid & outcome.ready),
                last.eq(takes & (count == self.columns - 1)),
                sent[n].eq(waits[n] | last),
            ]
            with m.If(takes):
                m.d.sync += count.eq(Mux(last, 0, count + 1))
        m.d.sync += waits.eq(Mux(sent.all(), 0, sent))
        return waits
