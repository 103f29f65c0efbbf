"""Planted bugs: a copy of a module with one line of its source changed.

A check that cannot fail proves nothing: every unit's tests run once more on a mutant and must go
red. The module on disk is never touched, and a mutation whose text no longer occurs is itself an
error, so a planted bug cannot rot away unnoticed.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from types import ModuleType

_SERIAL = itertools.count()


def mutated(module: ModuleType, old: str, new: str) -> ModuleType:
    """Return a new module executed from the source of `module` with `old` replaced by `new`.

    Parameters
    ----------
    module : ModuleType
        The healthy module; it stays as it is.
    old : str
        Source text that must occur exactly once.
    new : str
        What takes its place.

    Raises
    ------
    ValueError
        If `old` occurs never or more than once, or equals `new`.
    """
    source = inspect.getsource(module)
    found = source.count(old)
    if found != 1:
        raise ValueError(
            f"old must occur exactly once in {module.__name__}, not {found} times: {old!r}"
        )
    if old == new:
        raise ValueError("new must differ from old")
    name = f"{module.__name__}_mutant_{next(_SERIAL)}"
    mutant = ModuleType(name, module.__doc__)
    mutant.__package__ = module.__package__
    mutant.__file__ = f"<{name}>"
    sys.modules[name] = mutant  # dataclasses and pickles look their module up by name
    exec(compile(source.replace(old, new), mutant.__file__, "exec"), mutant.__dict__)
    return mutant
