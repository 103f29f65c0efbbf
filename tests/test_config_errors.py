"""Every message of the config schema, as a user meets it: one line, status 2, nothing else."""

import ast
import inspect
import json
import re

import pytest
from test_golden_config import FAULTS

from racewave.flows.cli import execute
from racewave.golden import config, stage, tables

MORE = [
    ("engine = 'tnn'\n[column]\np = 32 32\n", r"not valid TOML: .*line 3.*"),
    ("[column]\np = 1.5\n", r"column.p must be an integer, not 1.5"),
    ("[column]\np = 70000\n", r"column.p must be at most 65536, not 70000"),
    ("name = 3\n", r"name must be a string, not 3"),
    ("[input]\nimage = 8\n", r"input.image must be a list, not 8"),
    (
        "[train]\nlearning_rate = 0\n[column]\n",
        r"train.learning_rate must be more than 0.*, not 0",
    ),
    ("[train]\nlearning_rate = 'x'\n", r"train.learning_rate must be a number, not 'x'"),
    ("layer = 3\n", r"layer must be a list, not 3"),
    (f"description = '{'x' * 401}'\n", r"description must be at most 400 characters, not 'x+'"),
    ("[colum]\n", r"unknown key 'colum'; did you mean 'column'\?"),
    ("[column]\nzzz = 1\n", r"unknown key 'column.zzz'; allowed: p, q, theta, .*"),
]


def toml(data, path=""):
    """TOML text of nested tables, as far as these tests need it."""
    top, nested = [], []
    for name, value in data.items():
        if isinstance(value, dict):
            nested.append(f"[{path}{name}]\n" + toml(value, f"{path}{name}."))
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            nested += [f"[[{name}]]\n" + toml(item, f"{name}.") for item in value]
        else:
            top.append(f"{name} = {json.dumps(value)}\n")
    return "".join(top + nested)


def complaint(text, tmp_path, capsys):
    """The one line that the command line answers a config with."""
    path = tmp_path / "c.toml"
    path.write_text(text)
    status = execute(["run", str(path), "--on", "golden"])
    printed = capsys.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    start = f"racewave: {path}: "
    assert printed.err.startswith(start)
    return printed.err[len(start) : -1]


@pytest.mark.parametrize(("data", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_fault_is_one_line(data, message, tmp_path, capsys):
    assert complaint(toml(data), tmp_path, capsys) == message


@pytest.mark.parametrize(("text", "pattern"), MORE, ids=[pattern[:40] for _, pattern in MORE])
def test_more_faults_are_one_line(text, pattern, tmp_path, capsys):
    assert re.fullmatch(pattern, complaint(text, tmp_path, capsys))


def raised():
    """A pattern for the message of every `raise ValueError(...)` in the schema's source."""
    sources = [inspect.getsource(module) for module in (config, stage, tables)]
    for node in ast.walk(ast.parse("".join(sources).replace("from __future__", "from future"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if getattr(node.exc.func, "id", "") != "ValueError":
                continue
            (text,) = node.exc.args
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            yield "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"
                for part in parts
            )


def test_no_message_is_left_out():
    messages = [message for _, message in FAULTS]
    messages += [re.sub(r"^layer \d+: ", "", message) for message in messages]
    patterns = list(raised())
    assert len(patterns) >= 10
    assert [p for p in patterns if not any(re.fullmatch(p, m) for m in messages)] == []


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert execute(["run", str(tmp_path / "no.toml")]) == 2
    wanted = f"racewave: config file '{tmp_path}/no.toml' cannot be read: No such file or directory"
    assert capsys.readouterr().err == wanted + "\n"


def test_a_file_that_is_not_text(tmp_path, capsys):
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\x00")
    assert execute(["run", str(tmp_path / "c.toml")]) == 2
    assert capsys.readouterr().err.endswith("cannot be read: not UTF-8 text\n")
