"""The words of a config's errors: one line from what pydantic found."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from racewave.golden.errors import nearest

__all__ = ["one_line"]

INNER = re.compile(r"^(int|constrained-int|literal\[.*|tuple\[.*)$")  # branches of a union


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Say the first fault in the house's words: name, rule, value.

    Parameters
    ----------
    error
        What validation of `model` raised.
    model
        The whole schema: allowed keys are looked up in it.

    Examples
    --------
    >>> from racewave.golden.config import Config
    >>> try:
    ...     Config.model_validate({"column": {"thete": 3}})
    ... except ValidationError as error:
    ...     print(one_line(error, Config))
    unknown key 'column.thete'; did you mean 'theta'?
    """
    first = error.errors()[0]
    path = [part for part in first["loc"] if isinstance(part, str) and not INNER.match(part)]
    name = ".".join(path)
    value, kind, context = first.get("input"), first["type"], first.get("ctx", {})
    value = list(value) if isinstance(value, tuple) else value
    if kind == "extra_forbidden":
        return f"unknown key '{name}'{nearest(path[-1], _keys(model, path[:-1]))}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = [text.strip("'") for text in re.findall(r"'[^']*'", context["expected"])]
        return f"{name} must be {' | '.join(allowed)}, not {value!r}{_guess(value, allowed)}"
    rules = {
        "greater_than_equal": lambda: f"at least {context['ge']}",
        "greater_than": lambda: f"more than {context['gt']}",
        "less_than_equal": lambda: f"at most {context['le']}",
        "string_pattern_mismatch": lambda: "lower-case letters, digits and '-' (41 at most)",
        "string_too_long": lambda: f"at most {context['max_length']} characters",
        "int_type": lambda: "an integer",
        "int_from_float": lambda: "an integer",
        "float_type": lambda: "a number",
        "bool_type": lambda: "true or false",
        "string_type": lambda: "a string",
        "tuple_type": lambda: "a list",
        "too_long": lambda: f"a list of {context.get('max_length')}",
        "too_short": lambda: f"a list of {context.get('min_length')}",
        "missing": lambda: "given",
        "model_type": lambda: "a table",
        "model_attributes_type": lambda: "a table",
    }
    rule = rules[kind]() if kind in rules else first["msg"]
    return f"{name} must be {rule}, not {value!r}"


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Names that are allowed in the table at `path`."""
    for part in path:
        model = _table(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _table(kind: Any) -> type[BaseModel] | None:
    """The table inside an annotation such as ``tuple[LayerConfig, ...]`` or ``X | None``."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for part in get_args(kind) if (found := _table(part))), None)


def _guess(value: object, allowed: list[str]) -> str:
    hint = nearest(str(value), allowed)
    return hint if "did you mean" in hint else ""
