"""The perceptron: against its definition in plain Python, and the jitted form against the plain."""

import itertools
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import ballots, config, kinds, perceptron, presets, voting
from racewave.golden.errors import BadInput

NONE = 7


class Plain:
    """The definition, one weight at a time."""

    def __init__(self, rows: list[list[int]], bits: int, margin: int) -> None:
        self.rows, self.margin = [list(row) for row in rows], margin
        self.least, self.most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def wave(self, times: list[int], label: int) -> int:
        won = [row for row, time in zip(self.rows, times, strict=True) if time != NONE]
        sums = [sum(row[c] for row in won) for c in range(len(self.rows[0]))]
        if label >= 0:
            others = [c for c in range(len(sums)) if c != label]
            rival = next(c for c in others if sums[c] == max(sums[n] for n in others))
            if sums[label] - sums[rival] < self.margin:
                for row in won:
                    row[label] = min(row[label] + 1, self.most)
                    row[rival] = max(row[rival] - 1, self.least)
        return sums.index(max(sums))


def check_waves(
    unit: ModuleType,
    fast: ModuleType,
    times: np.ndarray,
    start: np.ndarray,
    labels: np.ndarray,
    bits: int,
    margin: int,
) -> np.ndarray:
    """Both forms and the definition agree; returns the weights at the end."""
    plain = Plain(start.tolist(), bits, margin)
    pairs = zip(times.tolist(), labels.tolist(), strict=True)
    expected = [plain.wave(spikes, label) for spikes, label in pairs]
    before = start.copy()
    rows = start
    for run in (unit.run, fast.run_perceptron):
        found, rows = run(times, start, labels, NONE, bits, margin)
        assert found.tolist() == expected
        assert rows.tolist() == plain.rows
        assert rows.dtype == np.int8
        np.testing.assert_array_equal(start, before)
        again, same = run(times, rows, None, NONE, bits, margin)
        np.testing.assert_array_equal(same, rows)
        np.testing.assert_array_equal(
            again, run(times, rows, labels * 0 - 1, NONE, bits, margin)[0]
        )
    return rows


def check_tiny(unit: ModuleType, fast: ModuleType) -> None:
    """Two neurons of 2 bits, three classes: every pair of rows, winners, label and margin."""
    weights = list(itertools.product((-2, 0, 1), repeat=3))
    winners = [[0, NONE], [NONE, 3], [0, 3], [NONE, NONE]]
    for first, second in itertools.product(weights[::2], weights[::3]):
        rows = np.array([first, second], np.int8)
        for times, label in itertools.product(winners, (-1, 0, 1, 2)):
            for margin in (0, 1, 3):
                # The second wave shows what the first one has taught.
                waves, labels = np.array([times, times], np.uint8), np.array([label, label])
                check_waves(unit, fast, waves, rows, labels, 2, margin)


def check(unit: ModuleType, fast: ModuleType, waves: int = 200) -> None:
    for seed, (outputs, classes, bits, margin) in enumerate(
        [(1, 2, 8, 0), (3, 3, 4, 5), (5, 10, 2, 3), (12, 4, 3, 32_767), (40, 10, 8, 200)]
    ):
        rng = np.random.default_rng(seed)
        times = rng.choice([0, 1, 2, NONE, NONE], (waves, outputs)).astype(np.uint8)
        # A neuron has a favourite label, and there is noise.
        labels = np.where(rng.random(waves) < 0.8, times.argmin(axis=1), waves) % classes
        labels[rng.random(waves) < 0.1] = -1
        start = unit.blank(outputs, classes)
        rows = check_waves(unit, fast, times, start, labels, bits, margin)
        assert rows.any() == (margin > 0 or outputs > 1)
        if margin == 32_767:
            assert rows.min() == -4


def check_both(unit: ModuleType) -> None:
    check(unit, voting)
    check_tiny(unit, voting)


def test_definition():
    check(perceptron, voting)


