"""Units are described once: a submodule in simulation, an instance of a named module in Verilog.

Amaranth elaborates a submodule as often as it is placed. A column of 16 equal neurons would be
converted 16 times. `place` keeps one description for both uses: it returns the unit itself when
the design is simulated, and a set of ports bound to an instance while a `Library` collects units
for export. Each distinct unit (class and parameters) is then elaborated and converted once.
"""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from inspect import getdoc

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Fragment, Instance, Module, ResetSignal, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

__all__ = ["Library", "Unit", "place"]

_library: ContextVar["Library | None"] = ContextVar("library", default=None)


class Unit(wiring.Component):
    """A component whose class and positional parameters say everything about it.

    Two units of the same class with equal parameters are interchangeable, so that one Verilog
    module serves both. Parameters must be hashable.
    """


@dataclass
class Entry:
    """A unit as it appears in the exported file."""

    module: str
    unit: Unit
    clocked: bool = False
    rtlil: str = ""
    summary: str = ""


@dataclass
class Library:
    """Collects the units of one exported design.

    Attributes
    ----------
    entries
        Units by class and parameters, users before the units that they use.
    """

    entries: dict[tuple, Entry] = field(default_factory=dict)

    def add(self, kind: type[Unit], *parameters, module: str | None = None, ports=None) -> Entry:
        """Convert a unit, and everything placed in it, unless that has been done before.

        Parameters
        ----------
        kind, parameters
            The unit is ``kind(*parameters)``.
        module
            Name of the module; by default the name of the class in lower case, with a number if
            another set of parameters has taken it.
        ports
            Called with the unit, gives its ports as ``{name: (value, direction)}``.
        """
        key = (kind, *parameters)
        if key not in self.entries:
            taken = {entry.module for entry in self.entries.values()}
            base = module or re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
            name, number = base, 1
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            entry = self.entries[key] = Entry(name, kind(*parameters))
            entry.summary = (getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
            self._convert(entry, ports or flat_ports)
        return self.entries[key]

    def _convert(self, entry: Entry, ports) -> None:
        token = _library.set(self)
        try:
            fragment = Fragment.get(entry.unit, None)
            named = ports(entry.unit)
            design = fragment.prepare(
                [(name, value, direction) for name, (value, direction) in named.items()],
                hierarchy=(entry.module,),
            )
            entry.clocked = "sync" in fragment.domains
            entry.rtlil, _ = rtlil.convert_fragment(design, name=entry.module, emit_src=False)
        finally:
            _library.reset(token)


def flat_ports(unit: Unit) -> dict[str, tuple[Value, PortDirection]]:
    """Name the ports of a unit after its members."""
    return {
        "_".join(map(str, path)): (
            Value.cast(value),
            PortDirection.Input if member.flow == wiring.In else PortDirection.Output,
        )
        for path, member, value in unit.signature.flatten(unit)
    }


def place(m: Module, name: str, kind: type[Unit], *parameters):
    """Put a unit into a module.

    Parameters
    ----------
    m
        Module that gets the unit as a submodule.
    name
        Name of the submodule.
    kind, parameters
        The unit is ``kind(*parameters)``.

    Returns
    -------
    Unit or wiring.PureInterface
        Something with the members of the unit's signature.
    """
    library = _library.get()
    if library is None:
        unit = kind(*parameters)
        m.submodules[name] = unit
        return unit
    entry = library.add(kind, *parameters)
    interface = entry.unit.signature.create(path=(name,))
    connections = [
        ("i" if member.flow == wiring.In else "o", "_".join(map(str, path)), Value.cast(value))
        for path, member, value in entry.unit.signature.flatten(interface)
    ]
    if entry.clocked:
        connections += [("i", "clk", ClockSignal()), ("i", "rst", ResetSignal())]
    m.submodules[name] = Instance(entry.module, *connections)
    return interface
