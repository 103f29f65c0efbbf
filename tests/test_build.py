"""Bitstreams: real small builds for both families, boards, reports, designs that do not fit."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import amaranth_boards.ice40_hx8k_b_evn
import amaranth_boards.icebreaker
import amaranth_boards.ulx3s
import numpy as np
import pytest
from amaranth.build import Clock, Subsignal

from racewave.flows import boards, build, cache, report, tools
from racewave.flows.cli import execute
from racewave.golden import config, model
from racewave.golden.config import ColumnConfig, Config, HardwareConfig
from racewave.hw.latency import wave_cycles
from racewave.sim import rtl

RACEWAVE = Path(sys.executable).with_name("racewave")
SMALL = Config(name="small", column=ColumnConfig(p=4, q=2, theta=5))
PLATFORMS = {
    "icebreaker": amaranth_boards.icebreaker.ICEBreakerPlatform,
    "ice40-hx8k-b-evn": amaranth_boards.ice40_hx8k_b_evn.ICE40HX8KBEVNPlatform,
    "ulx3s-25f": amaranth_boards.ulx3s.ULX3S_25F_Platform,
    "ulx3s-85f": amaranth_boards.ulx3s.ULX3S_85F_Platform,
}


def pins_of(platform):
    """Pins by resource name, and the frequency of the clock."""
    pins, frequency = {}, None
    for resource in platform.resources:
        for io in resource.ios:
            if isinstance(io, Subsignal):
                names = getattr(io.ios[0], "names", [])
                pins[f"{resource.name}.{io.name}"] = list(names)
            elif hasattr(io, "names"):
                pins.setdefault(resource.name, []).extend(io.names)
        if resource.name == platform.default_clk:
            frequency = resource.clock.frequency
            assert isinstance(resource.clock, Clock)
    return pins, frequency


@pytest.mark.parametrize("name", boards.names())
def test_pins_are_those_of_amaranth_boards(name):
    board, platform = boards.load(name), PLATFORMS[name]
    pins, frequency = pins_of(platform)
    assert [board.pins.clk] == pins[platform.default_clk]
    assert [board.pins.rx] == pins["uart.rx"]
    assert [board.pins.tx] == pins["uart.tx"]
    assert board.pins.led == pins["led"][:2]
    assert board.clock_hz == frequency
    assert board.pins.high == ({"wifi_gpio0": pins["esp32.gpio0"][0]} if "ulx3s" in name else {})
    assert board.device.removesuffix("k") in platform.device.lower()


def test_every_pin_is_constrained():
    for name in boards.names():
        board = boards.load(name)
        _, text = boards.constraints(board)
        for pin in (board.pins.clk, board.pins.rx, board.pins.tx, *board.pins.led):
            assert text.count(f" {pin}\n") + text.count(f'"{pin}"') == 1
        verilog = boards.wrapper(board, "m")
        assert ("~{ready, busy}" in verilog) == (name == "icebreaker")


def test_boards_have_aliases():
    assert boards.load("hx8k") is boards.load("ice40-hx8k-b-evn")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small column built for a board of each family, with an empty cache."""
    place = tmp_path_factory.mktemp("builds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RACEWAVE_CACHE", str(place / "cache"))
        start = model.initial(SMALL).with_weights(np.full((2, 4), 3))
        yield {
            name: (
                build.build(start, boards.load(name), place / name, build.Options(fast=True)),
                place / name,
                start,
            )
            for name in ("icebreaker", "ulx3s-25f")
        }