def test_every_tiny_case():
    check_tiny(perceptron, voting)


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_weight_moves_and_saturates(bits: int):
    """Every pair of weights of a row: one rises for the label, one falls for the rival."""
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    for label, rival in ((0, 1), (1, 0)):
        for own in range(least, most + 1):
            for other in (least, least + 1, 0, most - 1, most):
                start = np.zeros((1, 2), np.int8)
                start[0, label], start[0, rival] = own, other
                for run in (perceptron.run, voting.run_perceptron):
                    _, rows = run(np.array([[1]]), start, np.array([label]), NONE, bits, 32_767)
                    assert rows[0, label] == min(own + 1, most)
                    assert rows[0, rival] == max(other - 1, least)


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        (perceptron, "sums[other] >= margin", "sums[other] > margin"),
        (perceptron, "if label < 0:", "if label <= 0:"),
        (perceptron, "!= label)", ">= 0)"),
        (perceptron, "others[sums[others].argmax()]", "others[::-1][sums[others[::-1]].argmax()]"),
        (perceptron, "changed[won, other] -= 1", "changed[won, winner] -= 1"),
        (perceptron, "changed[won, label] += 1", "changed[:, label] += 1"),
        (perceptron, "half - 1)", "half)"),
        (perceptron, "-half, half", "1 - half, half"),
        (perceptron, "winner = int(sums.argmax())", "winner = max(label, 0)"),
        (ballots, ">= margin", "> margin"),
        (ballots, "if labels[wave] < 0:", "if labels[wave] < 1:"),
        (ballots, "c != label and", "True and"),
        (ballots, "sums[c] > sums[rival]", "sums[c] >= sums[rival]"),
        (ballots, "row[label] < half - 1", "row[label] < half"),
        (ballots, "row[rival] > -half", "row[rival] > 1 - half"),
        (ballots, "rows[won[n]]", "rows[n]"),
    ],
)
def test_planted_bug(unit: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch):
    mutant = mutated(unit, old, new)
    if unit is ballots:
        monkeypatch.setattr(voting, "ballots", mutant)
    plain = mutant if unit is perceptron else perceptron
    with pytest.raises((AssertionError, IndexError)):
        check_both(plain)


def test_a_wave_without_winners_is_class_0_and_teaches_nothing():
    start = np.full((2, 4), 3, np.int8)
    for run in (perceptron.run, voting.run_perceptron):
        found, rows = run(np.full((3, 2), NONE), start, np.array([1, 2, 3]), NONE)
        assert found.tolist() == [0, 0, 0]
        np.testing.assert_array_equal(rows, start)


def perceptron_config(**rules: object) -> config.Config:
    tables = presets.load("digits-folded").to_dict()
    return config.from_dict({**tables, "readout": {"kind": "perceptron", **rules}})


@pytest.mark.parametrize("form", ["fast", "reference"])
def test_bits_and_margin_come_from_the_config(form: kinds.Form):
    given = perceptron_config(classes=3, bits=2, margin=4)
    times = np.full((9, given.outputs), given.column.none, np.uint8)
    times[:, [5, 20]] = 3
    _, rows = kinds.play(times, perceptron.blank(given.outputs, 3), given, np.full(9, 1), form)
    # Sums 0, 2 : 0, 2 : -2: rivals 0 and 2 (the lead is 2 only), then the lead is 4.
    assert rows[5].tolist() == rows[20].tolist() == [-1, 1, -1]
    assert not rows[[0, 4, 6, 47]].any()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"margin": -1}, "margin must be at least 0, not -1"),
        ({"margin": 32_768}, "margin must be at most 32767, not 32768"),
        ({"margin": 1.5}, "margin must be an integer, not 1.5"),
        ({"kind": "linear", "margin": 3}, "margin must come with kind perceptron, not linear"),
        ({"kind": "tally", "bits": 4}, "bits must come with kind linear or perceptron, not tally"),
    ],
)
def test_bad_rules(rules: dict, message: str):
    with pytest.raises(BadInput, match=message):
        perceptron_config(**rules)


def test_other_read_outs_keep_their_identity():
    """The margin is no part of a network that has none."""
    assert "margin" not in presets.load("digits").to_dict()["readout"]
    hashes = {perceptron_config(margin=margin).hash for margin in (0, 200)}
    assert len(hashes) == 2
    kept = perceptron_config(margin=7)
    assert config.from_dict(kept.to_dict()) == kept


def test_spatial_hardware_is_refused():
    tables = presets.load("digits").to_dict()
    with pytest.raises(BadInput, match="must be folded for a perceptron read-out, not spatial"):
        config.from_dict({**tables, "readout": {"kind": "perceptron"}})
