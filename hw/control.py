"""Sequence of a wave: steps, learning, read-out."""

import itertools

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from racewave.golden.config import ColumnConfig
from racewave.hw.hierarchy import Unit
from racewave.hw.line import line_cycles
from racewave.hw.synapse import synapse_cycles

__all__ = ["Control", "drain_cycles"]


def drain_cycles(column: ColumnConfig) -> int:
    """Clocks from a step at the lines to the k-WTA that looks at it."""
    return line_cycles(column) + synapse_cycles(column) + 2


class Control(Unit):
    """Runs one wave at a time: a step per clock, then an update of the weights if it learns.

    The clock with `begins` is step 0. A frozen wave without `hold` takes ``steps + drain_cycles``
    clocks, `begins` and `ends` included. A learning wave takes ``p + 1`` more if its decisions are
    drawn by then.

    Parameters
    ----------
    column : ColumnConfig
        Says p and the steps.
    learning : bool
        With STDP.
    readout : bool
        With a read-out.

    Members
    -------
    go : In(1)
        A wave may begin, if none is under way.
    learn : In(1)
        The wave that begins learns.
    begins, ends : Out(1)
        First and last clock of a wave.
    idle : Out(1)
        No wave is under way (high with `begins`, too).
    step, run : Out(time_bits), Out(1)
        Step at the lines.
    enable : Out(1)
        Clock enable of lines and columns.
    add, decide, fired_step : Out(1), Out(1), Out(time_bits)
        Sums of a step are ready; neurons show `fired_step`.
    hold : In(1)
        A k-WTA needs more clocks.
    ready, take : In(1), Out(1)
        Of the random decisions.
    active, index : Out(1), Out(range(p))
        Line `index` of each column passes the STDP rule.
    rotate : Out(1)
        Rings take what the rule said one clock before.
    read, read_done : Out(1), In(1)
        Start the read-out; it has finished.
    """

    def __init__(self, column: ColumnConfig, learning: bool, readout: bool):
        self.column = column
        self.learning = learning
        self.readout = readout
        members = {
            "go": In(1),
            "begins": Out(1),
            "ends": Out(1),
            "idle": Out(1),
            "step": Out(column.time_bits),
            "run": Out(1),
            "enable": Out(1),
            "add": Out(1),
            "decide": Out(1),
            "fired_step": Out(column.time_bits),
            "hold": In(1),
        }
        if learning:
            members |= {
                "learn": In(1),
                "ready": In(1),
                "take": Out(1),
                "active": Out(1),
                "index": Out(range(column.p)),
                "rotate": Out(1),
            }
        if readout:
            members |= {"read": Out(1), "read_done": In(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        column = self.column

        # A step enters at the lines and is followed, with its number, to the k-WTA.
        depth = drain_cycles(column)
        stepping = Signal()
        last = Signal()
        m.d.comb += [
            self.enable.eq(~self.hold),
            self.run.eq(self.begins | stepping),
            last.eq(self.run & (self.step == column.steps - 1)),
        ]
        valid, lasts, numbers = [self.run], [last], [self.step]
        for d in range(1, depth + 1):
            valid.append(Signal(name=f"valid_{d}"))
            lasts.append(Signal(name=f"last_{d}"))
            numbers.append(Signal(column.time_bits, name=f"step_{d}"))
        with m.If(self.enable):
            with m.If(last):
                m.d.sync += [self.step.eq(0), stepping.eq(0)]
            with m.Elif(self.run):
                m.d.sync += [self.step.eq(self.step + 1), stepping.eq(1)]
            for pipe in (valid, lasts, numbers):
                m.d.sync += [after.eq(before) for before, after in itertools.pairwise(pipe)]
        stepped = Signal()  # the k-WTA has decided the last step
        m.d.comb += [
            self.add.eq(valid[-2]),
            self.decide.eq(valid[-1]),
            self.fired_step.eq(numbers[-1]),
            stepped.eq(lasts[-1] & self.enable),
        ]

        learns = Signal()
        learnt = Signal()
        reading = Signal()
        m.d.comb += learnt.eq(1)
        if self.readout:
            m.d.comb += self.read.eq(stepped)
            with m.If(stepped):
                m.d.sync += reading.eq(1)
            with m.Elif(self.read_done):
                m.d.sync += reading.eq(0)
        if self.learning:
            with m.If(self.begins):
                m.d.sync += learns.eq(self.learn)
            with m.Elif(self.ends):
                m.d.sync += learns.eq(0)
            self._update(m, learns, learnt)

        def finish() -> None:
            m.d.comb += self.ends.eq(1)
            m.next = "IDLE"

        with m.FSM(name="wave"):
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), self.begins.eq(self.go)]
                with m.If(self.begins):
                    m.next = "STEP"
            with m.State("STEP"), m.If(stepped):
                if self.readout:
                    m.next = "READ"
                else:
                    finish()
                if self.learning:
                    with m.If(learns):
                        m.d.comb += self.ends.eq(0)
                        m.next = "LEARN"
            if self.learning:
                with m.State("LEARN"), m.If(learnt):
                    finish()
                    if self.readout:
                        with m.If(reading):
                            m.d.comb += self.ends.eq(0)
                            m.next = "READ"
            if self.readout:
                with m.State("READ"), m.If(~reading):
                    finish()

        if self.learning:
            with m.If(stepped & learns):
                m.d.sync += self._updating.eq(1)
            with m.Elif(self.ends):
                m.d.sync += self._updating.eq(0)
        return m

    def _update(self, m: Module, learns: Signal, learnt: Signal) -> None:
        """Take the decisions as soon as they are drawn; after the last step, p lines pass."""
        taken = Signal()
        passed = Signal()
        self._updating = Signal(name="updating")
        m.d.comb += [
            self.take.eq(learns & ~taken & self.ready),
            self.active.eq(self._updating & taken & ~passed),
            learnt.eq(self.rotate & passed),
        ]
        m.d.sync += self.rotate.eq(self.active)
        with m.If(self.ends):
            m.d.sync += [taken.eq(0), passed.eq(0)]
        with m.Elif(self.take):
            m.d.sync += taken.eq(1)
        with m.If(self.active):
            with m.If(self.index == self.column.p - 1):
                m.d.sync += [self.index.eq(0), passed.eq(1)]
            with m.Else():
                m.d.sync += self.index.eq(self.index + 1)