MAGIC = {"icebreaker": bytes.fromhex("7eaa997e"), "ulx3s-25f": b"LFE5U-25F"}


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_bitstream_and_report(built, name):
    made, folder, _ = built[name]
    assert not made.cached
    data = json.loads((folder / "report.json").read_text())
    assert data == made.report
    stream = (folder / data["bitstream"]["file"]).read_bytes()
    assert MAGIC[name] in stream[:200]
    assert hashlib.sha256(stream).hexdigest() == data["bitstream"]["sha256"]
    assert data["hash"] == SMALL.hash
    assert data["timing"]["met"]
    assert data["timing"]["fmax_mhz"] > data["timing"]["clock_mhz"]
    path = data["timing"]["critical_path"]
    assert path["logic_ns"] + path["routing_ns"] == pytest.approx(path["ns"], abs=0.02)
    assert path["ns"] == pytest.approx(1000 / data["timing"]["fmax_mhz"], rel=0.01)
    assert data["image"]["cycles"] == wave_cycles(SMALL)
    for row in data["resources"].values():
        assert 0 <= row["used"] <= row["available"]
    used = data["resources"]
    assert 8 < data["core"]["luts"] < used["luts"]["used"] <= used["cells"]["used"]
    # Every weight bit is a flip-flop of the core.
    assert 4 * 2 * 3 < data["core"]["ffs"] < used["ffs"]["used"]
    assert data["tools"] == tools.versions(*build.TOOLS[boards.load(name).family])


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_boards_say_what_nextpnr_says(built, name):
    (entry,) = [
        home
        for home in cache.place().iterdir()
        if home.is_dir() and (home / boards.constraints(boards.load(name))[0]).exists()
    ]
    have, routed = boards.load(name).available, report.read(entry)["utilization"]
    assert have.cells == routed[report.CELL[boards.load(name).family]]["available"]
    names = {"icebreaker": ("ICESTORM_RAM", "ICESTORM_DSP"), "ulx3s-25f": ("DP16KD", "MULT18X18D")}
    assert (have.brams, have.dsps) == tuple(routed[cell]["available"] for cell in names[name])


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f"])
def test_second_build_is_the_same_from_the_cache(built, name, tmp_path):
    _, folder, start = built[name]
    again = build.build(start, boards.load(name), tmp_path / "b", build.Options(fast=True))
    assert again.cached
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_other_weights_are_another_bitstream(built):
    _, _, start = built["icebreaker"]
    board = boards.load("icebreaker")
    other = start.with_weights(start.weights + 1)
    assert build.design(start, board) != build.design(other, board)


FOLDED = """name = "small-folded"
[input]
image = [4, 4]
[[layer]]
field = 2
stride = 2
[column]
q = 2
theta = 5
[readout]
classes = 2
[hardware]
micro_architecture = "folded"
engines = 2
learning = false
"""


