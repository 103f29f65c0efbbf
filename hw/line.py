"""Input lines: a time code becomes a wire that rises in that step."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit
from racewave.hw.synapse import synapse_cycles

__all__ = ["Lines", "line_cycles"]


def line_cycles(column: ColumnConfig) -> int:
    """Clocks from a step to the wires that rise in it."""
    return 0 if column.t_in == 1 else 1


class Lines(Unit):
    """The input lines of a layer, side by side: bit i of every vector belongs to line i.

    With ramps, a line's wire is high from its spike on, for w_max steps, and an age counter runs
    beside it: one counter per line, shared by all synapses on the line. With steps, the wire is
    high in the step of the spike only. If all spikes come in step 0 (t_in 1), wires are direct and
    the step itself is the age of every line.

    Latency 0 clocks for t_in 1, else 1 (`line_cycles`); one step per clock.

    Parameters
    ----------
    lines : int
        Input lines.
    column : ColumnConfig
        Says t_in, w_max and the response.

    Members
    -------
    times : In(lines * time_bits)
        The volley: time code of each line, line 0 in the low bits; stable during a wave.
    step : In(time_bits)
        Step of the wave.
    run : In(1)
        High in the steps of a wave; while low, wires fall.
    enable : In(1)
        Clock enable.
    wires : Out(lines)
        Line i feeds its synapses in this step.
    age : Out(lines or 1).array(w_bits)
        Steps since the line's spike, bit by bit (ramps only); 1 wide if all lines share it. The two
        low bits are ahead of all else by ``synapse_cycles`` clocks.
    """

    def __init__(self, lines: int, column: ColumnConfig):
        self.lines = lines
        self.column = column
        members = {
            "times": In(lines * column.time_bits),
            "step": In(column.time_bits),
            "run": In(1),
            "enable": In(1),
            "wires": Out(lines),
        }
        if column.response == "rnl":
            members["age"] = Out(1 if column.t_in == 1 else lines).array(column.w_bits)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column, lines = self.column, self.lines

        # A line rises when its code equals the step. If all spikes come in step 0, a code is 0 or
        # all ones, and one bit tells.
        rises = Signal(lines)
        differs = 0
        for b in range(column.time_bits if column.t_in > 1 else 1):
            plane = Signal(lines, name=f"times_{b}")
            m.d.comb += plane.eq(self.times[b :: column.time_bits])
            differs |= plane ^ self.step[b].replicate(lines) if column.t_in > 1 else plane
        m.d.comb += rises.eq(~differs)

        if column.response == "snl":
            if column.t_in == 1:
                m.d.comb += self.wires.eq(rises)
            else:
                with m.If(self.enable):
                    m.d.sync += self.wires.eq(Mux(self.run, rises, 0))
            return m

        if column.t_in == 1:
            wires, ages = rises, list(self.step)
        else:
            wires, ages = self._count_ages(m, rises)
        late = synapse_cycles(column)
        if late and column.t_in > 1:
            wires = self._delay(m, wires, "wires_late")
        m.d.comb += self.wires.eq(wires)
        for b, age in enumerate(self.age):
            early = ages[b] if b < 2 or not late else self._delay(m, ages[b], f"age_{b}_late")
            m.d.comb += age.eq(early)
        return m

    def _delay(self, m: Module, bits: Value, name: str) -> Signal:
        delayed = Signal(len(bits), name=name, reset_less=True)
        with m.If(self.enable):
            m.d.sync += delayed.eq(bits)
        return delayed

    def _count_ages(self, m: Module, rises: Signal) -> tuple[Signal, list[Signal]]:
        column, lines = self.column, self.lines
        wires = Signal(lines, name="high")
        ages = [Signal(lines, name=f"count_{b}", reset_less=True) for b in range(column.w_bits)]

        # The last step in which a synapse of weight w_max still adds.
        last = Signal(lines)
        differs = 0
        for b, age in enumerate(ages):
            differs |= age ^ ((1 << lines) - 1 if (column.w_max - 1) >> b & 1 else 0)
        m.d.comb += last.eq(~differs)

        with m.If(self.enable):
            m.d.sync += wires.eq(Mux(self.run, rises | (wires & ~last), 0))
            carry = (1 << lines) - 1
            for age in ages:  # bit-sliced: back to 0 at the spike, else age + 1
                m.d.sync += age.eq((age ^ carry) & ~rises)
                carry = age & carry
        return wires, ages
