"""What people see: progress on standard error, results on standard output."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

from rich import box
from rich.console import Console as Rich
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table

__all__ = ["Console"]

QUIET_S = 5.0  # plain lines of one stage are at least this far apart


class Console:
    """Progress bars on a terminal, plain lines elsewhere; always on standard error."""

    def __init__(self) -> None:
        self._rich = Rich(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Console:
        if self._rich.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self._bars = Progress(*columns, Remaining(), console=self._rich, transient=True)
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        self._rich.print(text, markup=False)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is; a stage begins when it is first mentioned."""
        with self._guard:
            if self._bars is not None:
                if stage not in self._tasks:
                    self._tasks[stage] = self._bars.add_task(stage, total=total)
                self._bars.update(self._tasks[stage], completed=done, total=total)
                return
            now = time.monotonic()
            if done >= total or now - self._told.setdefault(stage, now) >= QUIET_S:
                self._told[stage] = now
                self.say(f"{stage}: {done:,} of {total:,}")

    def counter(self, stage: str, total: int):
        """A function that is told how many more are done."""
        done = 0

        def more(count: int) -> None:
            nonlocal done
            done += count
            self.progress(stage, done, total)

        return more


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows with equal keys as a table on standard output."""
    shown = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name, value in (rows[0] if rows else {}).items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(text(value) for value in row.values()))
    # Without a terminal there is no width to keep to.
    Rich(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 200).print(shown)


def facts(pairs: dict[str, Any]) -> None:
    """Print names and values, one per line, on standard output; nothing is cut or wrapped."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(f"{name:{width}}  {text(value)}")


def text(value: Any) -> str:
    """How people read a value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)