def test_a_folded_core_on_a_board(tmp_path, capsys, monkeypatch):
    """Rate and cycles by formula, and as a simulation of the same core counts them."""
    monkeypatch.setenv("RACEWAVE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "c.toml").write_text(FOLDED)
    command = ["build", str(tmp_path / "c.toml"), "--board", "ulx3s-25f", "-o", str(tmp_path / "o")]
    assert execute([*command, "--fast", "--count", "40", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    cycles = wave_cycles(config.load(tmp_path / "c.toml"))
    image, fmax = data["image"], data["timing"]["fmax_mhz"]
    assert (image["cycles"], image["counted_images"]) == (cycles, 40)
    assert image["counted_cycles"] == pytest.approx(cycles, rel=0.3)  # fields without spikes
    assert image["per_s"] == pytest.approx(25e6 / image["counted_cycles"], rel=1e-3)
    assert image["per_s_at_fmax"] == pytest.approx(fmax * 1e6 / image["counted_cycles"], rel=1e-3)
    assert image["learning_cycles"] == 0
    used = data["resources"]
    assert 0 < used["carries"]["used"] < used["luts"]["used"]
    assert 0 < data["core"]["luts"] < used["luts"]["used"]
    assert data["core"]["luts_per_synapse"] == round(data["core"]["luts"] / (4 * 2 * 8), 2)
    assert (tmp_path / "o" / data["bitstream"]["file"]).is_file()
    # Without a count the report has the formula alone; nothing is built again.
    assert execute([*command, "--fast", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["cached"], again["image"]["counted_cycles"]) == (True, None)
    assert again["image"]["per_s"] == round(25e6 / cycles)


def test_text_report_has_every_figure(built):
    made, folder, _ = built["icebreaker"]
    text = (folder / "report.txt").read_text()
    assert text == made.text
    assert {len(line) for line in text.splitlines()} == {report.WIDTH}
    data = made.report
    for figure in (
        f"{data['resources']['luts']['used']:,}",
        f"{data['timing']['fmax_mhz']} MHz for 12 MHz: met",
        f"{data['image']['cycles']} cycles, {data['image']['us']} us",
        f"{data['image']['per_s']:,} ({data['image']['per_s_at_fmax']:,} at Fmax)",
        f"{data['core']['luts_per_synapse']} core",
        data["hash"],
        data["bitstream"]["file"],
    ):
        assert figure in text


def test_cycles_of_the_report_are_those_of_the_rtl():
    # Wide enough for its random decisions to be drawn while the weights pass the STDP unit.
    wide = Config(name="wide", column=ColumnConfig(p=32, q=2, theta=40))
    volleys = np.zeros((4, 32), np.uint8)
    for learn in (False, True):
        found = rtl.run(model.initial(wide), volleys, learn).cycles
        assert set(found) == {wave_cycles(wide, learn)}


def too_big(name, board, capsys, out):
    assert execute(["build", name, "--board", board, "-o", str(out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert not out.exists()
    return printed.err.splitlines()[-1]


def spatial(stride, folder):
    """A config file of columns on MNIST, one circuit per synapse."""
    path = folder / "spatial.toml"
    path.write_text(f"name = 'spatial'\n[input]\n[[layer]]\nstride = {stride}\n")
    return str(path)


def test_too_many_weights_are_refused_at_once(tmp_path, capsys):
    assert too_big(spatial(1, tmp_path), "icebreaker", capsys, tmp_path / "o") == (
        "racewave: spatial must fit icebreaker (5,280 flip-flops), but needs at least 720,000 "
        "(240,000 synapses x 3 weight bits): 714,720 are missing; ulx3s-85f (83,640) has most and "
        "would not do either"
    )


def test_too_many_weights_for_the_largest_board(tmp_path, capsys):
    said = too_big(spatial(2, tmp_path), "ulx3s-85f", capsys, tmp_path / "o")
    assert said.endswith("111,048 are missing; no board has more")


def test_too_big_after_synthesis_names_a_board(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RACEWAVE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "wide.toml"
    path.write_text("name = 'wide'\n[column]\np = 32\nq = 33\n")
    said = too_big(str(path), "icebreaker", capsys, tmp_path / "o")
    start = "racewave: wide must fit icebreaker (5,280 logic cells), but needs "
    assert said.startswith(start)
    needed = int(said.removeprefix(start).split()[0].replace(",", ""))
    assert f"{needed - 5280:,} are missing; " in said
    best = "ice40-hx8k-b-evn (7,680)" if needed <= 0.95 * 7680 else "ulx3s-25f (24,288)"
    assert said.endswith(f"{best} would do")
    assert not [p for p in (tmp_path / "cache" / "bitstreams").iterdir() if p.is_dir()]


def test_a_baud_rate_that_the_clock_cannot_divide(tmp_path, capsys):
    fast = SMALL.model_copy(update={"hardware": HardwareConfig(baud=5_000_000)})
    with pytest.raises(config.BadInput, match="baud must be within 2 %"):
        build.build(model.initial(fast), boards.load("icebreaker"), tmp_path / "o")


def test_interrupted_synthesis_leaves_nothing(tmp_path):
    command = [RACEWAVE, "build", "cmu-cvt", "--board", "icebreaker", "-o", "out", "-v"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "RACEWAVE_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith("yosys synthesis.ys"):  # -v: yosys runs
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "racewave: interrupted"
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert not [p for p in (tmp_path / "cache" / "bitstreams").iterdir() if p.is_dir()]


def test_a_cache_that_cannot_be_made(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RACEWAVE_CACHE", str(tmp_path / "file" / "cache"))
    status = execute(["build", "cmu-cvt", "--board", "icebreaker", "-o", str(tmp_path / "o")])
    last = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert last.startswith(f"racewave: cache folder '{tmp_path}/file/cache/bitstreams' cannot be")


def test_a_first_start_is_announced_once(tmp_path, monkeypatch):
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path))
    said = []
    assert not tools.TOOLS["icepack"].compiled()
    for _ in range(2):
        tools.prepare("icepack", said.append)
    assert tools.TOOLS["icepack"].compiled()
    assert len(said) == 1
    assert "first start" in said[0]


def test_stopped_tools_start_again_only_when_told(tmp_path):
    tools.stop_all()
    with pytest.raises(tools.ToolError, match="yosys was not started"):
        tools.run("yosys", ["-V"], tmp_path, tmp_path / "log")
    tools.go_on()
    assert tools.run("yosys", ["-V"], tmp_path, tmp_path / "log").startswith("Yosys ")


def test_a_tool_that_fails_says_why(tmp_path):
    with pytest.raises(tools.ToolError, match=r"(?s)yosys ended with status 1:.*ERROR.*nonsense"):
        tools.run("yosys", ["-p", "nonsense"], tmp_path, tmp_path / "log")
