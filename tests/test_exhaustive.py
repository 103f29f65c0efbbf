"""Every tiny column on RTL: every volley on every weight matrix, every response, theta, k and tie.

A few hundred columns are one Verilog file and one build. Beside each sits a small machine that
counts through weights and volleys by itself and logs all results; Python wakes up twice. Spatial
and folded columns go through the same machine, so that they are equal to each other, too.
"""

from __future__ import annotations

import numpy as np
import pytest
from configs import tiny_columns
from numpy.testing import assert_array_equal
from planted import planted

from racewave.golden import layer, response
from racewave.golden.config import ColumnConfig, Config, HardwareConfig
from racewave.golden.streams import Streams, from_digits
from racewave.golden.wta import wta
from racewave.hw.hierarchy import Library
from racewave.hw.verilog import core_ports, text_of, unit
from racewave.sim import bench
from racewave.sim.runner import Session, build, pick

COUNTER = """
module counter #(
    parameter P = 1, Q = 1, TIME = 1, WEIGHT = 1, ADDRESS = 1, W_MAX = 1, T_IN = 1, WAVES = 1
) (
    input clk, input go, output reg finished,
    output [P*TIME-1:0] volley, output reg volley_valid, input volley_ready,
    input [Q*TIME-1:0] result, input result_valid,
    output [ADDRESS+Q*WEIGHT:0] request, output reg request_valid, input request_ready
);
  reg [WAVES*Q*TIME-1:0] log /*verilator public_flat_rd*/;
  reg [31:0] received = 0;
  reg [P*Q*WEIGHT-1:0] weights = 0;
  reg [P*(TIME+1)-1:0] times = 0;  // T_IN stands for "never"
  reg [ADDRESS-1:0] row = 0;
  reg carry;
  integer n;
  initial {finished, volley_valid, request_valid} = 0;

  genvar g;
  generate
    for (g = 0; g < P; g = g + 1) begin : line
      wire [TIME:0] digit = times[g*(TIME+1) +: TIME+1];
      assign volley[g*TIME +: TIME] = digit == T_IN ? {TIME{1'b1}} : digit[TIME-1:0];
    end
  endgenerate
  assign request = {1'b1, row, weights[row*Q*WEIGHT +: Q*WEIGHT]};

  always @(posedge clk) begin
    if (go && !finished && !volley_valid && !request_valid && received == 0) request_valid <= 1;
    if (request_valid && request_ready) begin
      row <= row == P - 1 ? 0 : row + 1;
      if (row == P - 1) begin
        request_valid <= 0;
        volley_valid <= 1;
      end
    end
    if (volley_valid && volley_ready) begin
      carry = 1;
      for (n = 0; n < P; n = n + 1)
        if (carry) begin
          carry = times[n*(TIME+1) +: TIME+1] == T_IN;
          times[n*(TIME+1) +: TIME+1] <= carry ? 0 : times[n*(TIME+1) +: TIME+1] + 1;
        end
      if (carry) begin
        volley_valid <= 0;
        for (n = 0; n < P * Q; n = n + 1)
          if (carry) begin
            carry = weights[n*WEIGHT +: WEIGHT] == W_MAX;
            weights[n*WEIGHT +: WEIGHT] <= carry ? 0 : weights[n*WEIGHT +: WEIGHT] + 1;
          end
        request_valid <= !carry;
      end
    end
    if (result_valid) begin
      log[received*Q*TIME +: Q*TIME] = result;
      received <= received + 1;
      if (received == WAVES - 1) finished <= 1;
    end
  end
endmodule
"""

INSTANCE = """
  wire [{volley}:0] volley_{n};
  wire [{result}:0] result_{n};
  wire [{request}:0] request_{n};
  wire volley_valid_{n}, volley_ready_{n}, result_valid_{n}, request_valid_{n}, request_ready_{n};
  counter #(.P({p}), .Q({q}), .TIME({time}), .WEIGHT({weight}), .ADDRESS({address}),
      .W_MAX({w_max}), .T_IN({t_in}), .WAVES({waves})) counter_{n} (
    .clk(clk), .go(go_on), .finished(finished[{n}]),
    .volley(volley_{n}), .volley_valid(volley_valid_{n}), .volley_ready(volley_ready_{n}),
    .result(result_{n}[{q}*{time}-1:0]), .result_valid(result_valid_{n}{no_end}),
    .request(request_{n}), .request_valid(request_valid_{n}), .request_ready(request_ready_{n}));
  tiny_{n} core_{n} (
    .clk(clk), .rst(rst), .start(1'b1), .learn(1'b{learn}), .reseed(1'b0),{report}
    .busy(), .cycles(), .waves(), .m_axis_weight_tdata(), .m_axis_weight_tvalid(),
    .m_axis_weight_tready(1'b1), .m_axis_result_tready(1'b1),
    .s_axis_volley_tdata(volley_{n}), .s_axis_volley_tvalid(volley_valid_{n}),
    .s_axis_volley_tready(volley_ready_{n}), .m_axis_result_tdata(result_{n}),
    .m_axis_result_tvalid(result_valid_{n}), .s_axis_weight_tdata(request_{n}),
    .s_axis_weight_tvalid(request_valid_{n}), .s_axis_weight_tready(request_ready_{n}));
"""

