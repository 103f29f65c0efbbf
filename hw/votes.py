"""The read-out of an engine: every winner selects a row, the row adds to the sums of classes."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ReadoutConfig
from racewave.hw.hierarchy import Unit
from racewave.hw.scan import bits_for, encode
from racewave.hw.wta import lowest

__all__ = ["Votes", "VotesShape"]

# The dual voter, tnn.md: what the label's counters and the others change by, the largest counter
# and the least that votes, scaled by 32.
GAINS, LOSSES, MOST, LEAST = (31, 17), (1, 15), 224, 112
LINEAR = ("linear", "perceptron")


class VotesShape:
    """Sizes that follow from a read-out and the columns in front of it."""

    @staticmethod
    def row_bits(readout: ReadoutConfig) -> int:
        """Bits of a row."""
        if readout.kind in LINEAR:
            return readout.classes * readout.bits
        if readout.kind == "tally":
            return readout.classes.bit_length()
        return readout.classes * 2 * 8

    @staticmethod
    def sum_bits(readout: ReadoutConfig, winners: int) -> int:
        """Bits of a signed sum over so many winners."""
        most = {"tally": 1, "dual-voter": 2}.get(readout.kind, 1 << (readout.bits - 1))
        return (most * winners).bit_length() + 1


class Votes(Unit):
    """Adds up the rows of an engine's winners, one per clock, column after column.

    Latency from `start` to `done`: winners + 3 clocks. The sums of a wave stay until `take`; the
    next wave waits for it.

    Parameters
    ----------
    readout : ReadoutConfig
        Kind of read-out, classes, bits.
    columns, q, k : int
        Columns of the engine, neurons and winners of each.
    codes : tuple[int, ...]
        Time codes min(time, 2) that occur (dual voter).
    time_bits : int
        Width of a time code.
    sum_bits : int
        Width of a sum.

    Members
    -------
    start : In(1)
        Winners of the next column; only while not `busy`.
    winners, times : In(q), In(q * time_bits)
        Stable while `busy`.
    busy : Out(1)
        The column is not finished.
    known, label : In
        The wave has a label; stable during the wave (dual voter).
    address, row : Out, In
        Row of the memory; it shows one clock later.
    write, write_address, write_row : Out
        Row changed by the label (dual voter, perceptron).
    correct, rival : In(1), In
        With `take`: the rows of the wave's winners change, one per clock; the label's weights
        rise, those of this class fall, both stable while `busy` (perceptron).
    finished, take : Out(1), In(1)
        All columns of the wave are in the sums; they have been used.
    number, sum : In, Out
        Class; its sum, one clock later.
    """

    def __init__(
        self,
        readout: ReadoutConfig,
        columns: int,
        q: int,
        k: int,
        codes: tuple[int, ...],
        time_bits: int,
        sum_bits: int,
    ):
        self.readout = readout
        self.columns, self.q, self.k = columns, q, k
        self.codes, self.time_bits, self.sum_bits = codes, time_bits, sum_bits
        self.voter = readout.kind == "dual-voter"
        self.perceptron = readout.kind == "perceptron"
        self.per_neuron = len(codes) if self.voter else 1
        address = bits_for(columns * q * self.per_neuron)
        row = VotesShape.row_bits(readout)
        members = {
            "start": In(1),
            "winners": In(q),
            "times": In(q * time_bits),
            "busy": Out(1),
            "address": Out(address),
            "row": In(row),
            "finished": Out(1),
            "take": In(1),
            "number": In(bits_for(readout.classes)),
            "sum": Out(signed(sum_bits)),
        }
        if self.voter:
            members["known"] = In(1)
        if self.perceptron:
            members |= {"correct": In(1), "rival": In(bits_for(readout.classes))}
        if self.voter or self.perceptron:
            members |= {
                "label": In(bits_for(readout.classes)),
                "write": Out(1),
                "write_address": Out(address),
                "write_row": Out(row),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        q, classes = self.q, self.readout.classes

        # Clock 1: the lowest winner that is left. Clock 2: its row is asked for. Clock 3: it adds.
        left = Signal(q)
        one = Signal(q)
        base = Signal.like(self.address)
        number = Signal(bits_for(self.columns))
        active, fresh = Signal(), Signal()
        self._correcting = Signal(name="correcting")
        asked, shown = Signal(), Signal()
        begins, ends = Signal(), Signal()
        m.d.comb += [
            self.busy.eq(active | self._correcting if self.perceptron else active),
            one.eq(lowest(left)),
            # A new wave waits until the sums of the one before have been used.
            begins.eq(active & fresh & ~((number == 0) & self.finished)),
            ends.eq(active & ~fresh & ~left.any() & ~asked & ~shown),
        ]
        m.d.sync += [asked.eq(0), shown.eq(asked)]
        with m.If(self.start):
            m.d.sync += [active.eq(1), fresh.eq(1), left.eq(self.winners)]
        with m.If(begins | (active & ~fresh)):
            m.d.sync += [
                fresh.eq(0),
                asked.eq(left.any()),
                left.eq(left & ~one),
                self.address.eq(base + self._place(one)),
            ]
        with m.If(self.take):
            m.d.sync += self.finished.eq(0)
        with m.If(ends):
            m.d.sync += [
                active.eq(0),
                number.eq(number + 1),
                base.eq(base + q * self.per_neuron),
            ]
            with m.If(number == self.columns - 1):
                m.d.sync += [number.eq(0), base.eq(0), self.finished.eq(1)]

        sums = [Signal(signed(self.sum_bits), name=f"sum_{n}") for n in range(classes)]
        with m.If(begins & (number == 0)):
            m.d.sync += [total.eq(0) for total in sums]
        with m.Elif(shown):
            m.d.sync += [
                total.eq(total + added) for total, added in zip(sums, self._added(), strict=True)
            ]
        m.d.sync += self.sum.eq(Array(sums)[self.number])

        if self.voter:
            self._write(m, shown & self.known, self._rewarded(m))
        if self.perceptron:
            self._correct(m, asked, begins & (number == 0))
        return m

    def _write(self, m: Module, changes, row: list[Value]) -> None:
        """Write the row that shows, changed, a clock later."""
        shown_address = Signal.like(self.address)
        m.d.sync += [
            shown_address.eq(self.address),
            self.write.eq(changes),
            self.write_address.eq(shown_address),
            self.write_row.eq(Cat(*row)),
        ]

    def _correct(self, m: Module, asked, clear) -> None:
        """Keep the rows of the wave's winners in a list, and go through it when told to."""
        m.submodules.winners = winners = Memory(
            shape=len(self.address), depth=self.columns * self.k, init=()
        )
        reader, writer = winners.read_port(), winners.write_port()
        count, index = Signal(range(self.columns * self.k + 1)), Signal.like(writer.addr)
        rows = Signal.like(count)  # rows gone through
        lists, listed, shows, changes = (Signal(name=f"correct_{n}") for n in range(4))
        m.d.comb += [
            writer.addr.eq(count),
            writer.data.eq(self.address),
            writer.en.eq(asked),
            reader.addr.eq(index),
            lists.eq(self._correcting & (rows != count)),
        ]
        with m.If(asked):
            m.d.sync += count.eq(count + 1)
        with m.If(clear):
            m.d.sync += count.eq(0)
        m.d.sync += [listed.eq(lists), shows.eq(listed), changes.eq(shows)]
        with m.If(lists):
            m.d.sync += [index.eq(index + 1), rows.eq(rows + 1)]
        with m.If(listed):
            m.d.sync += self.address.eq(reader.data)
        with m.If(self._correcting & ~(lists | listed | shows | changes)):
            m.d.sync += self._correcting.eq(0)
        with m.If(self.correct):
            m.d.sync += [self._correcting.eq(1), index.eq(0), rows.eq(0)]
        self._write(m, changes, self._corrected())

    def _corrected(self) -> list[Value]:
        """The row with one more for the label and one less for the rival, saturating."""
        bits, corrected = self.readout.bits, []
        most = (1 << (bits - 1)) - 1
        for n in range(self.readout.classes):
            weight = self.row.word_select(n, bits).as_signed()
            more = Mux(weight == most, weight, weight + 1)
            less = Mux(weight == -most - 1, weight, weight - 1)
            changed = Mux(self.label == n, more, Mux(self.rival == n, less, weight))
            corrected.append(changed[:bits])
        return corrected

    def _place(self, one: Value) -> Value:
        """Row of a winner among those of its column."""
        neuron = encode(one, self.q)
        if self.per_neuron == 1:
            return neuron
        codes = [self.times_of(j) for j in range(self.q)]
        late = Cat(one[j] & (code >= 2) for j, code in enumerate(codes)).any()
        if self.codes == (1, 2):
            return (neuron << 1) + late
        early = Cat(one[j] & (code == 1) for j, code in enumerate(codes)).any()
        if self.per_neuron == 2:
            return (neuron << 1) + early
        return (neuron << 1) + neuron + Mux(late, 2, early)

    def times_of(self, neuron: int) -> Value:
        """Time code of a neuron."""
        return self.times.word_select(neuron, self.time_bits)

    def _added(self) -> list[Value]:
        """What the row adds to each class."""
        classes, bits = self.readout.classes, self.readout.bits
        if self.readout.kind in LINEAR:
            return [self.row.word_select(n, bits).as_signed() for n in range(classes)]
        if self.readout.kind == "tally":
            return [self.row == n for n in range(classes)]
        counters = [self.row.word_select(n, 8) for n in range(2 * classes)]
        return [(counters[2 * n] >= LEAST) + (counters[2 * n + 1] >= LEAST) for n in range(classes)]

    def _rewarded(self, m: Module) -> list[Value]:
        """The row after a wave with a label: its counters rise, all others fall, within 0..MOST."""
        changed = []
        for n in range(self.readout.classes):
            own = Signal(name=f"own_{n}")
            m.d.comb += own.eq(self.label == n)
            for kind, (gain, loss) in enumerate(zip(GAINS, LOSSES, strict=True)):
                counter = self.row.word_select(2 * n + kind, 8)
                more, less = counter + gain, counter - loss
                changed.append(
                    Mux(own, Mux(more > MOST, MOST, more)[:8], Mux(less < 0, 0, less)[:8])
                )
        return changed
