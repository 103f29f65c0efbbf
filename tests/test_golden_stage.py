"""Layers with everything resolved: fields, numbers, divisors, and what can fire when."""

from types import ModuleType

import numpy as np
import pytest
from mutants import mutated
from networks import random_images, random_model, random_network

from racewave.golden import config, encoders, network, stage


def net(*layers: dict, image: tuple[int, int] = (6, 5), **tables: dict) -> config.Config:
    hardware = {"micro_architecture": "folded"}
    given = {"input": {"image": list(image)}, "layer": list(layers), "hardware": hardware}
    return config.from_dict(given | tables)


SNL = {"response": "snl"}
TWO = net(
    {"field": [3, 2], "stride": 1, "copies": 2, "column": {"q": 3}}, {"field": 2, "stride": 2}
)


def test_sizes_of_two_layers():
    first, second = TWO.stages
    assert (first.source, first.grid, first.columns, first.channels) == (-1, (4, 4), 32, 2)
    assert (first.shape, first.lines, first.outputs) == ((32, 3, 12), 60, 96)
    assert (second.source, second.source_grid, second.channels) == (0, (4, 4), 6)
    assert (second.grid, second.shape, second.lines) == ((2, 2), (4, 12, 24), 96)
    assert second.column.t_in == first.column.steps == 7
    assert second.column.none == 15
    assert (TWO.columns, TWO.outputs, TWO.lines) == (36, 48, 60)
    assert TWO.synapses == 32 * 3 * 12 + 4 * 12 * 24
    assert TWO.finals == (second,)
    assert TWO.column.p == 12
    assert config.from_dict(TWO.to_dict()) == TWO


def check_fields(unit: ModuleType) -> None:
    for built in (TWO, *(random_network(seed) for seed in range(10))):
        stages = unit.resolve(built.column, built.input, built.layer, 1)
        for found in stages:
            expected = []
            for row in range(found.grid[0]):
                for across in range(found.grid[1]):
                    lines = []
                    for fy in range(found.field[0]):
                        for fx in range(found.field[1]):
                            y, x = row * found.stride + fy, across * found.stride + fx
                            position = y * found.source_grid[1] + x
                            first = position * found.channels
                            lines += range(first, first + found.channels)
                    expected += [lines] * found.copies
            np.testing.assert_array_equal(found.field_lines(), expected)
            assert found.columns == len(expected)
            assert max(found.field_lines().flat) < found.lines
            if found.source >= 0:
                assert found.lines == stages[found.source].outputs


def test_fields_against_plain_loops():
    check_fields(stage)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("transpose(0, 1, 3, 4, 2)", "transpose(0, 1, 4, 3, 2)"),
        ("np.repeat(fields, self.copies, axis=0)", "np.tile(fields, (self.copies, 1))"),
        ("below.copies * below.column.q", "below.column.q"),
        ("self.grid[0] * self.grid[1] * self.copies", "self.grid[0] * self.grid[1]"),
        ("windows[:: self.stride, :: self.stride]", "windows[:: self.stride]"),
    ],
)
def test_planted_bug_in_fields(old: str, new: str):
    with pytest.raises((AssertionError, ValueError)):
        check_fields(mutated(stage, old, new))


def test_overrides_of_one_layer_become_the_column():
    one = net({"field": 2, "column": {"theta": 9}}, column={"q": 5})
    assert (one.column.theta, one.column.q, one.column.p) == (9, 5, 8)
    assert one.layer[0].column is None
    assert one == net({"field": 2}, column={"q": 5, "theta": 9, "p": 8})
    assert one.stages[0].column == one.column


def test_overrides_stay_in_their_layer():
    several = net(
        {"field": 2, "stride": 1, "column": {"theta": 9}},
        {"field": 2, "column": {"q": 3, "seed": 7}},
        column={"q": 5},
    )
    assert [s.column.theta for s in several.stages] == [9, 40]
    assert [s.column.q for s in several.stages] == [5, 3]
    assert [s.column.seed for s in several.stages] == [0xACE1, 7]


def test_sources():
    built = net(
        {"field": 3}, {"field": 3, "source": "input"}, {"field": 1, "source": 1, "column": SNL}
    )
    assert [s.source for s in built.stages] == [-1, -1, 0]
    assert [s.index for s in built.finals] == [1, 2]


def test_engines():
    hardware = {"micro_architecture": "folded", "engines": 5}
    built = net(
        {"stride": 1, "field": 2}, {"field": 2, "stride": 1, "engines": 6}, hardware=hardware
    )
    assert [s.engines for s in built.stages] == [5, 6]


def earliest(built: config.Config, seed: int) -> int:
    """Smallest time code of a winner, with weights as large as they can be."""
    full = random_model(built, seed)
    most = [np.full_like(w, s.column.w_max) for w, s in zip(full.layers, built.stages, strict=True)]
    images = np.concatenate([random_images(built, seed, 20), np.full((1, 6, 6), 255, np.uint8)])
    found = 99
    for start in (full, full.with_weights(most)):
        result = network.run(start, encoders.encode(images, built))
        won = result.times[result.times != built.finals[0].column.none]
        found = min(found, int(won.min(initial=99)))
    return found


@pytest.mark.parametrize("encoder", ["posneg", "intensity", "onoff", "posneg-graded"])
@pytest.mark.parametrize("response", ["rnl", "snl"])
def test_no_winner_is_earlier_than_readout_times_say(encoder: str, response: str):
    """And where the bound is met, an image with all weights at w_max fires just then."""
    met = 0
    for theta in (1, 4, 5, 8, 9, 16, 17, 24):
        column = {"theta": theta, "q": 2, "w_max": 3, "response": response, "k": 2}
        column |= {"t_in": 1 if encoder == "posneg" else 3}
        source = {"image": [6, 6], "encoder": encoder}
        for layers in ([{"field": 2}], [{"field": 2}, {"field": 1, "column": {"theta": 3}}]):
            if theta > (12 if encoder == "intensity" else 24):
                continue
            built = net(*layers, column=column, input=source)
            times = built.readout_times
            assert times == tuple(range(times[0], min(built.finals[0].column.steps - 1, 2) + 1))
            found = earliest(built, theta)
            assert min(found, 2) >= times[0]
            met += min(found, 2) == times[0]
    assert met >= 2
