"""The harness for counting area adds no logic of its own, and keeps all of the core."""

import json

from racewave.golden.config import ColumnConfig, Config
from racewave.hw import verilog
from racewave.hw.harness import harness

TINY = Config(name="tiny", column=ColumnConfig(p=4, q=2, theta=5, w_max=3))
SCRIPT = """
read_verilog core.v
hierarchy -top harness
setattr -mod -set keep_hierarchy 1 {core}
synth_ice40 -device u -top harness
tee -q -o cells.json stat -json
"""


def test_no_lut_outside_the_core():
    script = SCRIPT.format(core=TINY.module_name)
    cells = verilog.run_yosys(script, {"core.v": harness(TINY)}, "cells.json")
    modules = json.loads(cells)["modules"]
    around = modules["\\harness"]["num_cells_by_type"]
    assert around.pop(TINY.module_name) == 1
    assert set(around) == {"SB_DFF", "SB_RAM40_4K"}
    assert modules[f"\\{TINY.module_name}"]["num_cells_by_type"]["SB_LUT4"] > 100
