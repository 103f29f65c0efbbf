// Test bench of a board top: plays line levels and listens to replies without waking Python.
//
// Python fills the registers under "orders", toggles `go` and sleeps until `done` toggles. The bench
// plays `count` levels of the line, each for `divisor` clocks, waits until `wanted` bytes have been
// heard, and then for `pause` clocks more. Levels instead of bytes: so a stop bit can be missing, a
// start bit short and a gap as long as one likes. The listener is written independently of the
// transmitter under test.
//
// The text in front of this file defines: TOP (module under test), DIVISOR (its clocks per bit),
// LEVELS and REPLIES (capacity of one order in levels and in bytes).

module bench (
`ifdef VERILATOR
    input clk,  // from the main program
`endif
    output reg done /*verilator public_flat_rw*/
);
`ifndef VERILATOR
  // One time unit per half period.
  reg clk = 0;
  always #1 clk = ~clk;
`endif
  initial done = 0;

  // Orders.
  reg go /*verilator public_flat_rw*/ = 0;
  reg reset /*verilator public_flat_rw*/ = 0;  // reset the board first
  reg [31:0] divisor /*verilator public_flat_rw*/ = `DIVISOR;
  reg [31:0] count /*verilator public_flat_rw*/ = 0;
  reg [31:0] wanted /*verilator public_flat_rw*/ = 0;
  reg [31:0] pause /*verilator public_flat_rw*/ = 0;
  reg [31:0] limit /*verilator public_flat_rw*/ = 1000000;  // clocks without a byte
  /*verilator tracing_off*/
  reg [`LEVELS-1:0] levels /*verilator public_flat_rw*/ = 0;

  // Logs.
  reg [8*`REPLIES-1:0] heard /*verilator public_flat_rw*/ = 0;
  /*verilator tracing_on*/
  reg [31:0] heard_count /*verilator public_flat_rw*/ = 0;
  reg [7:0] faults /*verilator public_flat_rw*/ = 0;

  reg rst = 0;
  reg rx = 1;
  wire tx;
  wire busy;

  `TOP top (
      .clk(clk),
      .rst(rst),
      .rx(rx),
      .tx(tx),
      .busy(busy)
  );

`ifdef DUMP
  initial begin
    $dumpfile("waves.fst");
    $dumpvars(0, bench);
  end
`endif

  // Player.
  reg seen = 0;
  reg running = 0;
  reg [2:0] settle = 0;
  reg [31:0] played = 0;
  reg [31:0] left = 0;
  reg [31:0] silence = 0;
  reg [31:0] idle = 0;
  wire playing = played != count || left != 0;

  // Listener.
  reg listening = 0;
  reg [31:0] left_of_bit = 0;
  reg [3:0] place = 0;
  reg [7:0] byte_heard = 0;

  wire heard_byte = listening && left_of_bit == 0 && place == 9;
  wire fresh = !running && settle == 0 && go != seen;

  always @(posedge clk) begin
    if (!running) begin
      if (settle != 0) begin
        settle <= settle - 1;
        rst <= reset && settle > 2;
        running <= settle == 1;
      end else if (fresh) begin
        seen <= go;
        settle <= 4;
        played <= 0;
        silence <= 0;
        idle <= 0;
        faults <= 0;
      end
    end else begin
      idle <= idle + 1;
      silence <= silence + 1;
      if (playing) begin
        idle <= 0;
        if (left == 0) begin
          rx <= levels[played];
          played <= played + 1;
          left <= divisor - 1;
        end else left <= left - 1;
      end
      if (playing || heard_count < wanted || listening) silence <= 0;
      else if (silence == pause) begin
        running <= 0;
        done <= ~done;
      end
      if (idle == limit) begin
        faults[7] <= 1;
        running <= 0;
        done <= ~done;
      end
    end

    if (!listening) begin
      left_of_bit <= `DIVISOR / 2 - 1;
      place <= 0;
      if (!tx) listening <= 1;
    end else if (left_of_bit != 0) left_of_bit <= left_of_bit - 1;
    else begin
      left_of_bit <= `DIVISOR - 1;
      place <= place + 1;
      byte_heard <= {tx, byte_heard[7:1]};
      if (place == 0 && tx) faults[0] <= 1;
      if (heard_byte) begin
        listening <= 0;
        idle <= 0;
        if (!tx) faults[1] <= 1;
      end
    end
    if (heard_byte) heard[8*(fresh ? 0 : heard_count) +: 8] <= byte_heard;
    heard_count <= (fresh ? 0 : heard_count) + heard_byte;
  end
endmodule
