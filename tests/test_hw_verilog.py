"""The exported file: one module per unit, the same to the byte, and it says what it is."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Fragment
from mutants import mutated

from racewave.golden import config as configs
from racewave.golden import presets
from racewave.golden.config import ColumnConfig, Config
from racewave.golden.model import initial
from racewave.hw import hierarchy, verilog
from racewave.hw.hierarchy import Library
from racewave.hw.network import Network
from racewave.hw.ring import Ring
from racewave.hw.verilog import core_ports

TINY = Config(name="tiny", column=ColumnConfig(p=5, q=3, theta=6, k=2))


def modules(text):
    return re.findall(r"^module (\S+)", text, flags=re.MULTILINE)


def test_one_module_per_unit():
    text = verilog.export(TINY)
    names = modules(text)
    assert len(names) == len(set(names))
    assert {"synapses", "neuron", "ring", "potential", "wta", "column", "lfsr"} <= set(names)
    assert "racewave_tiny" in names
    assert len(re.findall(r"^  neuron neuron_\d+ \(", text, flags=re.MULTILINE)) == 3
    assert len(re.findall(r"^  synapses synapses \(", text, flags=re.MULTILINE)) == 1


def test_header():
    head = verilog.export(TINY).split("module")[0]
    assert TINY.hash in head
    for name in ("p", "q", "theta", "t_in", "w_max", "response", "k", "tie", "seed"):
        assert f"  {name} = {getattr(TINY.column, name)}\n" in head
    assert "learning on chip: yes" in head


def test_every_module_says_what_it_is():
    text = verilog.export(TINY)
    lines = text.splitlines()
    for n, line in enumerate(lines):
        if line.startswith("module "):
            assert lines[n - 1].startswith("// "), line


def test_inference_has_no_stdp():
    frozen = TINY.hardware.model_copy(update={"learning": False})
    names = modules(verilog.export(TINY.model_copy(update={"hardware": frozen})))
    assert not {"update", "rule", "decisions", "lfsr"} & set(names)


PROGRAM = """
from racewave.golden import presets
from racewave.hw import verilog
import hashlib, sys
text = verilog.export(presets.load("digits"))
sys.stdout.write(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_to_the_byte():
    hashes = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64


@pytest.mark.parametrize("name", ["cmu-cvt", "cmu-tnngen", "lab847", "rtnn-v8", "digits"])
def test_presets_export(name):
    assert name in presets.names()
    text = verilog.export(configs.load(name))
    assert "\\" not in text  # no escaped names
    assert "$" not in text.replace("$signed", "").replace("$unsigned", "")


def test_readout_rows_are_in_the_file():
    data = {
        "column": {"p": 2, "q": 1, "theta": 1},
        "input": {"image": [1, 1], "encoder": "posneg"},
        "layer": [{"field": 1, "stride": 1}],
        "readout": {"classes": 2, "bits": 4},
    }
    config = configs.from_dict(data)
    model = replace(initial(config), readout=np.full((config.outputs, 2), [-1, 5]))
    text = verilog.export(config, model)
    assert "8'h5f" in text


def test_ports_of_the_core():
    text = verilog.export(TINY)
    core = text[text.index("module racewave_tiny") :].split(");")[0]
    ports = re.findall(r"(?:input|output) +\w+ +(?:\[(\d+):0\] )?(\w+)", core)
    unit = Network(TINY)
    expected = {name: len(value) for name, (value, _) in core_ports(unit).items()}
    Fragment.get(unit, None)  # a component that is never elaborated warns
    assert {name: int(high or 0) + 1 for high, name in ports} == expected | {"clk": 1, "rst": 1}


def test_units_with_other_parameters_get_their_own_module():
    library = Library()
    first = library.add(Ring, 4, 2)
    assert library.add(Ring, 4, 2) is first
    assert library.add(Ring, 5, 2).module == "ring_2"
    assert [entry.module for entry in library.entries.values()] == ["ring", "ring_2"]


def test_planted_bug_in_hierarchy():
    broken = mutated(hierarchy, "key = (kind, *parameters)", "key = (kind,)").Library()
    broken.add(Ring, 4, 2)
    assert broken.add(Ring, 5, 2).module == "ring"
