"""Executes the frames of the UART protocol on a network: first checks, then acts."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member, Out

from racewave.golden.frames import STATUS_BYTES, VERSION, Code, Command
from racewave.golden.layout import Layout
from racewave.hw.hierarchy import Unit

__all__ = ["Executor", "core_ports", "length_bits"]


def length_bits(layout: Layout) -> int:
    """Bits of the length of the longest reply."""
    volleys = layout.volleys_max * layout.result_bytes()
    return max(volleys, min(layout.rows, 255) * layout.row_bytes, STATUS_BYTES).bit_length()


def core_ports(layout: Layout) -> dict[str, Member]:
    """Members of a unit that drives a core, see `Executor`."""
    streams = layout.streams
    return {
        "volleys": Out(stream.Signature(streams.volley_bits)),
        "results": In(stream.Signature(streams.result_bits)),
        "requests": Out(stream.Signature(streams.request_bits)),
        "replies": In(stream.Signature(streams.row_bits)),
        "learn": Out(1),
        "reseed": Out(1),
        **({"report": Out(1)} if streams.folded else {}),
        "waves": In(32),
        "cycles": In(32),
    }


class Executor(Unit):
    """Read a frame's payload from memory twice: to check everything, then to act.

    Both passes are the same walk through the payload; only the second touches the core and sends.
    So nothing happens for a frame that turns out to be wrong at its end, and the first pass has
    counted the reply. A byte takes 2 clocks, a weight row or a volley as long as the core takes
    and the line needs for its reply. A volley goes to the core beat by beat, and its result comes
    beat by beat: neither is ever held as a whole.

    Parameters
    ----------
    layout : Layout
        Sizes of volleys, results and rows.

    Members
    -------
    i_frame, i_boot, i_command, i_number, i_end, o_rewind, o_next
        The frame, see `FrameReceiver`; the boot frame is not checked and not answered.
    i_data : In(8)
        Byte of the payload, one clock after rewind or next.
    o_refuse, o_code : Out(1), Out(4)
        The frame is refused; one clock.
    o_reply, o_length : Out(1), Out(length_bits(layout))
        The frame is accepted, its reply may go; payload bytes of the reply.
    o, o_end : Out(stream.Signature(8)), Out(1)
        Payload of the reply; no more of it.
    i_done : In(1)
        The reply is sent; one clock.
    o_booted : Out(1)
        The boot frame is executed; one clock.
    volleys, results, requests, replies, learn, reseed, report, waves, cycles
        Streams, controls and counters of the core, see `Network`; `report` of folded cores only.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        super().__init__(
            {
                "i_frame": In(1),
                "i_boot": In(1),
                "i_command": In(3),
                "i_number": In(8),
                "i_end": In(1),
                "o_rewind": Out(1),
                "o_next": Out(1),
                "i_data": In(8),
                "o_refuse": Out(1),
                "o_code": Out(4),
                "o_reply": Out(1),
                "o_length": Out(length_bits(layout)),
                "o": Out(stream.Signature(8)),
                "o_end": Out(1),
                "i_done": In(1),
                "o_booted": Out(1),
                **core_ports(layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout, streams = self.layout, self.layout.streams

        acting = Signal()  # second pass
        executed = Signal(8)  # number of the frame executed last
        wrong = Signal(reset_less=True)  # something is out of range
        taken = Signal()  # the result or row has been sent
        pending = Signal()  # the core has not yet taken the beat

        end, take = self.i_end, self.o_next
        fresh = Signal(reset_less=True)  # i_data is the byte to take

        # What the payload is made of, a head, a row or a beat: shifted in, last byte at the top.
        item = Signal(8 * max(layout.beat_bytes, layout.row_bytes, 3), reset_less=True)
        bytes_max = max(len(item) // 8, layout.times_bytes, STATUS_BYTES)
        place = Signal(range(bytes_max + 1), reset_less=True)
        last = Signal.like(place)
        beat = Signal(range(streams.volley_beats), reset_less=True)  # of a volley
        last_beat = beat == streams.volley_beats - 1
        address = Signal(range(layout.rows + 1), reset_less=True)
        beyond = Signal(reset_less=True)  # the address has more bits than that
        count = Signal(8, reset_less=True)  # rows still to be read, or statuses still to be sent

        is_status = self.i_command == Command.STATUS
        is_write = self.i_command == Command.WRITE
        is_read = self.i_command == Command.READ
        is_volleys = self.i_command == Command.VOLLEYS
        is_control = self.i_command == Command.CONTROL
        # The last byte of what is sent at a time; all bytes for a status, a row or a volley.
        sent_last = Signal.like(place)
        sent_bytes = Signal.like(self.o_length)
        reports = Signal(init=not layout.chooses)
        result_ends = self.results.payload[-1] if streams.folded else Const(1)
        with m.Switch(self.i_command):
            with m.Case(Command.STATUS):
                m.d.comb += [sent_last.eq(STATUS_BYTES - 1), sent_bytes.eq(STATUS_BYTES)]
            with m.Case(Command.READ):
                m.d.comb += [sent_last.eq(layout.row_bytes - 1), sent_bytes.eq(layout.row_bytes)]
            with m.Case(Command.VOLLEYS):
                m.d.comb += [
                    sent_last.eq(layout.times_bytes - 1),
                    sent_bytes.eq(
                        Mux(reports, layout.result_bytes(), layout.result_bytes(report=False))
                    ),
                ]
                if streams.folded:
                    with m.If(result_ends):
                        m.d.comb += sent_last.eq(0)

        def refuse(code: Code) -> None:
            m.d.comb += [self.o_refuse.eq(1), self.o_code.eq(code)]
            m.next = "IDLE"

        def step(then: str) -> None:
            """Count a byte of an item or a reply; go on after the last one."""
            m.d.sync += place.eq(place + 1)
            with m.If(place == last):
                m.d.sync += place.eq(0)
                m.next = then

        # Folded hardware without read-out ends a result with a beat that says nothing.
        silent = result_ends & (streams.folded and not layout.class_bytes)

        m.d.sync += [fresh.eq(~take), taken.eq(0)]
        m.d.comb += [self.replies.ready.eq(taken), self.results.ready.eq(taken)]
        with m.If(take):
            m.d.sync += item.eq(Cat(item[8:], self.i_data))
        with m.If(self.volleys.ready):
            m.d.sync += pending.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [self.o_length.eq(0), wrong.eq(0)]
                with m.If(self.i_frame):
                    m.d.sync += acting.eq(self.i_boot)
                    m.next = "BEGIN"
                    with m.If(~self.i_boot & (self.i_number == executed)):
                        refuse(Code.REPEATED)
                    with m.Elif(self.i_command == 0):
                        refuse(Code.COMMAND)
            with m.State("BEGIN"):
                m.d.comb += self.o_rewind.eq(1)
                m.d.sync += [fresh.eq(0), place.eq(0), beat.eq(0), count.eq(is_status)]
                m.next = "HEAD"
                with m.If(is_volleys):
                    m.next = "ITEM"
                with m.If(is_status):
                    m.next = "COUNT"
            with m.State("HEAD"):
                m.d.comb += last.eq(Mux(is_read, 2, is_write))
                with m.If(end):
                    refuse(Code.LENGTH)
                with m.Elif(fresh):
                    m.d.comb += take.eq(1)
                    step("HEADED")
            with m.State("HEADED"):
                whole = item[-16:]
                m.d.sync += [address.eq(whole), beyond.eq(whole[len(address) :].any())]
                m.next = "COUNT"
                with m.If(is_read):
                    m.d.sync += count.eq(item[-24:-16])
                with m.If(is_write):
                    m.next = "ITEM"
                with m.If(is_control):
                    flags = item[-8:]
                    known = layout.config.hardware.learning | 2 | layout.chooses << 2
                    m.d.sync += wrong.eq((flags & (0xFF & ~known)).any())
                    with m.If(acting):
                        m.d.sync += self.learn.eq(flags[0])
                        m.d.comb += self.reseed.eq(flags[1])
                        if layout.chooses:
                            m.d.sync += reports.eq(flags[2])
            with m.State("ITEM"):
                m.d.comb += last.eq(Mux(is_write, layout.row_bytes, layout.beat_bytes) - 1)
                with m.If(~pending):
                    with m.If(end):
                        m.next = "FINISH"
                        with m.If((place != 0) | (beat != 0)):
                            refuse(Code.LENGTH)
                    with m.Elif(fresh):
                        m.d.comb += take.eq(1)
                        step("ACT")
            with m.State("COUNT"):
                with m.If(~end):
                    refuse(Code.LENGTH)
                with m.Elif(count == 0):
                    m.next = "FINISH"
                with m.Else():
                    m.d.sync += count.eq(count - 1)
                    m.next = "ACT"
            with m.State("ACT"):
                m.next = "COUNT"
                with m.If(is_write | is_volleys):
                    m.next = "ITEM"
                with m.If(is_volleys):
                    m.d.sync += beat.eq(Mux(last_beat, 0, beat + 1))
                with m.If(~acting):
                    outside = beyond | (address >= layout.rows)
                    m.d.sync += [
                        address.eq(address + 1),
                        wrong.eq(wrong | ((is_write | is_read) & outside)),
                    ]
                    with m.If(~is_volleys | last_beat):
                        m.d.sync += self.o_length.eq(self.o_length + sent_bytes)
                with m.Elif(is_status):
                    m.next = "SEND"
                with m.Elif(is_volleys):
                    m.d.sync += pending.eq(1)
                    with m.If(last_beat):
                        m.next = "SEND"
                with m.Else():
                    m.d.comb += self.requests.valid.eq(1)
                    with m.If(self.requests.ready):
                        m.d.sync += address.eq(address + 1)
                        with m.If(is_read):
                            m.next = "SEND"
                    with m.Else():
                        m.next = "ACT"
            with m.State("SEND"):
                ready = is_status | (is_read & self.replies.valid)
                m.d.comb += [
                    last.eq(sent_last),
                    self.o.valid.eq(ready | (is_volleys & self.results.valid & ~silent)),
                ]
                with m.If(self.o.valid & self.o.ready):
                    step("COUNT")
                    with m.If(place == last):
                        m.d.sync += taken.eq(1)
                        with m.If(is_volleys):
                            m.next = "ITEM"
                            with m.If(~result_ends):
                                m.next = "TAKEN"
                with m.If(is_volleys & self.results.valid & silent):
                    m.d.sync += taken.eq(1)
                    m.next = "ITEM"
            with m.State("TAKEN"):
                m.next = "SEND"
            with m.State("FINISH"):
                with m.If(acting):
                    m.d.comb += [self.o_end.eq(1), self.o_booted.eq(self.i_boot)]
                    with m.If(self.i_done | self.i_boot):
                        m.d.sync += acting.eq(0)
                        m.next = "IDLE"
                with m.Elif(wrong):
                    refuse(Code.RANGE)
                with m.Else():
                    m.d.sync += [acting.eq(1), executed.eq(self.i_number)]
                    m.next = "BEGIN"

        # Streams and outputs.
        volley, row = item[-8 * layout.beat_bytes :], item[-8 * layout.row_bytes :]
        m.d.comb += [
            self.o_reply.eq(acting & ~self.i_boot),
            self.volleys.valid.eq(pending),
            self.volleys.payload.eq(volley[: streams.volley_bits]),
            self.requests.payload.eq(
                Cat(row[: streams.row_bits], address[: streams.address_bits], is_write)
            ),
        ]
        if streams.folded:
            m.d.comb += self.report.eq(reports)
        config = layout.config
        flags = Cat(
            self.learn,
            Const(config.hardware.learning, 1),
            Const(config.readout is not None, 1),
            reports,
            Const(0, 4),
        )
        identity = Const(int.from_bytes(bytes.fromhex(config.hash), "little"), 64)
        status = Cat(Const(VERSION, 8), flags, identity, self.waves, self.cycles)
        times = self.results.payload[: layout.times_bits]
        with m.Switch(self.i_command):
            with m.Case(Command.STATUS):
                m.d.comb += self.o.payload.eq(status.word_select(place, 8))
            with m.Case(Command.READ):
                m.d.comb += self.o.payload.eq(self.replies.payload.word_select(place, 8))
            with m.Default():
                m.d.comb += self.o.payload.eq(times.word_select(place, 8))
                if layout.class_bytes:
                    with m.If(result_ends):
                        m.d.comb += self.o.payload.eq(self.results.payload[layout.times_bits : -1])
        return m
