"""Engine counts for a rate, memories that must fit, and what bad ones are answered with."""

import json
import tomllib

import numpy as np
import pytest

from racewave.flows import boards, build, engines
from racewave.flows.cli import execute
from racewave.flows.inputs import open_model
from racewave.golden import model, presets
from racewave.golden.config import Config, from_dict
from racewave.golden.errors import BadInput
from racewave.hw.latency import wave_cycles

FOLDED = """name = "small"
[input]
image = [5, 5]
[[layer]]
field = 2
stride = 1
{layer}
[column]
q = 3
theta = 8
[hardware]
micro_architecture = "folded"
{hardware}
"""


def text(hardware: str = "", layer: str = "") -> str:
    """Config of 16 columns, on as many engines as `hardware` says."""
    return FOLDED.format(hardware=hardware, layer=layer)


def small(hardware: str = "", layer: str = "") -> Config:
    """The same, checked."""
    return from_dict(tomllib.loads(text(hardware, layer)))


def network(name: str, **hardware) -> Config:
    """A preset, folded."""
    data = presets.load(name).to_dict()
    return from_dict({**data, "hardware": {"micro_architecture": "folded", **hardware}})


def test_choices_divide_the_columns():
    assert engines.choices(small()) == [1, 2, 4, 8, 16]
    assert engines.choices(network("mnist-625")) == [1, 5, 25, 125, 625]
    # A layer with engines of its own does not restrict the others.
    assert engines.choices(small(layer="engines = 2")) == [1]
    data = small().to_dict()
    data["layer"].append({"field": 2, "stride": 1})  # 9 columns
    assert engines.choices(from_dict(data)) == [1]
    data["layer"][1]["engines"] = 3
    assert engines.choices(from_dict(data)) == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("mhz", [None, 10.0, 80.0])
@pytest.mark.parametrize("share", [0.9, 1.0, 1.1])
def test_the_fewest_engines_that_reach_a_rate(mhz, share):
    """At, just below and just above what each count reaches."""
    clock = (mhz or 50.0) * 1e6
    for count, more in zip((1, 2, 4, 8), (2, 4, 8, 16), strict=True):
        rate = clock / wave_cycles(engines.with_engines(small(), count)) * share
        picked = engines.pick(small(f"target_fps = {rate!r}"), mhz)
        assert picked.hardware.engines == (more if share > 1 else count)
    assert engines.pick(small("engines = 4")).hardware.engines == 4  # no rate, no choice


def test_a_rate_that_no_count_reaches():
    cycles = wave_cycles(engines.with_engines(small(), 16))
    with pytest.raises(BadInput) as error:
        engines.pick(small("target_fps = 1e9"))
    assert str(error.value) == (
        f"small: target_fps must be at most {50e6 / cycles:,.0f} "
        f"(50 MHz / {cycles} cycles with 16 engines), not 1,000,000,000"
    )


def test_every_opened_model_has_its_engines(tmp_path):
    rate = 50e6 / wave_cycles(engines.with_engines(small(), 4))
    config = small(f"target_fps = {rate!r}")
    (tmp_path / "c.toml").write_text(text(f"target_fps = {rate!r}"))
    weights = np.random.default_rng(1).integers(0, 8, config.stages[0].shape, np.uint8)
    model.save(tmp_path / "m.npz", model.Model(config, weights))
    for name in ("c.toml", "m.npz"):
        assert open_model(str(tmp_path / name)).config.hardware.engines == 4
        slow = open_model(str(tmp_path / name), clock_mhz=25.0).config
        assert slow.hardware.engines > 4
        assert 25e6 / wave_cycles(slow) >= rate
    assert (open_model(str(tmp_path / "m.npz")).weights == weights).all()


def test_memories_of_engines():
    have = boards.load("ulx3s-85f").available
    found = engines.memories(network("mnist-625", engines=25))
    assert [(m.engines, m.words, m.bits) for m in found] == [(25, 800, 36), (25, 300, 80)]
    assert [m.blocks(have) for m in found] == [50, 75]
    # Words x bits of one block: 512 x 36, 1024 x 18, 2048 x 9, 4096 x 4, ...
    for words, bits, blocks in ((512, 36, 1), (513, 36, 2), (1024, 18, 1), (2048, 37, 5),
                                (16384, 1, 1), (16385, 1, 2), (4000, 36, 8),
                                (32, 36, 0), (16, 80, 0)):  # fmt: skip
        assert have.blocks(words, bits) == blocks
    assert boards.load("icebreaker").available.blocks(257, 16) == 2


def refused(arguments, capsys, out) -> str:
    """The one line that bad input is answered with; no output appears."""
    assert execute([*arguments, "-o", str(out)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1), printed
    assert not out.exists()
    return printed.err.removeprefix("racewave: ").rstrip("\n")


def test_a_network_that_fits_no_memory(tmp_path, capsys):
    """Before any tool starts: one line with the arithmetic, and which board would do."""
    data = network("mnist-625", engines=25).to_dict()
    model.save(tmp_path / "m.npz", model.initial(from_dict(data)))
    build_on = ["build", str(tmp_path / "m.npz"), "--board"]
    assert refused([*build_on, "ulx3s-25f"], capsys, tmp_path / "o") == (
        "mnist-625 must fit ulx3s-25f (56 block memories), but needs at least 125 "
        "(25 engines x 2 for weights of 800 x 36 bits + 25 engines x 3 for the read-out of "
        "300 x 80 bits): 69 are missing; ulx3s-85f (208) would do"
    )
    said = refused([*build_on, "icebreaker"], capsys, tmp_path / "o")
    assert said.startswith("mnist-625 must fit icebreaker (30 block memories), but needs at least ")
    assert "25 engines x 9 for weights" in said


def test_enough_memories_are_not_refused():
    config = network("mnist-625", engines=25)
    build.check_storage(config, boards.load("ulx3s-85f"))
    with pytest.raises(build.DoesNotFit):
        build.check_storage(config, boards.load("ulx3s-25f"))


@pytest.mark.parametrize("verb", ["run", "cosim", "generate", "build"])
def test_bad_engines_are_one_line_for_every_verb(verb, tmp_path, capsys):
    board = ["--board", "ulx3s-85f"] if verb == "build" else []
    for hardware, said in (
        ("engines = 3", "engines must divide the 16 columns of layer 1, not 3 (16 = 5 x 3 + 1); "),
        ("target_fps = 1e9", "target_fps must be at most "),
        ("target_fps = 0.0", "hardware.target_fps must be more than 0.0, not 0.0"),
    ):
        (tmp_path / "c.toml").write_text(text(hardware))
        arguments = [verb, str(tmp_path / "c.toml"), *board]
        assert said in refused(arguments, capsys, tmp_path / "out")


def test_generate_takes_the_engines_of_a_rate(tmp_path, capsys):
    rate = 50e6 / wave_cycles(engines.with_engines(small(), 2))
    (tmp_path / "c.toml").write_text(text(f"target_fps = {rate!r}"))
    assert execute(["generate", str(tmp_path / "c.toml"), "-o", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written["hardware"]["engines"] == 2
    text_of = (tmp_path / "out" / "racewave_small.v").read_text()
    assert "//   layer 1: 16 columns on 2 engines" in text_of
