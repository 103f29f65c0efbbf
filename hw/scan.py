"""Walks the receptive fields of an engine's columns and finds the lines that spiked."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden.stage import Stage
from racewave.hw.hierarchy import Unit, place
from racewave.hw.wta import lowest

__all__ = ["Cursor", "Scan", "bits_for", "code_bits", "encode", "origins"]


def bits_for(values: int) -> int:
    """Bits of a number 0..values-1; at least 1."""
    return max(1, (values - 1).bit_length())


def code_bits(t_in: int) -> int:
    """Bits of a line in the store: it spikes, and above that the step, if there are several."""
    return 1 + (t_in - 1).bit_length()


def encode(one_hot: Value, count: int) -> Value:
    """Number of the bit that is set."""
    return Cat(
        Cat(one_hot[n] for n in range(count) if n >> bit & 1).any()
        for bit in range(bits_for(count))
    )


def origins(stage: Stage, columns: int, engine: int) -> dict[str, int]:
    """Where an engine that has `columns` columns begins: inputs of `Cursor`."""
    number = columns * engine
    position, copy = divmod(number, stage.copies)
    row, place = divmod(position, stage.grid[1])
    return {"row": row * stage.stride, "place": place, "copy": copy}


class Cursor(Unit):
    """Goes through the columns of an engine, and through the rows of each one's field.

    Parameters
    ----------
    stage : Stage
        The layer.
    columns : int
        Columns of the engine, consecutive ones of the layer.

    Members
    -------
    restart, next : In(1)
        To the first row of the first column; to the next row.
    origin_row, origin_place, origin_copy : In
        First column: source row and horizontal position of its field, number of the copy.
    row, place, base : Out
        Source row; horizontal position; row of the weights of the first line.
    first, last : Out(1)
        First, last column of the engine.
    top, bottom : Out(1)
        First, last row of the field.
    """

    def __init__(self, stage: Stage, columns: int):
        self.stage = stage
        self.columns = columns
        row, place = bits_for(stage.source_grid[0]), bits_for(stage.grid[1])
        super().__init__(
            {
                "restart": In(1),
                "next": In(1),
                "origin_row": In(row),
                "origin_place": In(place),
                "origin_copy": In(bits_for(stage.copies)),
                "row": Out(row),
                "place": Out(place),
                "base": Out(bits_for(columns * stage.column.p)),
                "first": Out(1),
                "last": Out(1),
                "top": Out(1),
                "bottom": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        stage = self.stage
        height, width = stage.field

        above = Signal(bits_for(stage.source_grid[0]))  # first source row of the field
        offset = Signal(bits_for(height))
        copy = Signal(bits_for(stage.copies))
        number = Signal(bits_for(self.columns))
        m.d.comb += [
            self.row.eq(above + offset),
            self.top.eq(offset == 0),
            self.bottom.eq(offset == height - 1),
            self.first.eq(number == 0),
            self.last.eq(number == self.columns - 1),
        ]
        with m.If(self.next):
            m.d.sync += [self.base.eq(self.base + width * stage.channels), offset.eq(offset + 1)]
            with m.If(self.bottom):
                m.d.sync += [offset.eq(0), number.eq(number + 1), copy.eq(copy + 1)]
                with m.If(copy == stage.copies - 1):
                    m.d.sync += [copy.eq(0), self.place.eq(self.place + 1)]
                    with m.If(self.place == stage.grid[1] - 1):
                        m.d.sync += [self.place.eq(0), above.eq(above + stage.stride)]
        with m.If(self.restart):
            m.d.sync += [
                above.eq(self.origin_row),
                self.place.eq(self.origin_place),
                copy.eq(self.origin_copy),
                offset.eq(0),
                number.eq(0),
                self.base.eq(0),
            ]
        return m


class Scan(Unit):
    """Turns a volley into the rows of weights that an engine has to read, one per clock.

    Segment by segment (the part of a source row that lies in a field) it fetches a word of the
    store, and sends an event for every line of the segment that spiked. A segment without spikes
    takes one clock. In a learning wave each column is walked again, line by line, once its winners
    are known: after the scan of the column behind it, so that its decision costs no time.

    An event without `hit` only says that a column has ended. Latency: 5 clocks from `begin` to the
    first event.

    Parameters
    ----------
    stage : Stage
        The layer.
    columns : int
        Columns of the engine.
    learning : bool
        With the second walk.

    Members
    -------
    begin, half, learn : In(1)
        A wave begins, its volley is in this half of the store, it learns. Only while `done`.
    origin_row, origin_place, origin_copy
        See `Cursor`.
    known, updated : In(1)
        Winners of the oldest column that was not walked again are known; its walk has had its
        effect (learning only).
    address, read, word, held : Out, Out(1), In, In(1)
        Port of the store: row, with the half on top; a word one clock after `read`; it cannot be
        read now.
    enable : In(1)
        The event is taken.
    valid : Out(1)
        There is an event: row `row` of the weights.
    row, hit, time, spike, first, last, update : Out
        Row; a line goes with the event; its step (t_in > 1); whether it spiked; first and last
        event of a column; event of the second walk.
    done : Out(1)
        The store has been read.
    """

    def __init__(self, stage: Stage, columns: int, learning: bool):
        self.stage = stage
        self.columns = columns
        self.learning = learning
        rows, width = stage.source_grid
        self.code_bits = code_bits(stage.column.t_in)
        members = {
            "begin": In(1),
            "half": In(1),
            "origin_row": In(bits_for(rows)),
            "origin_place": In(bits_for(stage.grid[1])),
            "origin_copy": In(bits_for(stage.copies)),
            "address": Out(bits_for(rows) + 1),
            "read": Out(1),
            "held": In(1),
            "word": In(width * stage.channels * self.code_bits),
            "enable": In(1),
            "valid": Out(1),
            "row": Out(bits_for(columns * stage.column.p)),
            "hit": Out(1),
            "spike": Out(1),
            "first": Out(1),
            "last": Out(1),
            "update": Out(1),
            "done": Out(1),
        }
        if stage.column.t_in > 1:
            members["time"] = Out(self.code_bits - 1)
        if learning:
            members |= {"learn": In(1), "known": In(1), "updated": In(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        stage, codes = self.stage, self.code_bits
        lines = stage.field[1] * stage.channels  # of a segment
        ready = Signal()  # the register behind the store is or becomes free

        # Which segment is next.
        cursor = self._place_cursor(m, "scan")
        want = Signal()
        half = Signal()
        row, position, base = cursor.row, cursor.place, cursor.base
        top, bottom, update = cursor.top, cursor.bottom, Signal()
        m.d.comb += [cursor.next.eq(want & ready & ~update), self.read.eq(want & ready)]
        with m.If(self.begin):
            m.d.sync += half.eq(self.half)
        if not self.learning:
            with m.FSM(name="walk"):
                with m.State("IDLE"):
                    m.d.comb += self.done.eq(1)
                    with m.If(self.begin):
                        m.next = "SCAN"
                with m.State("SCAN"):
                    m.d.comb += want.eq(1)
                    with m.If(ready & bottom & cursor.last):
                        m.next = "IDLE"
        else:
            again = self._place_cursor(m, "again")
            self._alternate(m, cursor, again, want, ready, update)
            row, position, base = (
                Mux(update, b, a)
                for a, b in ((row, again.row), (position, again.place), (base, again.base))
            )
            top, bottom = Mux(update, again.top, top), Mux(update, again.bottom, bottom)
        m.d.comb += self.address.eq(Cat(row, half))

        # Behind the store: its word, and what it stands for.
        fetched = Signal()
        take = Signal()
        f_place, f_base = Signal.like(cursor.place), Signal.like(cursor.base)
        f_top, f_bottom, f_update = Signal(), Signal(), Signal()
        m.d.comb += ready.eq((~fetched | take) & ~self.held)
        m.d.sync += fetched.eq(self.read | (fetched & ~take))
        with m.If(self.read):
            m.d.sync += [
                f_place.eq(position),
                f_base.eq(base),
                f_top.eq(top),
                f_bottom.eq(bottom),
                f_update.eq(update),
            ]

        # The segment, line by line.
        segment = Signal(lines * codes)
        present = Signal(lines)
        step_bits = stage.stride * stage.channels * codes
        shifted = [self.word[n * step_bits :][: len(segment)] for n in range(stage.grid[1])]
        with m.Switch(f_place):
            for n, value in enumerate(shifted):
                with m.Case(n) if n < len(shifted) - 1 else m.Default():
                    m.d.comb += segment.eq(value)
        m.d.comb += present.eq(Cat(segment[n * codes] for n in range(lines)))

        left = Signal(lines)  # lines to send
        spikes = Signal(lines)
        held = Signal.like(segment)
        loaded = Signal()
        s_base = Signal.like(cursor.base)
        s_bottom, s_update, fresh = Signal(), Signal(), Signal()
        one = Signal(lines)
        over = Signal()  # nothing is left after this event
        sends = Signal()
        m.d.comb += [
            one.eq(lowest(left)),
            over.eq((left & ~one) == 0),
            sends.eq(loaded & (left.any() | s_bottom)),
            take.eq(fetched & self.enable & (~loaded | over)),
        ]
        with m.If(self.enable):
            m.d.sync += [left.eq(left & ~one), fresh.eq(fresh & ~sends)]
            with m.If(over):
                m.d.sync += loaded.eq(0)
        with m.If(take):
            m.d.sync += [
                loaded.eq(1),
                left.eq(present),
                s_base.eq(f_base),
                s_bottom.eq(f_bottom),
                s_update.eq(f_update),
                fresh.eq(f_top | (fresh & ~sends)),
            ]
            if self.learning:
                m.d.sync += spikes.eq(present)
                with m.If(f_update):
                    m.d.sync += left.eq(~0)
            if codes > 1:
                m.d.sync += held.eq(segment)

        # Event, and a clock later its row.
        e_valid, e_hit, e_spike = Signal(), Signal(), Signal()
        e_first, e_last, e_update = Signal(), Signal(), Signal()
        e_base, e_offset = Signal.like(cursor.base), Signal(bits_for(lines))
        with m.If(self.enable):
            m.d.sync += [
                e_valid.eq(sends),
                e_hit.eq(left.any()),
                e_spike.eq((spikes & one).any() if self.learning else left.any()),
                e_first.eq(fresh),
                e_last.eq(s_bottom & over),
                e_update.eq(s_update),
                e_base.eq(s_base),
                e_offset.eq(encode(one, lines)),
                self.valid.eq(e_valid),
                self.hit.eq(e_hit),
                self.spike.eq(e_spike),
                self.first.eq(e_first),
                self.last.eq(e_last),
                self.update.eq(e_update),
                self.row.eq(e_base + e_offset),
            ]
        if codes > 1:
            e_time = Signal(codes - 1)
            words = [held.word_select(n, codes)[1:] for n in range(lines)]
            time = Signal(codes - 1)
            for bit in range(codes - 1):
                m.d.comb += time[bit].eq((one & Cat(word[bit] for word in words)).any())
            with m.If(self.enable):
                m.d.sync += [e_time.eq(time), self.time.eq(e_time)]
        return m

    def _place_cursor(self, m: Module, name: str):
        cursor = place(m, name, Cursor, self.stage, self.columns)
        m.d.comb += [
            cursor.restart.eq(self.begin),
            cursor.origin_row.eq(self.origin_row),
            cursor.origin_place.eq(self.origin_place),
            cursor.origin_copy.eq(self.origin_copy),
        ]
        return cursor

    def _alternate(self, m: Module, cursor, again, want, ready, update) -> None:
        """Scan 0, scan 1, update 0, scan 2, update 1, ..., update of the last."""
        learn = Signal()
        scanned = Signal()  # all columns
        under_way = Signal()  # an update
        with m.If(self.updated):
            m.d.sync += under_way.eq(0)
        m.d.comb += again.next.eq(want & ready & update)
        with m.FSM(name="walk"):
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                m.d.sync += [learn.eq(self.learn), scanned.eq(0)]
                with m.If(self.begin):
                    m.next = "SCAN"
            with m.State("SCAN"):
                m.d.comb += want.eq(1)
                with m.If(ready & cursor.bottom):
                    m.d.sync += scanned.eq(cursor.last)
                    with m.If(learn & (cursor.last | ~cursor.first)):
                        m.next = "UPDATE"
                    with m.Elif(cursor.last):
                        m.next = "IDLE"
            with m.State("UPDATE"):
                m.d.comb += [update.eq(1), want.eq(~again.top | (self.known & ~under_way))]
                with m.If(want & ready):
                    m.d.sync += under_way.eq(1)
                    with m.If(again.bottom):
                        with m.If(again.last):
                            m.next = "IDLE"
                        with m.Elif(~scanned):
                            m.next = "SCAN"
