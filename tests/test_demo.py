"""`racewave demo` itself: the whole path, tools and all."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from racewave.golden import data, encoders, model, network

RACEWAVE = Path(sys.executable).with_name("racewave")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Its report and its folder; bitstreams come from the user's cache if they are there."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [RACEWAVE, "demo", "-o", "out", "--json"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder / "out"


def test_everything_is_equal(demo):
    report, _ = demo
    assert report["passed"]
    assert report["rtl"]["equal"]
    assert report["rtl"]["waves"] == 360
    assert report["rtl"]["correct"] == report["golden"]["correct"]
    assert report["cosim"]["equal"]
    assert report["cosim"]["learn"]
    assert report["cosim"]["checked"] == 360
    assert len(report["steps"]) == 6


def test_its_model_is_what_it_says(demo):
    report, folder = demo
    images = data.load("digits")
    found = model.load(folder / "digits.npz")
    classes = network.run(found, encoders.encode(images.test_images, found.config)).classes
    assert int(np.sum(classes == images.test_labels)) == report["train"]["correct"]


def test_it_leaves_bitstreams(demo):
    report, folder = demo
    small, large = report["builds"]["icebreaker"], report["builds"]["ulx3s-85f"]
    stream = (folder / "cmu-cvt-icebreaker" / small["bitstream"]["file"]).read_bytes()
    assert bytes.fromhex("7eaa997e") in stream[:64]
    stream = (folder / "digits-ulx3s-85f" / large["bitstream"]["file"]).read_bytes()
    assert b"LFE5U-85F" in stream[:200]
    assert small["timing"]["met"]
    assert large["timing"]["met"]


def test_area_and_latency(demo):
    """32x12 synapses with STDP and UART on the UP5K: at most 6 LUT4 per synapse of the core."""
    report, _ = demo
    assert report["builds"]["icebreaker"]["core"]["luts_per_synapse"] <= 6
    cycles = report["builds"]["ulx3s-85f"]["image"]["cycles"]
    assert report["rtl"]["cycles"] == [cycles, cycles]
