"""The linear read-out: sums, and the lowest index among equals."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated

from racewave.golden import readout


def check(unit: ModuleType) -> None:
    rng = np.random.default_rng(0)
    for outputs, classes in ((1, 2), (6, 3), (30, 10)):
        times = rng.choice([0, 3, 7], (50, outputs)).astype(np.uint8)
        rows = rng.integers(-128, 128, (outputs, classes)).astype(np.int8)
        rows[:, 1] = rows[:, 0]  # a tie in every wave
        found, classified = unit.sums(times, rows, 7), unit.classify(times, rows, 7)
        for wave in range(50):
            sums = [0] * classes
            for r in range(outputs):
                if times[wave, r] != 7:
                    sums = [s + int(w) for s, w in zip(sums, rows[r], strict=True)]
            assert found[wave].tolist() == sums
            assert classified[wave] == sums.index(max(sums))
        q, k = (3, 3) if outputs == 30 else (1, 1)
        slots = unit.slots(times, q, k, 7)
        for wave in range(50):
            won = [r for r in range(outputs) if times[wave, r] != 7]
            assert sorted(s for s in slots[wave] if s != outputs) == won
            for c, chosen in enumerate(slots[wave].reshape(-1, k)):
                assert all(s == outputs or s // q == c for s in chosen)


def test_definition():
    check(readout)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("times != none).astype", "times == none).astype"),
        ("rows.astype(np.int64)", "rows.astype(np.uint8).astype(np.int64)"),
        (
            "sums(times, rows, none).argmax(axis=1)",
            "(len(rows[0]) - 1 - sums(times, rows, none)[:, ::-1].argmax(axis=1))",
        ),
        ("column * q + neuron", "column + neuron"),
    ],
)
def test_planted_bug(old: str, new: str):
    with pytest.raises(AssertionError):
        check(mutated(readout, old, new))


def test_nothing_won_is_class_0():
    silent = np.full((2, 4), 7, np.uint8)
    assert readout.classify(silent, np.full((4, 3), -5, np.int8), 7).tolist() == [0, 0]
