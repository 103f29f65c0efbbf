"""Generated cores: the same bytes everywhere, complete, and never on top of foreign files."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from boards import FOLDED, LAYERS, VOTER
from boards import model as boards_model
from mutants import mutated
from numpy.testing import assert_array_equal

from racewave.flows import datasheet, files, generate
from racewave.flows.cli import execute
from racewave.golden import model, presets
from racewave.golden.layout import Layout
from racewave.golden.model import Model
from racewave.hw import verilog
from racewave.hw.latency import latencies

RACEWAVE = Path(sys.executable).with_name("racewave")


@pytest.fixture(scope="module")
def trained():
    """`digits` with seeded weights and read-out."""
    config, rng = presets.load("digits"), np.random.default_rng(5)
    weights = rng.integers(0, 8, (4, 12, 32), np.uint8)
    return Model(config, weights, rng.integers(-128, 128, (48, 10), np.int8))


@pytest.fixture(scope="module")
def core(trained, tmp_path_factory):
    """The folder of its core."""
    out = tmp_path_factory.mktemp("core") / "out"
    generate.generate(trained, out)
    return out


def items(text, bits, count):
    """Unpack the words of a memory image, item 0 in the low bits."""
    words = [int(line, 16) for line in text.split()]
    return np.array(
        [[word >> (n * bits) & (1 << bits) - 1 for n in range(count)] for word in words]
    )


def test_same_bytes_whatever_the_hash_seed(trained, core, tmp_path):
    model.save(tmp_path / "m.npz", trained)
    for seed in ("1", "4711"):
        command = [RACEWAVE, "generate", "m.npz", "-o", f"out-{seed}"]
        subprocess.run(
            command, cwd=tmp_path, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
        )  # fmt: skip
        found = {path.name: path.read_bytes() for path in (tmp_path / f"out-{seed}").iterdir()}
        assert found == {path.name: path.read_bytes() for path in core.iterdir()}


def test_manifest_lists_every_file(core):
    manifest = json.loads((core / "manifest.json").read_text())
    assert manifest["generator"] == "racewave"
    assert manifest["top"] == "racewave_digits"
    assert manifest["hash"] == presets.load("digits").hash
    assert set(manifest["files"]) | {"manifest.json"} == {path.name for path in core.iterdir()}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((core / name).read_bytes()).hexdigest() == digest


def check_rows(unit, trained):
    """Memory images hold the rows that the UART protocol packs."""
    layout = Layout(trained.config)
    rows = trained.weights.transpose(0, 2, 1).reshape(-1, 12)
    assert_array_equal(items(unit.rows(rows, 3), 3, 12), rows)
    text = unit.rows(rows, 3) + unit.rows(trained.readout, 8)
    lines = [int(line, 16).to_bytes(layout.row_bytes, "little") for line in text.split()]
    assert b"".join(lines) == layout.pack_model(trained)
    codes = items(unit.rows(trained.readout, 8), 8, 10)
    assert_array_equal(codes.astype(np.uint8).view(np.int8), trained.readout)


def test_memory_images(trained, core):
    check_rows(generate, trained)
    assert_array_equal(
        items((core / "weights.hex").read_text(), 3, 12),
        trained.weights.transpose(0, 2, 1).reshape(-1, 12),
    )


def test_memory_images_planted_order(trained):
    wrong = mutated(generate, "<< (n * bits)", "<< ((len(row) - 1 - n) * bits)")
    with pytest.raises(AssertionError):
        check_rows(wrong, trained)


def test_page_shows_the_ports_of_the_text(core):
    verilog = (core / "racewave_digits.v").read_text()
    page = (core / "ports.md").read_text()
    ports = datasheet.ports(verilog, "racewave_digits")
    assert len(ports) == 20
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((name, way, str(bits)) for name, way, bits in ports)
    assert dict((name, bits) for name, _, bits in ports)["s_axis_volley_tdata"] == 384


@pytest.mark.parametrize("config", [FOLDED, VOTER, LAYERS], ids=lambda c: c.name)
def test_folded_cores(config, tmp_path):
    """Images of every block, a page with every port, and a header that lists the layers."""
    shown, layout = boards_model(3, config), Layout(config)
    done = generate.generate(shown, tmp_path / "out")
    images = [name for name in done.files if name.endswith(".hex")]
    layers = [f"layer{n}.weights.hex" for n in range(len(config.stages))]
    wanted = layers if len(layers) > 1 else ["weights.hex"]
    assert images == sorted([*wanted, *(["readout.hex"] if config.readout else [])])
    rows = [
        int(line, 16).to_bytes(layout.row_bytes, "little")
        for name in [*wanted, "readout.hex"]
        if name in images
        for line in (tmp_path / "out" / name).read_text().split()
    ]
    assert b"".join(rows) == layout.pack_model(shown)
    text = (tmp_path / "out" / f"{done.top}.v").read_text()
    for stage in config.stages:
        assert f"//   layer {stage.index + 1}: {stage.columns} columns on 2 engines" in text
    page = (tmp_path / "out" / "ports.md").read_text()
    shown_ports = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \|", page, re.MULTILINE)
    found = [(name, way, str(bits)) for name, way, bits in datasheet.ports(text, done.top)]
    assert sorted(shown_ports) == sorted(found)
    assert len(found) == 21
    assert f"A volley is {layout.streams.volley_beats} beats of 8 time codes" in page
    core = (tmp_path / "out" / f"{config.name}.core").read_text()
    assert all(name in core for name in images)


def test_core_file_names_what_is_there(core):
    text = (core / "digits.core").read_text()
    assert text.startswith("CAPI=2:\n")
    for name in ("racewave_digits.v", "weights.hex", "readout.hex"):
        assert name in text
        assert (core / name).is_file()


def test_every_preset_of_a_column_has_a_page():
    for name in ("lab847", "rtnn-v8", "cmu-tnngen"):
        config = presets.load(name)
        page = datasheet.page(config, verilog.export(config))
        for line in latencies(config):
            assert f"| {line.what} | {line.formula} | {line.clocks} |\n" in page


def test_own_folder_is_replaced(trained, tmp_path):
    generate.generate(trained, tmp_path / "out")
    other = trained.with_weights(7 - trained.weights)
    generate.generate(other, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    text = (tmp_path / "out" / "weights.hex").read_text()
    assert_array_equal(items(text, 3, 12), other.weights.transpose(0, 2, 1).reshape(-1, 12))


def test_foreign_files_stay(trained, tmp_path, capsys):
    out = tmp_path / "out"
    generate.generate(trained, out)
    (out / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert execute(["generate", "digits", "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"racewave: output folder '{out}' must be new, empty or made by racewave, "
        "not one that holds 'notes.txt'\n"
    )
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (tmp_path / "plain").write_text("a file")
    assert execute(["generate", "digits", "-o", str(tmp_path / "plain")]) == 2
    assert capsys.readouterr().err.endswith("must be a folder, not a file\n")


def test_a_failure_leaves_nothing(tmp_path):
    def fail():
        with files.folder(tmp_path / "out", {}) as folder:
            (folder / "half").write_text("...")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_filled(trained, tmp_path):
    (tmp_path / "out").mkdir()
    generate.generate(trained, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()
