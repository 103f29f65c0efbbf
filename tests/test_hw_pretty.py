"""The readable Verilog is the same circuit: proved by yosys, module by module flattened."""

import pytest
from mutants import mutated

from racewave.golden.config import ColumnConfig, Config
from racewave.hw import pretty, verilog

TINY = {
    "index": ColumnConfig(p=3, q=2, theta=3, w_max=3),
    "contest": ColumnConfig(p=3, q=3, theta=3, t_in=2, w_max=2, response="snl", k=2,
                            tie="potential"),
}  # fmt: skip

PROVE = """
read_verilog plain.v
hierarchy -top {top}
proc; flatten; memory_map; opt_clean
rename {top} gold
design -stash plain
read_verilog pretty.v
hierarchy -top {top}
proc; flatten; memory_map; opt_clean
rename {top} gate
design -copy-from plain -as gold gold
equiv_make gold gate equiv
hierarchy -top equiv
equiv_simple -undef
equiv_induct
tee -o verdict.txt equiv_status
"""


def verdict(plain, top, module=pretty):
    """What yosys says of the points at which plain and rewritten text could differ."""
    files = {"plain.v": plain, "pretty.v": module.pretty(plain)}
    return verilog.run_yosys(PROVE.format(top=top), files, "verdict.txt")


@pytest.mark.parametrize("name", TINY)
def test_same_circuit(name):
    config = Config(column=TINY[name])
    assert "Equivalence successfully proven" in verdict(verilog.plain(config), config.module_name)


def test_proof_finds_a_lost_context():
    # ~a is 4 bits wide; in an 8-bit context its upper half would turn to ones.
    text = sample("~ a", "wide ^ _0_")
    broken = mutated(pretty, "inner == body.widths[name]", "True")
    assert "Equivalence successfully proven" in verdict(text, "add")
    assert "unproven" in verdict(text, "add", broken).split("are proven and")[1]
    assert "Equivalence successfully proven" not in verdict(text, "add", broken)


ADD = """module add(a, b, c, y);
  input [3:0] a;
  wire [3:0] a;
  input [3:0] b;
  wire [3:0] b;
  input [3:0] c;
  wire [3:0] c;
  output [3:0] y;
  wire [3:0] y;
  wire [3:0] _0_;
  assign _0_ = a + b;
  assign y = _0_ & c;
endmodule
"""
WIDTHS = [
    # (expression of the 4-bit wire, where it is used, whether it may move)
    ("a & b", "_0_ | c", True),
    ("~ a", "_0_ == 5'h1f", False),
    ("~ a", "{ c, _0_ }", True),
    ("~ a", "wide ^ _0_", False),
    ("a + b", "_0_ | c", False),
    ("a == b", "wide + _0_", True),
]


def sample(what, used):
    """A module that uses the 4-bit wire ``_0_`` once, in a context of 4 or 8 bits."""
    text = ADD.replace("a + b", what).replace("_0_ & c", used)
    if used != "_0_ | c":
        text = text.replace("[3:0] y", "[7:0] y")
    extra = "  input [7:0] wide;\n  wire [7:0] wide;\n"
    return text.replace("  input [3:0] c;", extra + "  input [3:0] c;").replace(
        "c, y", "wide, c, y"
    )


@pytest.mark.parametrize(("what", "used", "moves"), WIDTHS)
def test_moves_only_where_widths_agree(what, used, moves):
    assert ("_0_" not in pretty.pretty(sample(what, used))) is moves


def test_a_module_with_a_signed_port_is_left_alone():
    text = ADD.replace("input [3:0] a;", "input signed [3:0] a;")
    assert pretty.pretty(text) == text
    assert pretty.pretty(ADD) != ADD


def test_unknown_text_keeps_its_lines_and_gets_plain_names():
    text = "module odd(\\a[0] );\n  input \\a[0] ;\nendmodule\n"
    assert pretty.pretty(text) == "module odd(a_0_);\n  input a_0_;\nendmodule\n"
