"""Simulators, builds and sessions: what is chosen, what is kept, what happens if it goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from racewave.golden.errors import BadInput
from racewave.sim import builds, simulators
from racewave.sim.runner import BuildError, Session, SimulationError, build, pick

ECHO = """
module bench (
`ifdef VERILATOR
    input clk,
`endif
    output reg done /*verilator public_flat_rw*/
);
`ifndef VERILATOR
  reg clk = 0;
  always #1 clk = ~clk;
`endif
  initial done = 0;
  reg go /*verilator public_flat_rw*/ = 0;
  reg [69:0] number /*verilator public_flat_rw*/ = 0;
  reg [31:0] clocks /*verilator public_flat_rw*/ = 0;
  reg seen = 0;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    seen <= go;
    if (go != seen && number != 5) begin
      number <= number + 1;
      done <= ~done;
    end
  end
endmodule
"""


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own that holds nothing but Verilator's compiled library, if there is one."""
    usual = builds.cache_folder()
    monkeypatch.setenv("RACEWAVE_CACHE", str(tmp_path))
    place = builds.cache_folder()
    place.mkdir(parents=True)
    for folder in usual.glob("runtime-*"):
        shutil.copytree(folder, place / folder.name)
    return place


def test_unknown_simulator():
    with pytest.raises(BadInput, match="verilator or icarus, not 'icaru'; did you mean 'icarus'"):
        pick("icaru")


def test_nothing_installed():
    """With nothing on PATH, one line says what to type."""
    code = "from racewave.sim.simulators import pick; pick()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "BadInput: a simulator must be installed" in last
    assert "verilator: g++ is not on PATH (sudo apt install g++)" in last
    assert "icarus: iverilog is not on PATH (sudo apt install iverilog)" in last


def test_verilator_is_the_first_choice():
    found = simulators.survey()
    assert [simulator.name for simulator in found] == list(simulators.NAMES)
    best = pick()
    assert best == next(simulator for simulator in found if simulator.usable)
    assert simulators.reason(best)


def test_session_plays_orders_in_turn():
    with Session(build(pick(), ECHO)) as session:
        orders = [{"set": {"number": n}, "get": ["number"]} for n in (0, 2**69 + 6, 2**70 - 1)]
        answers = [int(answer["number"], 2) for answer in session.play(*orders)]
    assert answers == [1, 2**69 + 7, 0]


def test_python_may_wake_up_at_every_clock():
    with Session(build(pick(), ECHO), wake="clock") as session:
        answers = session.play(*[{"set": {"number": n}, "get": ["number"]} for n in (1, 8)])
    assert [int(answer["number"], 2) for answer in answers] == [2, 9]


def test_bench_that_hangs():
    session = Session(build(pick(), ECHO), timeout_s=3)
    with pytest.raises(SimulationError, match="no answer within 3 s"), session:
        session.play({"set": {"number": 5}, "get": []})
    assert session._process.returncode is not None


def test_unknown_register_shows_the_log():
    session = Session(build(pick(), ECHO))
    with pytest.raises(SimulationError, match=r"(?s)simulator died.*numbre"), session:
        session.play({"set": {"numbre": 1}, "get": []})


def test_wrong_verilog():
    with pytest.raises(BuildError, match=r"(?s)failed.*syntax error"):
        build(pick(), ECHO.replace("reg seen = 0;", "reg seen = ;"))


def test_builds_are_kept_by_content(empty_cache):
    first = build(pick(), ECHO)
    second = build(pick(), ECHO)
    other = build(pick(), ECHO.replace("[69:0]", "[70:0]"))
    assert (first.cached, second.cached, other.cached) == (False, True, False)
    assert first.program == second.program != other.program
    assert second.seconds == pytest.approx(first.seconds, abs=0.01)
    names = [entry.name for entry in empty_cache.iterdir() if "runtime" not in entry.name]
    assert len([name for name in names if not name.endswith(".lock")]) == 2


def test_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("RACEWAVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadInput, match=r"cannot be made: .*RACEWAVE_CACHE names another one"):
        build(pick(), ECHO)


def test_builds_at_the_same_time_are_one(empty_cache):
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: build(pick(), ECHO), range(3)))
    assert sorted(one.cached for one in made) == [False, True, True]
    assert len({one.program for one in made}) == 1


def test_sessions_at_the_same_time():
    program = build(pick(), ECHO)
    with Session(program) as one, Session(program) as two:
        pending = [
            session.submit([{"set": {"number": start + n}, "get": ["number"]} for n in range(20)])
            for start, session in ((100, one), (200, two))
        ]
        found = [[int(answer["number"], 2) for answer in each.result()] for each in pending]
    assert found == [list(range(101, 121)), list(range(201, 221))]
