"""Folded networks in Amaranth's simulator: equal to the golden network, wave by wave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from folded_bench import Waves, compare, expected, play, random_waves
from mutants import mutated
from networks import random_model

from racewave.golden import config
from racewave.golden.config import Config
from racewave.golden.model import Model
from racewave.hw import decide, engine, folded, folded_layer, merge, scan, verilog, votes

WAVES = 16
IMAGE = {"image": [3, 4], "encoder": "intensity"}
COLUMN = {"q": 2, "theta": 3, "w_max": 3, "t_in": 2, "u_search": 700, "seed": 77}


def net(*layers: dict[str, Any], engines: int = 1, readout=None, learning=True, **tables) -> Config:
    """A folded network; `layers` in file order."""
    built = {
        "column": COLUMN | tables.pop("column", {}),
        "input": tables.pop("input", IMAGE),
        "layer": list(layers) or [{"field": 2, "stride": 1}],
        "hardware": {
            "micro_architecture": "folded",
            "engines": engines,
            "learning": learning,
        },
    }
    if readout:
        built["readout"] = {"kind": readout, "classes": 3}
    return config.from_dict(built)


def lone(**column: Any) -> Config:
    """A folded column without an image."""
    hardware = {"micro_architecture": "folded"}
    return config.from_dict({"column": COLUMN | {"p": 5} | column, "hardware": hardware})


def model_of(built: Config, seed: int = 1) -> Model:
    """A random model; counters of times that no winner has are 0, as in hardware."""
    given = random_model(built, seed)
    if built.readout is None or built.readout.kind != "dual-voter":
        return given
    assert given.readout is not None
    table = given.readout.copy()
    table[:, [code for code in range(3) if code not in built.readout_times]] = 0
    return Model(built, given.layers, table)


DEEP = ({"field": 2, "stride": 1, "copies": 2, "engines": 2}, {"field": [1, 2], "stride": 1})
TWO = ({"field": 2, "stride": 2, "engines": 2}, {"field": [3, 1], "stride": 1, "source": "input"})
ONTO = {"column": {"theta": 4, "response": "snl", "w_max": 3}}
NETWORKS = {
    "lone": lone(),
    "lone, one line": lone(p=1, q=1, theta=1, w_max=1, t_in=1),
    "lone, one long step": lone(p=2, q=1, theta=5, w_max=8, t_in=1),
    "lone, many steps": lone(t_in=8, w_max=1, k=2, tie="potential"),
    "lone, steps": lone(response="snl", t_in=4, theta=4, tie="potential"),
    "lone, each synapse": lone(randomness="synapse", u_capture=700, u_minus=500),
    "grid": net(engines=3),
    "columns of one line": net({"field": 1, "stride": 3}, column={"theta": 1}, engines=2),
    "whole image": net({"field": [3, 4], "stride": 1}, readout="linear"),
    "copies": net({"field": 2, "stride": 2, "copies": 3}, engines=6, readout="linear"),
    "each synapse": net(
        column={"randomness": "synapse", "u_minus": 400}, engines=2, readout="tally"
    ),
    "voter": net(engines=2, readout="dual-voter", column={"k": 2, "theta": 1}),
    "late voter": net(engines=2, readout="dual-voter", column={"theta": 9}),
    "tally": net(engines=6, readout="tally"),
    "perceptron": net(engines=3, readout="perceptron", column={"k": 2, "theta": 1}),
    "deep perceptron": net(DEEP[0], DEEP[1] | ONTO, readout="perceptron"),
    "perceptron of two": net(*TWO, readout="perceptron"),
    "frozen": net(engines=2, readout="linear", learning=False),
    "two lines": net(
        {"field": 2, "stride": 2},
        input={"image": [4, 4], "encoder": "posneg"},
        column={"t_in": 1},
        readout="linear",
    ),
    "deep": net(DEEP[0], DEEP[1] | ONTO, readout="linear"),
    "deep voter": net(DEEP[0], DEEP[1] | ONTO, readout="dual-voter"),
    "deep, no read-out": net(DEEP[0], DEEP[1] | ONTO | {"engines": 2}),
    "parallel": net(*TWO, readout="dual-voter"),
    "parallel, no read-out": net(*TWO),
    "deep and beside": net(
        DEEP[0], DEEP[1] | ONTO, {"field": 3, "stride": 1, "source": "input"}, readout="tally"
    ),
}  # fmt: skip


def check_network(name: str, **options: Any) -> None:
    """Learning and report as each wave wishes, then all waves at full speed."""
    built = NETWORKS[name]
    given = model_of(built)
    rng = np.random.default_rng(4)
    learn, report = rng.integers(0, 2, (2, WAVES))
    mixed = random_waves(built, WAVES, 2, learn * built.hardware.learning, report=report)
    compare(play(given, mixed, stalls=0.5, **options), expected(given, mixed))
    plain = random_waves(built, WAVES, 3, report=False, labels=None)
    compare(play(given, plain, **options), expected(given, plain))
    if built.readout is not None and built.readout.learns:  # labels and nothing else
        labelled = random_waves(built, WAVES, 3, report=False)
        compare(play(given, labelled, **options), expected(given, labelled))


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    check_network(name)


@pytest.mark.parametrize("engines", [2, 3, 6])
def test_number_of_engines_changes_nothing(engines):
    outcomes = []
    for count in (1, engines):
        given = model_of(net(engines=count, readout="linear"))
        outcomes.append(play(given, random_waves(given.config, 8, 5, learn=True)))
    compare(*outcomes)


def test_frozen_hardware_does_not_learn():
    given = model_of(net(engines=2, readout="linear", learning=False))
    waves = random_waves(given.config, 6, 1)
    found = play(given, Waves(waves.volleys, learn=True))
    compare(found, expected(given, waves))


def test_model_through_the_weight_stream():
    """Rows that were written are those that power-up would have given."""
    built = NETWORKS["parallel"]
    given = model_of(built)
    waves = random_waves(built, 6, 8, True)
    compare(play(given, waves, stalls=0.5, load=True), expected(given, waves))


def check_in_step() -> None:
    """An engine whose columns are empty gets far ahead of one whose columns are full."""
    built = net(
        {"field": [3, 5], "stride": 5, "engines": 2},
        {"field": [1, 2], "stride": 1, "column": {"theta": 3}},
        input={"image": [3, 20], "encoder": "intensity"},
        column={"t_in": 1, "w_max": 7, "theta": 2, "k": 2, "u_search": 16},
        readout="linear",
    )
    none = built.column.none
    for seed in range(4):
        rng = np.random.default_rng(seed)
        images = np.full((12, 3, 20), none, np.uint8)
        images[::2, :, 10:15] = 0
        images[:, :, 15:] = np.where(rng.random((12, 3, 5)) < 0.1, 0, none)
        images[:, 0, seed] = 0
        waves = Waves(images.reshape(12, -1), report=False)
        given = model_of(built)
        compare(play(given, waves), expected(given, waves))


def test_engines_of_a_hidden_layer_stay_in_step():
    check_in_step()


def test_planted_bug_in_step(monkeypatch):
    broken = mutated(folded_layer, "Mux(sent.all(), 0, sent)", "0")
    monkeypatch.setattr(folded, "FoldedLayer", broken.FoldedLayer)
    with pytest.raises((AssertionError, TimeoutError, ValueError)):
        check_in_step()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (votes, "self.label == n, more", "self.label == n, less"),
        (votes, "self.rival == n, less", "self.rival == n, weight"),
        (votes, "Mux(weight == most, weight, weight + 1)", "weight + 1"),
        (votes, "Mux(weight == -most - 1, weight, weight - 1)", "weight - 1"),
        (votes, "writer.data.eq(self.address)", "writer.data.eq(0)"),
        (votes, "rows != count", "rows + 1 != count"),
        (votes, "count.eq(0)", "count.eq(count)"),
        (votes, "active | self._correcting if", "active if"),
        (merge, "first | (value > largest)", "first | (value >= largest)"),
        (merge, "first.eq(1)", "first.eq(0)"),
        (merge, "own - largest < self.margin", "own - largest <= self.margin"),
        (folded, "argmax.done & known & argmax.close", "argmax.done & argmax.close"),
        (folded, "argmax.done & known & argmax.close", "argmax.done & known"),
    ],
)
def test_planted_bug_in_the_perceptron(module, old, new, monkeypatch):
    owner, name = {
        votes: (folded_layer, "Votes"),
        merge: (folded, "Argmax"),
        folded: (verilog, "Folded"),
    }[module]
    built = net(engines=3, readout="perceptron", column={"k": 2, "theta": 1})
    readout = built.readout.model_copy(update={"bits": 3, "margin": 2})
    built = built.model_copy(update={"readout": readout})
    given = model_of(built)
    waves = random_waves(built, 80, 2, report=False)
    compare(play(given, waves), expected(given, waves))
    monkeypatch.setattr(owner, name, getattr(mutated(module, old, new), name))
    with pytest.raises((AssertionError, TimeoutError, ValueError)):
        compare(play(given, waves), expected(given, waves))


USERS = {
    decide: (engine, "Decide"),
    scan: (engine, "Scan"),
    engine: (folded_layer, "Engine"),
    folded_layer: (folded, "FoldedLayer"),
    folded: (verilog, "Folded"),
}


@pytest.mark.parametrize(
    ("name", "module", "old", "new"),
    [
        ("grid", decide, "potential.eq(-column.theta)", "potential.eq(1 - column.theta)"),
        ("voter", scan, "left.any() | s_bottom", "left.any()"),
        ("voter", engine, "waiting.append(self.voting)", "waiting.append(0)"),
        ("lone", engine, "counted.eq(valid & last & ~update)", "counted.eq(valid & last)"),
        ("copies", engine, "enable.eq(~full | decide.take)", "enable.eq(1)"),
        ("grid", engine, "waiting.append(pending)", "waiting.append(0)"),
        ("lone", engine, "pending.eq(learn)", "pending.eq(1)"),
        ("grid", engine, " address.eq(scan.row),", " address.eq(0),"),
        ("lone", engine, "~spike | later[j]", "later[j]"),
        ("lone", engine, "time > own for own", "time >= own for own"),
        ("grid", folded_layer, "of.eq(~of)", "of.eq(of)"),
        ("grid", folded_layer, "number = e * self.columns", "number = 0"),
        ("grid", folded_layer, "store_held.eq(self.write.any())", "store_held.eq(0)"),
        ("grid", folded_layer, "self.room.eq(~full.bit_select(to, 1))", "self.room.eq(1)"),
        ("grid", folded_layer, "& (calm | plain)", ""),
        ("grid", folded_layer, "ready.eq(decisions.ready | ~following[1])", "ready.eq(1)"),
        ("voter", folded_layer, "~following[:3].any()", "~following[:2].any()"),
        ("deep", folded, "code[:step_bits]) for code", "code[1:]) for code"),
        ("deep", folded, "count == stage.columns - 1", "count == stage.columns - 2"),
        ("deep", folded, "layer.learn.eq(source.learns)", "layer.learn.eq(self.learn)"),
        ("deep", folded, "layer.report.eq(source.reports)", "layer.report.eq(self.report)"),
        ("deep", folded, "1 << payload.place", "1"),
        ("parallel", folded, "number.eq(payload.number + first)", "number.eq(payload.number)"),
        ("parallel, no read-out", folded, ".all() & ~columns.valid", ".all()"),
        ("parallel", folded, "for layer in inputs).all()", "for layer in inputs).any()"),
        ("parallel", folded, "layer in finals).all()", "layer in finals).any()"),
    ],
)  # fmt: skip
def test_planted_bug(name, module, old, new, monkeypatch):
    broken = mutated(module, old, new)
    user, unit = USERS[module]
    monkeypatch.setattr(user, unit, getattr(broken, unit))
    with pytest.raises((AssertionError, TimeoutError, ValueError)):
        check_network(name, watchdog=15_000)
