"""Options that several verbs share, and one-line answers to command lines that make no sense."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from racewave.golden.errors import BadInput, nearest

__all__ = ["Number", "OneOf", "Shown", "Verb", "Verbs", "explain", "share", "shows"]


class Number(click.ParamType):
    """An integer with a least and perhaps a largest value."""

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or number < self.least or (self.most and number > self.most):
            rule = f"in {self.least}..{self.most}" if self.most else f"at least {self.least}"
            name = param.opts[0] if param else "value"
            raise BadInput(f"{name} must be an integer {rule}, not '{value}'")
        return number


class OneOf(click.ParamType):
    """One of a few words."""

    name = "word"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.words:
            name = param.opts[0] if param else "value"
            raise BadInput(f"{name} must be {' or '.join(self.words)}, not '{value}'")
        return value


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "data": click.option("--data", metavar="digits|mnist|FOLDER", help="Labelled images."),
    "data_dir": click.option("--data-dir", metavar="DIR", help="Where to look for MNIST first."),
    "images": click.option("--images", type=Number(1), metavar="N", help="Only the first N."),
    "seed": click.option("--seed", type=Number(0), metavar="S", help="Seed of everything random."),
    "input": click.option(
        "--input", "file", metavar="IN.npz", help="Volleys: times, perhaps labels and weights."
    ),
    "json": click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on standard output."
    ),
    "waves": click.option("--waves", metavar="FILE.fst", help="Record waves of the RTL."),
    "simulator": click.option(
        "--simulator", metavar="verilator|icarus", help="Instead of the best one here."
    ),
    "jobs": click.option("--jobs", type=Number(1), metavar="N", help="Threads at most."),
    "verbose": click.option("-v", "--verbose", is_flag=True, help="Say more."),
}


def share(*names: str) -> Callable[[Any], Any]:
    """Give a verb some of `OPTIONS`; every verb gets --json, --jobs and -v."""

    def decorate(function: Any) -> Any:
        for name in reversed([*names, "json", "jobs", "verbose"]):
            function = OPTIONS[name](function)
        return function

    return decorate


@dataclass(frozen=True)
class Shown:
    """The options of a verb that plays volleys: which, how many, and how they are simulated."""

    file: str | None
    data: str | None
    data_dir: str | None
    images: int | None
    seed: int | None
    waves: str | None
    simulator: str | None

    @property
    def record(self) -> Path | None:
        """Where waves of the RTL go."""
        return Path(self.waves) if self.waves else None

    def typed(self) -> list[str]:
        """What was typed to name the volleys, all of them."""
        named = {"--input": self.file, "--data": self.data, "--data-dir": self.data_dir}
        pairs = {**named, "--seed": self.seed}.items()
        return [f"{name} {value}" for name, value in pairs if value is not None]


def shows(function: Any) -> Any:
    """Give a verb that plays volleys its options; it gets them as one `Shown`."""

    @share("input", "data", "data_dir", "images", "seed", "waves", "simulator")
    @functools.wraps(function)
    def collect(**given: Any) -> Any:
        shown = Shown(**{field.name: given.pop(field.name) for field in fields(Shown)})
        return function(shown=shown, **given)

    return collect


class Verb(click.Command):
    """A verb whose unknown options are answered with the nearest one."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.NoSuchOption as error:
            known = [name for param in self.params for name in param.opts if name[:2] == "--"]
            known.append("--help")
            raise BadInput(
                f"{self.name}: unknown option '{error.option_name}'"
                f"{nearest(error.option_name, known)}"
            ) from None


class Verbs(click.Group):
    """The group of verbs: keeps their order, answers an unknown one with the nearest."""

    command_class = Verb

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in self.commands:
            raise BadInput(f"unknown verb '{args[0]}'{nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def explain(error: click.UsageError) -> str:
    """What click objects to, as one line in the house's words."""
    verb = f"{error.ctx.info_name}: " if error.ctx and error.ctx.parent else ""
    param = getattr(error, "param", None)
    if isinstance(error, click.NoSuchOption):
        known = [name for p in (error.ctx.command.params if error.ctx else []) for name in p.opts]
        known.append("--help")
        return f"{verb}unknown option '{error.option_name}'{nearest(error.option_name, known)}"
    if isinstance(error, click.MissingParameter) and param is not None:
        name = param.opts[0] if isinstance(param, click.Option) else param.make_metavar(error.ctx)
        return f"{verb}{name} must be given; see racewave {verb.rstrip(': ')} --help"
    return verb + " ".join(error.format_message().split())
