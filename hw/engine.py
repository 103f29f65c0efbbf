"""A column engine: one set of neurons that plays the columns of a slice, one after the other."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from racewave.golden.stage import Stage
from racewave.hw.counts import Counts
from racewave.hw.decide import Decide
from racewave.hw.draws import Draws, SynapseUpdate
from racewave.hw.hierarchy import Unit, place
from racewave.hw.scan import Scan, bits_for, code_bits
from racewave.hw.stdp import Rule, Update

__all__ = ["Engine", "outcome_layout"]


def outcome_layout(stage: Stage, hidden: bool) -> StructLayout:
    """What an engine says about a column: its times, and which column it is.

    Another layer wants to know where the column lies in its grid, a host its number.
    """
    times = {"times": stage.column.q * stage.column.time_bits}
    if not hidden:
        return StructLayout(times | {"number": bits_for(stage.columns)})
    row, place = bits_for(stage.grid[0]), bits_for(stage.grid[1] * stage.copies)
    return StructLayout(times | {"row": row, "place": place})


class Engine(Unit):
    """Reads one row of weights per spike, counts, decides, learns; column after column.

    While a column is decided the next one's rows are read. A column takes as many clocks as the
    longest of: its spikes (at least one per segment), ``steps + 3`` and what the k-WTA adds, its
    winners and 4 for the read-out; and in a learning wave its spikes and its lines.

    Parameters
    ----------
    stage : Stage
        The layer.
    columns : int
        Columns of the engine, consecutive ones of the layer.
    learning : bool
        With STDP.
    votes, hidden : bool
        A read-out, or another layer, is behind it.

    Members
    -------
    begin, half, scanned, idle : In(1), In(1), Out(1), Out(1)
        A wave begins, its volley is in this half of the store; the store has been read, the next
        wave may begin; nothing is under way.
    learn, decisions : In(1), In(draws)
        The wave learns, sampled with `begin`; its random decisions, stable while not `idle`
        (learning only; decisions: randomness "layer").
    reseed, seeds
        See `Draws` (learning with randomness "synapse").
    emit : In(1)
        Outcomes go out; stable while not `idle`.
    origin_row, origin_place, origin_copy
        See `Cursor`.
    origin_number : In
        Number of the first column.
    origin_at, origin_slot : In
        Or, in a hidden layer, row and place in the layer's grid (places count the copies).
    store_address, store_read, store_word, store_held
        Port of the store, see `Scan`.
    row_address, row_read, row_word : Out, Out(1), In
        Read port of the weights: a row one clock after `row_read`.
    row_write, write_address, write_word : Out
        Write port of the weights (learning only).
    winners, times, vote, voting : Out, Out, Out(1), In(1)
        Winners of a column, valid with `vote`; their times, stable while `voting`, from the clock
        after `vote` on (votes only).
    outcome : Out(stream)
        Outcome of a column, in order.
    """

    def __init__(self, stage: Stage, columns: int, learning: bool, votes: bool, hidden: bool):
        self.stage, self.columns = stage, columns
        self.learning, self.votes, self.hidden = learning, votes, hidden
        column = stage.column
        rows, width = stage.source_grid
        row_bits, address = column.q * column.w_bits, bits_for(columns * column.p)
        members = {
            "begin": In(1),
            "half": In(1),
            "scanned": Out(1),
            "idle": Out(1),
            "emit": In(1),
            "origin_row": In(bits_for(rows)),
            "origin_place": In(bits_for(stage.grid[1])),
            "origin_copy": In(bits_for(stage.copies)),
            "store_address": Out(bits_for(rows) + 1),
            "store_read": Out(1),
            "store_held": In(1),
            "store_word": In(width * stage.channels * code_bits(column.t_in)),
            "row_address": Out(address),
            "row_read": Out(1),
            "row_word": In(row_bits),
            "outcome": Out(stream.Signature(outcome_layout(stage, hidden))),
        }
        if hidden:
            members["origin_at"] = In(bits_for(stage.grid[0]))
            members["origin_slot"] = In(bits_for(stage.grid[1] * stage.copies))
        else:
            members["origin_number"] = In(bits_for(stage.columns))
        if learning:
            shared = column.randomness == "layer"
            members |= {
                "learn": In(1),
                **({"decisions": In(column.draws)} if shared else {}),
                **({} if shared else {"reseed": In(1), "seeds": In(16 * column.q)}),
                "row_write": Out(1),
                "write_address": Out(address),
                "write_word": Out(row_bits),
            }
        if votes:
            members |= {
                "winners": Out(column.q),
                "times": Out(column.q * column.time_bits),
                "vote": Out(1),
                "voting": In(1),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column = self.stage.column

        scan = place(m, "scan", Scan, self.stage, self.columns, self.learning)
        counts = place(m, "counts", Counts, column)
        decide = place(m, "decide", Decide, column)

        # Scan: rows of weights to read.
        enable = Signal()
        m.d.comb += [
            scan.begin.eq(self.begin),
            scan.half.eq(self.half),
            scan.enable.eq(enable),
            scan.word.eq(self.store_word),
            scan.held.eq(self.store_held),
            self.store_address.eq(scan.address),
            self.store_read.eq(scan.read),
            self.scanned.eq(scan.done),
            self.row_address.eq(scan.row),
            self.row_read.eq(enable),
        ]
        for name in ("origin_row", "origin_place", "origin_copy"):
            m.d.comb += getattr(scan, name).eq(getattr(self, name))

        # Count: the row is there a clock later, and what it adds again a clock later.
        valid, hit, first, last, update = (Signal(name=f"row_{n}") for n in _FLAGS)
        counted = Signal()  # the register in front of the counts holds the last row of a column
        full = Signal()  # a column is complete
        time = Signal(max(1, code_bits(column.t_in) - 1), name="row_time")
        m.d.comb += enable.eq(~full | decide.take)
        with m.If(enable):
            m.d.sync += [
                valid.eq(scan.valid),
                hit.eq(scan.hit),
                first.eq(scan.first),
                last.eq(scan.last),
                update.eq(scan.update),
                counted.eq(valid & last & ~update),
                full.eq(counted),
            ]
            if column.t_in > 1:
                m.d.sync += time.eq(scan.time)
        m.d.comb += [
            counts.enable.eq(enable),
            counts.valid.eq(valid & ~update),
            counts.first.eq(first),
            counts.hit.eq(hit & ~update),
            counts.row.eq(self.row_word),
            decide.full.eq(full),
            decide.counts.eq(counts.counts),
        ]
        if column.t_in > 1:
            m.d.comb += counts.time.eq(time)

        # Decide, and keep the outcome for whom it may concern.
        winners = Signal(column.q)
        times = Signal(column.q * column.time_bits)
        load, free = Signal(), Signal()
        m.d.comb += [load.eq(decide.done & free), decide.release.eq(free)]
        with m.If(load):
            m.d.sync += [winners.eq(decide.winners), times.eq(decide.times)]
        self._send(m, load, times)
        waiting = [self.outcome.valid & ~self.outcome.ready]
        needed = [self.outcome.valid]
        if self.votes:
            m.d.comb += [
                self.winners.eq(decide.winners),
                self.times.eq(times),
                self.vote.eq(load),
            ]
            waiting.append(self.voting)
            needed.append(self.voting)
        if self.learning:
            pending = self._learn(m, scan, load, winners, times, valid & update, last, time)
            waiting.append(pending)
            needed += [pending, self.row_write]
        m.d.comb += free.eq(~Cat(*waiting).any())
        self._count_waves(m, load, Cat(*needed).any())
        return m

    def _send(self, m: Module, load, times) -> None:
        """Offer the outcome to the stream."""
        stage, outcome = self.stage, self.outcome.payload
        done = Signal(bits_for(self.columns))  # columns of the wave so far
        with m.If(self.outcome.ready):
            m.d.sync += self.outcome.valid.eq(0)
        with m.If(load):
            m.d.sync += [self.outcome.valid.eq(self.emit), done.eq(done + 1)]
            with m.If(done == self.columns - 1):
                m.d.sync += done.eq(0)
        first = (done == 0) & ~load
        if self.hidden:
            slots = stage.grid[1] * stage.copies
            at, slot = Signal.like(outcome.row), Signal.like(outcome.place)
            with m.If(load):
                m.d.sync += [outcome.row.eq(at), outcome.place.eq(slot), slot.eq(slot + 1)]
                with m.If(slot == slots - 1):
                    m.d.sync += [slot.eq(0), at.eq(at + 1)]
            with m.If(first):
                m.d.sync += [at.eq(self.origin_at), slot.eq(self.origin_slot)]
        else:
            number = Signal.like(outcome.number)
            with m.If(load):
                m.d.sync += [outcome.number.eq(number), number.eq(number + 1)]
            with m.If(first):
                m.d.sync += number.eq(self.origin_number)
        m.d.comb += outcome.times.eq(times)

    def _learn(self, m: Module, scan, load, winners, times, passing, last, time):
        """Walk the rows of the column again; returns a signal that is high until it is done."""
        column = self.stage.column
        learn = Signal()
        pending = Signal()
        updated = Signal()
        address = Signal.like(self.write_address)
        m.d.comb += [
            scan.learn.eq(self.learn),
            scan.known.eq(pending),
            scan.updated.eq(updated),
            updated.eq(passing & last),
        ]
        with m.If(self.begin):
            m.d.sync += learn.eq(self.learn)
        with m.If(updated):
            m.d.sync += pending.eq(0)
        with m.If(load):
            m.d.sync += pending.eq(learn)

        # The rule looks at a line, or its draws are made, while its row is being read.
        spike = Signal()
        later = Signal(column.q)  # the line spiked after the neuron
        if column.t_in > 1:
            words = [times.word_select(j, column.time_bits) for j in range(column.q)]
            m.d.comb += later.eq(Cat(time > own for own in words))
        if column.randomness == "layer":
            cells = self._share_draws(m, scan, spike, later)
        else:
            cells = self._draw_each(m, scan, spike, later)
        m.d.sync += [
            spike.eq(scan.spike),
            address.eq(scan.row),
            self.write_address.eq(address),
            self.row_write.eq(passing),
        ]
        for j, cell in enumerate(cells):
            m.d.comb += [
                cell.word.eq(self.row_word.word_select(j, column.w_bits)),
                cell.winner.eq(winners[j]),
            ]
            m.d.sync += self.write_word.word_select(j, column.w_bits).eq(cell.word_out)
        return pending

    def _share_draws(self, m: Module, scan, spike, later) -> list:
        """Updates of all neurons, by the decisions of the layer."""
        column = self.stage.column
        rule = place(m, "rule", Rule, column)
        m.d.comb += [
            rule.decisions.eq(self.decisions),
            rule.active.eq(scan.valid & scan.update),
            rule.spike.eq(scan.spike),
        ]
        cells = [place(m, f"update_{j}", Update, column) for j in range(column.q)]
        for j, cell in enumerate(cells):
            m.d.comb += [cell.won.eq(rule.won), cell.lost.eq(rule.lost)]
            if column.t_in == 1:
                m.d.comb += cell.up.eq(rule.up)
            else:
                m.d.comb += [cell.late.eq(rule.late), cell.later.eq(~spike | later[j])]
        return cells

    def _draw_each(self, m: Module, scan, spike, later) -> list:
        """Updates of all neurons, each synapse by draws of its own."""
        column = self.stage.column
        draws = place(m, "draws", Draws, column, self.stage.columns - self.columns)
        m.d.comb += [
            draws.begin.eq(self.begin & self.learn),
            draws.reseed.eq(self.reseed),
            draws.seeds.eq(self.seeds),
            draws.advance.eq(scan.valid & scan.update),
        ]
        cells = [place(m, f"update_{j}", SynapseUpdate, column) for j in range(column.q)]
        for j, cell in enumerate(cells):
            m.d.comb += [
                cell.spike.eq(spike),
                cell.later.eq(later[j]),
                cell.hits.eq(draws.hits.word_select(j, 4)),
                cell.least.eq(draws.least[j]),
                cell.value.eq(draws.values.word_select(j, column.prob_bits)),
            ]
        return cells

    def _count_waves(self, m: Module, load, needed) -> None:
        """Idle: every wave that began has ended, and nobody needs its last outcome."""
        done = Signal(bits_for(self.columns + 1))
        under_way = Signal(3)  # a wave per pipeline stage, if there is one column
        ends = Signal()
        m.d.comb += ends.eq(load & (done == self.columns - 1))
        with m.If(load):
            m.d.sync += done.eq(done + 1)
        with m.If(ends):
            m.d.sync += done.eq(0)
        m.d.sync += under_way.eq(under_way + self.begin - ends)
        m.d.comb += self.idle.eq((under_way == 0) & ~needed)


_FLAGS = ("valid", "hit", "first", "last", "update")
