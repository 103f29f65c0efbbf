"""The dual voter: against the contract in plain Python, and the jitted form against the plain."""

import itertools
from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import ballots, voter, voting


class Plain:
    """The contract, one counter at a time."""

    def __init__(self, outputs: int, classes: int, least: int) -> None:
        self.classes, self.least = classes, least
        keys = itertools.product(range(outputs), range(3), range(classes))
        self.pairs = {key: [0, 0] for key in keys}

    def wave(self, times: list[int], label: int, none: int) -> int:
        rows = []
        for neuron, time in enumerate(times):
            if time != none:
                rows.append((neuron, max(self.least, time if time < 2 else 2)))
        votes = [
            sum(count >= 112 for row in rows for count in self.pairs[(*row, c)])
            for c in range(self.classes)
        ]
        if label >= 0:
            for row in rows:
                for c in range(self.classes):
                    pair = self.pairs[(*row, c)]
                    for n, change in enumerate((31, 17) if c == label else (-1, -15)):
                        pair[n] = min(224, max(0, pair[n] + change))
        return votes.index(max(votes))

    def counters(self, outputs: int) -> np.ndarray:
        found = [self.pairs[key] for key in sorted(self.pairs)]
        return np.array(found).reshape(outputs, 3, self.classes, 2)


def check(unit: ModuleType, fast: ModuleType, waves: int = 150) -> None:
    for seed, (outputs, classes, least) in enumerate(
        [(1, 2, 0), (3, 3, 0), (4, 3, 1), (5, 10, 2), (40, 4, 0)]
    ):
        rng = np.random.default_rng(seed)
        times = rng.choice([0, 1, 2, 3, 6, 7, 7], (waves, outputs)).astype(np.uint8)
        # A neuron has a favourite label, so that counters rise, and there is noise, so they fall.
        labels = np.where(rng.random(waves) < 0.8, times.argmin(axis=1), waves) % classes
        labels[rng.random(waves) < 0.1] = -1
        plain = Plain(outputs, classes, least)
        pairs = zip(times.tolist(), labels.tolist(), strict=True)
        expected = [plain.wave(spikes, label, 7) for spikes, label in pairs]
        start = unit.blank(outputs, classes)
        for run in (unit.run, fast.run_voter):
            found, counters = run(times, start, labels, 7, least)
            assert found.tolist() == expected
            np.testing.assert_array_equal(counters, plain.counters(outputs))
            assert counters.dtype == np.uint8
            assert start.max() == 0  # the start is not touched
            again, same = run(times, counters, None, 7, least)
            np.testing.assert_array_equal(same, counters)
            np.testing.assert_array_equal(again, run(times, counters, labels * 0 - 1, 7, least)[0])
        assert counters.max() == 224 or outputs == 40
        assert len(set(expected)) > 1 or outputs == 1


def test_definition():
    check(voter, voting)


@pytest.mark.parametrize("first", range(0, 225, 7))
def test_every_counter_moves_and_saturates(first: int):
    """Every value of one counter of a pair, and all steps on it."""
    for second in range(225):
        start = np.full((1, 3, 2, 2), 0, np.uint8)
        start[0, 1] = (first, second), (second, first)
        times = np.array([[1]], np.uint8)
        expected = [
            [min(first + 31, 224), min(second + 17, 224)],
            [max(second - 1, 0), max(first - 15, 0)],
        ]
        for run in (voter.run, voting.run_voter):
            found, counters = run(times, start, np.array([0]), 7)
            assert counters[0, 1].tolist() == expected
            assert found[0] == 0  # both labels always have the same two counters: a tie


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        (voter, "VOTE = 112", "VOTE = 113"),
        (voter, "RIGHT = (31, 17)", "RIGHT = (31, 16)"),
        (voter, "OTHER = (1, 15)", "OTHER = (0, 15)"),
        (voter, "MOST = 224", "MOST = 225"),
        (voter, "(read >= VOTE)", "(read > VOTE)"),
        (voter, "if label < 0:", "if label <= 0:"),
        (voter, "np.clip(times, least, CODES - 1)", "np.clip(times, 0, CODES - 1)"),
        (voter, "winner = int(votes(times, counters", "winner = int(votes(times, counters * 0"),
        (ballots, "(row[c, 1] >= VOTE)", "(row[c, 1] > VOTE)"),
        (ballots, "if c == label", "if c != label"),
        (ballots, "max(min(time, LAST), least)", "min(time, LAST)"),
        (ballots, "(-OTHER_0, -OTHER_1)", "(-OTHER_1, -OTHER_0)"),
        (ballots, "if label < 0:", "if label < 1:"),
    ],
)
def test_planted_bug(unit: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch):
    mutant = mutated(unit, old, new)
    if unit is ballots:
        monkeypatch.setattr(voting, "ballots", mutant)
    with pytest.raises((AssertionError, IndexError)):
        check(mutant if unit is voter else voter, voting)


def test_a_wave_without_winners_is_class_0_and_teaches_nothing():
    counters = np.full((2, 3, 4, 2), 200, np.uint8)
    for run in (voter.run, voting.run_voter):
        found, after = run(np.full((3, 2), 7, np.uint8), counters, np.array([1, 2, 3]), 7)
        assert found.tolist() == [0, 0, 0]
        np.testing.assert_array_equal(after, counters)
