"""The config schema for other programs (JSON Schema) and for readers (a page of tables)."""

import json
from typing import Any

from pydantic import BaseModel

from racewave.golden import config

__all__ = ["json_schema", "page"]

TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", config.Config),
    ("[column]", config.ColumnConfig),
    ("[input]", config.InputConfig),
    ("[[layer]]", config.LayerConfig),
    ("[readout]", config.ReadoutConfig),
    ("[train]", config.TrainConfig),
    ("[hardware]", config.HardwareConfig),
)


def json_schema() -> dict[str, Any]:
    """The schema of a config file as JSON Schema (draft 2020-12).

    Examples
    --------
    >>> json_schema()["properties"]["engine"]["const"]
    'tnn'
    """
    return config.Config.model_json_schema()


def _allowed(rules: dict[str, Any]) -> str:
    """What a key takes, in a few words."""
    if "anyOf" in rules:
        options = [option for option in rules["anyOf"] if option.get("type") != "null"]
        return " or ".join(_allowed(option) for option in options)
    if "$ref" in rules:
        return "table"
    if "enum" in rules:
        return " \\| ".join(f"`{word}`" for word in rules["enum"])
    if "const" in rules:
        return f"`{rules['const']}`"
    if rules.get("type") == "array":
        return "list of two integers"
    low = rules.get("minimum", rules.get("exclusiveMinimum"))
    high = rules.get("maximum")
    kind = {"integer": "integer", "number": "number", "boolean": "`true` \\| `false`"}.get(
        rules.get("type", ""), "text"
    )
    if low is not None and high is not None:
        return f"{low}..{high}"
    if low is not None:
        return f"{kind}, {'>' if 'exclusiveMinimum' in rules else '>='} {low}"
    return kind


def page() -> str:
    """The reference page of all keys, in Markdown.

    Examples
    --------
    >>> "| `theta` |" in page()
    True
    """
    out = [
        "# Config files",
        "",
        "A config is a TOML file. Unknown keys are refused with the nearest valid name; rules that",
        "involve several keys show their arithmetic. A lone column needs only `[column]`. With",
        "`[input]` and `[[layer]]` tables, columns lie on grids of receptive fields over the image",
        "(`posneg`, `posneg-graded`, `onoff`: 2 lines per pixel, `intensity`, `poisson`: 1) or",
        "over the grid of an earlier layer (copies x q lines per position). `p` and the `t_in` of",
        "layers that read layers follow from that and may be left out; where they are given they",
        "must agree. `[layer.column]` holds what differs from `[column]` in one layer. Layers that",
        "no other layer reads are the outputs, in file order, and feed the `[readout]`.",
        "`racewave config PRESET` prints complete examples. This page is printed by",
        "`racewave config --page`, the JSON Schema by `--schema`.",
    ]
    for title, model in TABLES:
        out += ["", f"## {title or 'Top level'}", "", "| key | default | allowed | meaning |"]
        out.append("|---|---|---|---|")
        for name, rules in model.model_json_schema()["properties"].items():
            if rules.get("$ref") or not rules.get("description"):
                continue
            default = json.dumps(rules.get("default"))
            out.append(f"| `{name}` | `{default}` | {_allowed(rules)} | {rules['description']} |")
    return "\n".join(out) + "\n"
