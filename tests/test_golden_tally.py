"""The tally: labels that neurons win for, and the majority of winners."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import ballots, tally, voting


def check(unit: ModuleType, fast: ModuleType) -> None:
    for seed, (outputs, classes) in enumerate([(1, 2), (4, 3), (30, 10), (7, 255)]):
        rng = np.random.default_rng(seed)
        times = rng.choice([0, 2, 7, 7], (60, outputs)).astype(np.uint8)
        times[:, -1] = 7 if outputs == 4 else times[:, -1]  # one that never wins
        shown = rng.integers(0, classes, 60)
        counts = [[0] * classes for _ in range(outputs)]
        for spikes, label in zip(times.tolist(), shown.tolist(), strict=True):
            for neuron, time in enumerate(spikes):
                counts[neuron][label] += time != 7
        found = unit.count(times, shown, classes, 7)
        assert found.tolist() == counts
        expected = [row.index(max(row)) if any(row) else 255 for row in counts]
        table = unit.labels(found)
        assert table.tolist() == expected
        assert table.dtype == np.uint8
        if outputs == 30:  # many that have no label, and win
            table[::2], expected[::2] = 255, [255] * 15
        expected_classes = []
        for spikes in times.tolist():
            votes = [0] * classes
            for neuron, time in enumerate(spikes):
                if time != 7 and expected[neuron] != 255:
                    votes[expected[neuron]] += 1
            expected_classes.append(votes.index(max(votes)))
        for classify in (unit.classify, fast.classify_tally):
            assert classify(times, table, classes, 7).tolist() == expected_classes


def test_definition():
    check(tally, voting)


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        (tally, "UNKNOWN = 255", "UNKNOWN = 0"),
        (tally, "counts.argmax(axis=1), UNKNOWN", "counts.argmin(axis=1), UNKNOWN"),
        (tally, "won & (table == label)", "won | (table == label)"),
        (tally, "won[labels == label]", "won[labels >= label]"),
        (ballots, "votes[table[output]] += 1", "votes[table[output]] = 1"),
        (ballots, "votes[:count]", "votes"),
    ],
)
def test_planted_bug(unit: ModuleType, old: str, new: str, monkeypatch: pytest.MonkeyPatch):
    mutant = mutated(unit, old, new)
    if unit is ballots:
        monkeypatch.setattr(voting, "ballots", mutant)
    with pytest.raises(AssertionError):
        check(mutant if unit is tally else tally, voting)
