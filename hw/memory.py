"""Block memories of folded hardware: rows of weights, and the store of volleys."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from racewave.golden.stage import Stage
from racewave.hw.hierarchy import Unit
from racewave.hw.scan import bits_for, code_bits

__all__ = ["Rows", "Store"]


def connect_ports(m: Module, memory: Memory, unit: "Rows | Store", both: bool):
    """Connect a read port and a write port; returns what the read port shows.

    A block memory does not say what it shows of a row that is being written. Unless `both` is
    true, nothing is read while something is written: synthesis sees that and adds no logic.
    """
    writer = memory.write_port()
    if both:
        reader = memory.read_port()
        m.d.comb += [reader.addr.eq(unit.address), reader.en.eq(unit.read)]
        return writer, reader.data
    reader = memory.read_port(domain="comb")
    data = Signal(len(reader.data), reset_less=True)
    m.d.comb += reader.addr.eq(unit.address)
    with m.If(unit.read & ~writer.en):
        m.d.sync += data.eq(reader.data)
    return writer, data


class Rows(Unit):
    """Rows of weights with a read port and a write port.

    Parameters
    ----------
    width, depth : int
        Bits of a row, and rows.
    both : bool
        Rows are read in the clocks in which others are written; else a write comes first.
    init : tuple[int, ...]
        Rows at power-up; 0 where it ends.

    Members
    -------
    address, read, row : In, In(1), Out
        A row one clock after `read`; it stays until the next.
    write, write_address, write_row : In(1), In, In
        Write a row.
    """

    def __init__(self, width: int, depth: int, both: bool, init: tuple[int, ...] = ()):
        self.width, self.depth, self.both, self.init = width, depth, both, init
        super().__init__(
            {
                "address": In(bits_for(depth)),
                "read": In(1),
                "row": Out(width),
                "write": In(1),
                "write_address": In(bits_for(depth)),
                "write_row": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=self.init)
        writer, data = connect_ports(m, memory, self, self.both)
        m.d.comb += [
            self.row.eq(data),
            writer.addr.eq(self.write_address),
            writer.data.eq(self.write_row),
            writer.en.eq(self.write),
        ]
        return m


class Store(Unit):
    """Two volleys of a layer, row by row of its source: one is played, one arrives.

    Parameters
    ----------
    stage : Stage
        The layer.
    parts : int
        Parts of a row that arrive by themselves.

    Members
    -------
    address, read, word : In, In(1), Out
        Source row with the half on top; its lines one clock after `read`, until the next. Not
        while a part is written.
    write, write_address, write_word : In(parts), In, In
        Write parts of a row.
    """

    def __init__(self, stage: Stage, parts: int):
        self.stage, self.parts = stage, parts
        rows, width = stage.source_grid
        word = width * stage.channels * code_bits(stage.column.t_in)
        address = bits_for(rows) + 1
        super().__init__(
            {
                "address": In(address),
                "read": In(1),
                "word": Out(word),
                "write": In(parts),
                "write_address": In(address),
                "write_word": In(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # One memory per part: memories with write enables for parts do not exist in that width.
        size = len(self.word) // self.parts
        words = []
        for n in range(self.parts):
            memory = Memory(shape=size, depth=2 << (len(self.address) - 1), init=())
            m.submodules[f"part_{n}"] = memory
            writer, data = connect_ports(m, memory, self, both=False)
            m.d.comb += [
                writer.addr.eq(self.write_address),
                writer.data.eq(self.write_word.word_select(n, size)),
                writer.en.eq(self.write[n]),
            ]
            words.append(data)
        m.d.comb += self.word.eq(Cat(*words))
        return m
