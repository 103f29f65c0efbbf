"""The config schema: defaults, derived numbers, and the one line that each fault gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from racewave.golden import config, presets, schema
from racewave.golden.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent


def net(layers, image=(8, 8), encoder="posneg", engines=1, **column):
    """A folded network on images."""
    return {
        "input": {"image": list(image), "encoder": encoder},
        "layer": layers,
        "column": column,
        "hardware": {"micro_architecture": "folded", "engines": engines},
    }


FAULTS = [
    ({"column": {"thete": 4}}, "unknown key 'column.thete'; did you mean 'theta'?"),
    ({"colum": {}}, "unknown key 'colum'; did you mean 'column'?"),
    ({"column": {"theta": "4"}}, "column.theta must be an integer, not '4'"),
    ({"column": {"theta": 0}}, "column.theta must be at least 1, not 0"),
    (
        {"column": {"p": 2, "theta": 15}},
        "theta must be in 1..14 (2 synapses x w_max 7), not 15",
    ),
    ({"column": {"k": 13}}, "k must be in 1..12 (q neurons), not 13"),
    (
        {"column": {"u_search": 1025}},
        "u_search must be in 0..1024 (2^10 is certain), not 1025",
    ),
    (
        {"column": {"initial_w": [0, 9]}},
        "initial_w must be in 0..7 (w_max), or [low, high] within it, not [0, 9]",
    ),
    ({"column": {"prob_bits": 17}}, "column.prob_bits must be at most 16, not 17"),
    ({"column": {"seed": 0}}, "column.seed must be at least 1, not 0"),
    (
        {"column": {"response": "rnll"}},
        "column.response must be rnl | snl, not 'rnll'; did you mean 'rnl'?",
    ),
    ({"column": {"stabilise_search": 1}}, "column.stabilise_search must be true or false, not 1"),
    ({"engine": "snn"}, "engine must be tnn, not 'snn'; did you mean 'tnn'?"),
    ({"name": "A b"}, "name must be lower-case letters, digits and '-' (41 at most), not 'A b'"),
    ({"column": 3}, "column must be a table, not 3"),
    ({"input": {"image": [8, 8]}}, "[input] must come with [[layer]], not alone"),
    ({"layer": [{}]}, "[[layer]] must come with [input], not alone"),
    ({"readout": {}}, "[readout] must come with [input] and [[layer]], not alone"),
    (
        {"layer": [{}, {}], "input": {}},
        "micro_architecture must be folded for 2 layers, not spatial",
    ),
    (
        {"input": {"image": [8, 8]}, "layer": [{"field": 9}]},
        "field must be in 1..8 (image rows 8), not 9",
    ),
    (
        {"input": {"image": [8, 8]}, "layer": [{"field": 3}], "column": {"p": 32}},
        "p must be 18 (field 3 x 3 x 2 lines per pixel), not 32",
    ),
    (
        {"input": {}, "layer": [{}], "column": {"t_in": 8}},
        "t_in must be 1 (encoder posneg has one step), not 8",
    ),
    ({"train": {"winners": 13}}, "train.winners must be in 1..12 (q neurons), not 13"),
    ({"train": {"epochs": 0}}, "train.epochs must be at least 1, not 0"),
    ({"hardware": {"baud": 300}}, "hardware.baud must be at least 1200, not 300"),
    (
        net([{"field": 0}]),
        "layer.field must be a side in 1..1024, or [rows, columns], not 0",
    ),
    (
        net([{"field": [4, 4, 4]}]),
        "layer.field must be a side in 1..1024, or [rows, columns], not [4, 4, 4]",
    ),
    (
        net([{"source": "pixels"}]),
        "layer.source must be 'input' or the number of an earlier layer, not 'pixels'",
    ),
    (net([{"source": 1}]), "source must be 'input', not 1"),
    (net([{}, {"field": 1, "source": 2}]), "layer 2: source must be 'input' or 1, not 2"),
    (
        net([{}, {"field": 1}, {"field": 1, "source": 3}]),
        "layer 3: source must be 'input' or 1..2, not 3",
    ),
    (
        net([{}, {"field": 3}]),
        "layer 2: field must be in 1..2 (grid of layer 1: rows 2), not 3",
    ),
    (
        net([{}, {"field": 2, "column": {"p": 32}}]),
        "layer 2: p must be 48 (field 2 x 2 x 12 outputs per position of layer 1), not 32",
    ),
    (
        net([{}, {"field": 2, "column": {"t_in": 4}}]),
        "layer 2: t_in must be 7 (steps of layer 1), not 4",
    ),
    (
        net([{}, {"field": 2, "column": {"t_in": 2}, "source": "input"}], encoder="intensity"),
        "layer 2: t_in must be 1 (the input has one time code), not 2",
    ),
    (
        net([{"column": {"w_max": 127, "t_in": 8}}, {"field": 2}], encoder="intensity", t_in=8),
        "layer 2: t_in must be in 1..128, not 134 (steps of layer 1)",
    ),
    (
        net([{"field": 200}], image=[200, 200]),
        "p must be in 1..65536, not 80000 (field 200 x 200 x 2 lines per pixel)",
    ),
    (
        net([{}, {"field": 2, "column": {"theta": 400}}]),
        "layer 2: theta must be in 1..336 (48 synapses x w_max 7), not 400",
    ),
    (net([{"column": {"thete": 4}}]), "unknown key 'layer.column.thete'; did you mean 'theta'?"),
    (net([{"column": {"k": 0}}]), "layer.column.k must be at least 1, not 0"),
    (
        net([{}, {"source": "input", "column": {"w_max": 8}}]),
        (
            "layer 2: steps must need 3 bits (results have one time code; layer 1 has 7 steps), "
            "not 4 (8 steps)"
        ),
    ),
    (
        net([{"copies": 25, "stride": 1}], engines=16),
        (
            "engines must divide the 625 columns of layer 1, not 16 (625 = 39 x 16 + 1); "
            "nearest: 5 or 25"
        ),
    ),
    (
        net([{}, {"field": 2, "engines": 2}]),
        "engines must divide the 1 column of layer 2, not 2 (1 = 0 x 2 + 1); nearest: 1",
    ),
    (
        {**net([{}]), "readout": {"kind": "tally"}, "hardware": {}},
        "micro_architecture must be folded for a tally read-out, not spatial",
    ),
    (
        {"hardware": {"engines": 2}},
        "micro_architecture must be folded for engines, not spatial",
    ),
    (
        {"hardware": {"target_fps": 1000.0}},
        "micro_architecture must be folded for target_fps, not spatial",
    ),
    (
        {"column": {"randomness": "synapse"}},
        "micro_architecture must be folded for randomness synapse, not spatial",
    ),
    (
        {**net([{}]), "readout": {"kind": "tally", "bits": 4}},
        "bits must come with kind linear or perceptron, not tally",
    ),
    (
        {**net([{}]), "readout": {"kind": "dual-voter", "margin": 4}},
        "margin must come with kind perceptron, not dual-voter",
    ),
    (
        {**net([{}]), "readout": {"kind": "tally", "classes": 256}},
        "classes must be in 2..255 (kind tally), not 256",
    ),
]


@pytest.mark.parametrize(("data", "message"), FAULTS, ids=[m[:40] for _, m in FAULTS])
def test_fault_gives_one_line(data, message):
    with pytest.raises(BadInput) as caught:
        config.from_dict(data, "x.toml")
    assert str(caught.value) == f"x.toml: {message}"


def test_broken_toml_says_where():
    with pytest.raises(BadInput, match=r"^x.toml: not valid TOML: .*line 2, column 5"):
        config.from_toml("[column]\np = = 3", "x.toml")


def test_unreadable_files(tmp_path):
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        config.load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read: not UTF-8 text"):
        config.load(tmp_path / "binary.toml")


def test_unknown_preset_names_the_nearest():
    with pytest.raises(BadInput, match="did you mean 'cmu-cvt'"):
        presets.load("cmu-cv")


@pytest.mark.parametrize("name", presets.names())
def test_preset_survives_json(name):
    first = presets.load(name)
    again = config.from_dict(json.loads(json.dumps(first.to_dict())))
    assert again == first
    assert first.name == name


@pytest.mark.parametrize(
    ("name", "columns", "synapses"),
    [
        ("mnist-49", 49, 18_816),
        ("mnist-169", 169, 64_896),
        ("mnist-625", 625, 240_000),
        ("mnist-625-voter", 625, 240_000),
        ("mnist-online", 121, 948_640),
        ("mnist-voter", 121, 853_776),
        ("rtnn-2layer", 3, 88_400),
    ],
)
def test_mnist_presets_have_their_size(name, columns, synapses):
    preset = presets.load(name)
    assert (preset.columns, preset.synapses) == (columns, synapses)


def test_default_column_is_cmu_cvt():
    assert presets.load("cmu-cvt").column == config.ColumnConfig()


def test_field_lines_against_a_plain_loop():
    preset = presets.load("mnist-169")
    assert preset.input is not None
    expected = [
        [
            ((2 * row + fy) * 28 + 2 * column + fx) * 2 + line
            for fy in range(4)
            for fx in range(4)
            for line in range(2)
        ]
        for row in range(13)
        for column in range(13)
    ]
    assert_array_equal(preset.field_lines(), np.array(expected))


def test_hash_ignores_names_and_training_only():
    base = config.Config()
    same = config.from_dict({"name": "other", "train": {"epochs": 3}})
    other = config.from_dict({"column": {"theta": 41}})
    assert base.hash == same.hash
    assert base.hash != other.hash
    assert base.model_copy(update={"column": other.column}).hash == other.hash


def test_published_schema_and_page_are_current():
    assert (ROOT / "docs/config.md").read_text() == schema.page()
    published = json.loads((ROOT / "docs/config.schema.json").read_text())
    assert published == schema.json_schema()