TOP = """
module bench (
`ifdef VERILATOR
    input clk,
`endif
    output reg done /*verilator public_flat_rw*/
);
`ifndef VERILATOR
  reg clk = 0;
  always #1 clk = ~clk;
`endif
  initial done = 0;
  reg go /*verilator public_flat_rw*/ = 0;
  reg [31:0] limit /*verilator public_flat_rw*/ = 0;
  reg [31:0] clocks /*verilator public_flat_rw*/ = 0;
  reg go_on = 0, rst = 1;
  wire [{last}:0] finished;
  always @(posedge clk) begin
    clocks <= clocks + 1;
    rst <= clocks < 2;
    go_on <= go && clocks > 4;
    if (go && !done && (&finished || clocks == limit)) done <= 1;
  end
{instances}
endmodule
"""


def columns() -> list[ColumnConfig]:
    """Tiny columns with a middle and the highest threshold, most of them with two input steps."""
    return [
        c
        for c in tiny_columns()
        if c.theta in ((c.v_max + 1) // 2, c.v_max)
        and (c.q > 1 or c.tie == "index")  # one neuron has no ties
        and (c.t_in == 2 or (c.t_in == 1 and (c.p, c.q, c.w_max) == (3, 2, 2)))
    ]


def waves(column: ColumnConfig) -> int:
    """Volleys times weight matrices."""
    return (column.t_in + 1) ** column.p * (column.w_max + 1) ** (column.p * column.q)


def verilog(tiny: list[ColumnConfig], folded: bool = False, learn: bool = False) -> str:
    """All columns, each with its counter; folded ones report times before the end of a wave."""
    library, instances = Library(), []
    kind = "folded" if folded else "spatial"
    hardware = HardwareConfig(micro_architecture=kind, learning=learn)
    for n, column in enumerate(tiny):
        config = Config(name=f"tiny-{n}", column=column, hardware=hardware)
        library.add(*unit(config), module=f"tiny_{n}", ports=core_ports)
        widths = Streams(config)
        instances.append(
            INSTANCE.format(
                n=n,
                volley=widths.volley_bits - 1,
                result=widths.result_bits - 1,
                request=widths.request_bits - 1,
                p=column.p,
                q=column.q,
                time=column.time_bits,
                weight=column.w_bits,
                address=widths.address_bits,
                w_max=column.w_max,
                t_in=column.t_in,
                waves=waves(column),
                learn=int(learn),
                report=" .report(1'b1)," if folded else "",
                no_end=f" && !result_{n}[{widths.result_bits - 1}]" if folded else "",
            )
        )
    top = TOP.format(last=len(tiny) - 1, instances="".join(instances))
    return text_of(library) + COUNTER + top


def play(text: str, tiny: list[ColumnConfig]) -> list[np.ndarray]:
    """Times of every wave of every column: weight matrices x volleys x q."""
    limit = 100 * max(map(waves, tiny))
    with Session(build(pick(), text, optimise="-O0")) as session:  # short run, much text
        names = [f"counter_{n}.log" for n in range(len(tiny))]
        answer = session.play({"set": {"limit": limit}, "get": [*names, "clocks"]})[0]
    assert int(answer["clocks"], 2) < limit, "a column did not finish"
    found = []
    for name, c in zip(names, tiny, strict=True):
        digits = bench.digits(answer[name], waves(c) * c.q * c.time_bits)
        found.append(from_digits(digits, c.time_bits).reshape(-1, (c.t_in + 1) ** c.p, c.q))
    return found


def digits(base: int, count: int) -> np.ndarray:
    """All numbers of `count` digits in their order, lowest digit first."""
    numbers = np.arange(base**count)
    return numbers[:, None] // base ** np.arange(count) % base


def expected(column: ColumnConfig) -> np.ndarray:
    """What the golden units say: all weight vectors as neurons of one column, then k-WTA."""
    times = digits(column.t_in + 1, column.p)
    times = np.where(times == column.t_in, column.none, times).astype(np.uint8)
    base = column.w_max + 1
    potential = response.potentials(times, digits(base, column.p), column)
    raw = response.fire(potential, column.theta)
    height = response.at_fire(potential, raw)
    # Digit i * q + j of a weight matrix is the weight of synapse i of neuron j.
    matrices = digits(base, column.p * column.q).reshape(-1, column.p, column.q)
    neurons = (matrices * base ** np.arange(column.p)[:, None]).sum(axis=1)
    raw, height = raw[:, neurons].swapaxes(0, 1), height[:, neurons].swapaxes(0, 1)
    shape = raw.shape
    flat = (raw.reshape(-1, column.q), height.reshape(-1, column.q))
    return wta(*flat, column.k, column.tie, column.none).reshape(shape)


@pytest.fixture(scope="module")
def bank() -> str:
    return verilog(columns())


def test_every_tiny_column(bank):
    tiny = columns()
    for column, found in zip(tiny, play(bank, tiny), strict=True):
        assert_array_equal(found, expected(column), err_msg=str(column))
    shapes = {(c.p, c.q, c.w_max, c.response, c.k, c.tie) for c in tiny}
    assert len(shapes) == 3 * 2 * 2 * (1 + 2 * 2)


def few(column: ColumnConfig) -> bool:
    """Less than a thousand waves."""
    return waves(column) < 1_000


def test_every_tiny_folded_column():
    tiny = [column for column in columns() if few(column)]
    for column, found in zip(tiny, play(verilog(tiny, folded=True), tiny), strict=True):
        assert_array_equal(found, expected(column), err_msg=str(column))
    shapes = {(c.p, c.q, c.w_max, c.response, c.k, c.tie) for c in tiny}
    assert len(shapes) == (2 * 2 * 2 * (1 + 2 * 2)) + 2 * 2


def learning() -> list[ColumnConfig]:
    """Tiny columns in which each case of STDP happens always or never, alone and together."""
    cases = ("u_capture", "u_minus", "u_search", "u_backoff")
    certain = 1024
    found = []
    for case in (*cases, None):
        u = {name: certain if case in (name, None) else 0 for name in cases}
        for kind in ("rnl", "snl"):
            for t_in in (1, 2):
                theta = 3 if kind == "rnl" else 2
                found.append(
                    ColumnConfig(
                        p=2, q=2, theta=theta, w_max=2, t_in=t_in, response=kind, u_min=certain,
                        **u,
                    )
                )  # fmt: skip
    return found


def learnt(column: ColumnConfig) -> np.ndarray:
    """What the golden layer says: every weight matrix learns from all volleys in a row."""
    times = digits(column.t_in + 1, column.p)
    times = np.where(times == column.t_in, column.none, times).astype(np.uint8)
    matrices = digits(column.w_max + 1, column.p * column.q).reshape(-1, column.p, column.q)
    fields = np.tile(np.arange(column.p), (len(matrices), 1))
    weights = matrices.swapaxes(1, 2).astype(np.uint8)
    found = layer.run(times, weights, fields, column, learn=True)[0]
    return found.reshape(len(times), len(matrices), column.q).swapaxes(0, 1)


@pytest.mark.parametrize("folded", [False, True], ids=["spatial", "folded"])
def test_every_tiny_column_learns(folded):
    tiny = learning()
    for column, found in zip(tiny, play(verilog(tiny, folded, True), tiny), strict=True):
        assert_array_equal(found, learnt(column), err_msg=str(column))


@pytest.mark.slow
@pytest.mark.parametrize("folded", [False, True], ids=["spatial", "folded"])
@pytest.mark.parametrize("part", range(9))
def test_every_tiny_column_with_every_threshold(part, folded):
    tiny = list(tiny_columns())[part::9]
    for column, found in zip(tiny, play(verilog(tiny, folded), tiny), strict=True):
        assert_array_equal(found, expected(column), err_msg=str(column))


def test_planted_bug():
    """Ties that do not go to the lowest index are found."""
    one = [ColumnConfig(p=2, q=2, theta=2, w_max=2, t_in=2, k=1, tie="index")]
    text = verilog(one)
    assert_array_equal(play(text, one)[0], expected(one[0]))
    broken = planted(text, "wta", r"~ ?fire;", "~{fire[0], fire[1]};")
    assert (play(broken, one)[0] != expected(one[0])).any()
