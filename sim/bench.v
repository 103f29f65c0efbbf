// Test bench of a racewave core: plays orders of many waves without waking Python.
//
// Python fills the registers under "orders", toggles `go` and sleeps until `done` toggles. The bench
// then plays the beats of volleys and the weight requests, both streams at once, and logs results,
// replies, a cycle stamp per wave and (on request) every weight after every wave. Only registers
// marked public exist for VPI: a design whose every net is public simulates several times slower.
//
// The text in front of this file defines: CORE (module under test); BEAT_BITS (of a volley, which
// has VOLLEY_BEATS), RESULT_BITS, REQUEST_BITS, ROW_BITS, ADDRESS_BITS; WAVES, RESULTS, LOGS,
// REQUESTS and REPLIES (capacity of one order in waves, in beats of results, in weight logs, in
// requests, in replies). FOLDED: the core has a port `report`, the highest bit of a result says that
// it is the last of its wave, and weights are logged by reading rows between waves; else every
// result is the last, and WEIGHTS says where the core keeps its weights, WEIGHT_BITS of them.

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
  reg [15:0] flags /*verilator public_flat_rw*/ = 0;
  reg [31:0] seed /*verilator public_flat_rw*/ = 1;  // of the stalls
  reg [31:0] limit /*verilator public_flat_rw*/ = 100000;  // clocks without progress
  reg [31:0] beat_count /*verilator public_flat_rw*/ = 0;  // of volleys
  reg [31:0] result_count /*verilator public_flat_rw*/ = 0;  // beats of results to wait for
  reg [31:0] log_count /*verilator public_flat_rw*/ = 0;
  reg [31:0] request_count /*verilator public_flat_rw*/ = 0;
  reg [31:0] first_row /*verilator public_flat_rw*/ = 0;
  /*verilator tracing_off*/
  reg [`WAVES*`VOLLEY_BEATS*`BEAT_BITS-1:0] volleys /*verilator public_flat_rw*/;
  reg [`REQUESTS*`REQUEST_BITS-1:0] requests /*verilator public_flat_rw*/;

  // Logs.
  reg [`RESULTS*`RESULT_BITS-1:0] results /*verilator public_flat_rw*/;
  reg [`WAVES*32-1:0] stamps /*verilator public_flat_rw*/;
  reg [`REPLIES*`ROW_BITS-1:0] replies /*verilator public_flat_rw*/;
`ifndef FOLDED
  reg [`LOGS*`WEIGHT_BITS-1:0] weights /*verilator public_flat_rw*/;
`endif
  /*verilator tracing_on*/
  reg [7:0] faults /*verilator public_flat_rw*/ = 0;
  reg [31:0] clocks /*verilator public_flat_rw*/ = 0;  // since the first reset

  wire reset = flags[0];  // reset the core first
  wire reseed = flags[1];  // random generator back to its seed first
  wire stall = flags[5];  // every stream pauses with probability 0.5
  wire sweep = flags[8];  // read `request_count` rows from `first_row` on; with logs, after each wave

  // Streams.
  reg [`BEAT_BITS-1:0] volley = 0;
  reg volley_valid = 0;
  wire volley_ready;
  wire [`RESULT_BITS-1:0] result;
  wire result_valid;
  reg result_ready = 0;
  reg [`REQUEST_BITS-1:0] request = 0;
  reg request_valid = 0;
  wire request_ready;
  wire [`ROW_BITS-1:0] reply;
  wire reply_valid;
  reg reply_ready = 0;
  // Registers of their own: what VPI may write must not reach into the core, or Verilator has to
  // compile the core's logic twice.
  reg core_rst = 0;
  reg core_reseed = 0;
  reg core_learn = 0;
  reg core_start = 0;
  wire busy;
  wire [31:0] cycles;
  wire [31:0] waves;
`ifdef FOLDED
  reg core_report = 0;
  wire last = result[`RESULT_BITS-1];
`else
  wire last = 1;
`endif

  `CORE core (
      .clk(clk),
      .rst(core_rst),
      .s_axis_volley_tdata(volley),
      .s_axis_volley_tvalid(volley_valid),
      .s_axis_volley_tready(volley_ready),
      .m_axis_result_tdata(result),
      .m_axis_result_tvalid(result_valid),
      .m_axis_result_tready(result_ready),
      .s_axis_weight_tdata(request),
      .s_axis_weight_tvalid(request_valid),
      .s_axis_weight_tready(request_ready),
      .m_axis_weight_tdata(reply),
      .m_axis_weight_tvalid(reply_valid),
      .m_axis_weight_tready(reply_ready),
      .start(core_start),
      .learn(core_learn),
      .reseed(core_reseed),
`ifdef FOLDED
      .report(core_report),
`endif
      .busy(busy),
      .cycles(cycles),
      .waves(waves)
  );

`ifdef DUMP
  // Waves begin with the first order that asks for them.
  reg dumping = 0;
  always @(posedge clk)
    if (flags[6] && !dumping) begin
      dumping <= 1;
      $dumpfile("waves.fst");
      $dumpvars(0, bench);
    end
`endif

  // Progress of the order.
  reg seen = 0;
  reg [2:0] settle = 0;
  reg running = 0;
  reg [31:0] lfsr = 1;
  reg [31:0] idle = 0;
  reg [31:0] sent = 0;  // beats of volleys
  reg [31:0] received = 0;  // beats of results
  reg [31:0] ended /*verilator public_flat_rw*/ = 0;  // waves
  reg [31:0] logged = 0;
  reg [31:0] asked = 0;
  reg [31:0] reads = 0;
  reg [31:0] answered = 0;
  reg [31:0] allowed = 0;  // beats of volleys that may be sent before the next sweep
  reg [31:0] replied = 0;  // replies of this sweep
  reg sweeping = 0;
  reg wave_ended = 0;

  // What a stream promises: valid stays, with the same payload, until ready.
  reg result_held = 0;
  reg reply_held = 0;
  reg [`RESULT_BITS-1:0] result_before = 0;
  reg [`ROW_BITS-1:0] reply_before = 0;

  wire took_volley = volley_valid && volley_ready;
  wire took_request = request_valid && request_ready;
  wire took_result = result_valid && result_ready;
  wire took_reply = reply_valid && reply_ready;
  wire [31:0] row = first_row + asked;
  wire asks = sweep ? sweeping : asked != request_count;
  wire finished = sent == beat_count && !volley_valid && received == result_count
      && logged == log_count && !asks && !request_valid && answered == reads;

  always @(posedge clk) begin
    clocks <= clocks + 1;
    lfsr <= lfsr[0] ? (lfsr >> 1) ^ 32'h80200003 : lfsr >> 1;
    core_reseed <= 0;
    wave_ended <= took_volley;

    if (!running) begin
      if (settle != 0) begin
        settle <= settle - 1;
        core_rst <= reset && settle > 2;
        core_reseed <= reseed && settle == 2;
        if (settle == 1) running <= 1;
      end else if (go != seen) begin
        seen <= go;
        core_learn <= flags[2];
        core_start <= flags[3];
`ifdef FOLDED
        core_report <= flags[7];
`endif
        settle <= reset || reseed ? 4 : 1;
        lfsr <= seed;
        faults <= 0;
        idle <= 0;
        sent <= 0;
        received <= 0;
        ended <= 0;
        logged <= 0;
        asked <= 0;
        reads <= 0;
        answered <= 0;
        replied <= 0;
        allowed <= sweep && log_count != 0 ? `VOLLEY_BEATS : beat_count;
        sweeping <= sweep && log_count == 0;
      end
    end else begin
      // Senders.
      if (!volley_valid || volley_ready) begin
        if (sent != allowed && !(stall && lfsr[3])) begin
          volley <= volleys[sent*`BEAT_BITS +: `BEAT_BITS];
          volley_valid <= 1;
          sent <= sent + 1;
        end else volley_valid <= 0;
      end
      if (!request_valid || request_ready) begin
        if (asks && !(stall && lfsr[8])) begin
          request <= sweep ? {1'b0, row[`ADDRESS_BITS-1:0], {`ROW_BITS{1'b0}}}
              : requests[asked*`REQUEST_BITS +: `REQUEST_BITS];
          request_valid <= 1;
          asked <= asked + 1;
          if (asked == request_count - 1) sweeping <= 0;
        end else request_valid <= 0;
      end
      if (took_request && !request[`REQUEST_BITS-1]) reads <= reads + 1;

      // Receivers. The logs are written with "=": nothing else in the bench reads them.
      result_ready <= !(stall && lfsr[13]);
      reply_ready <= !(stall && lfsr[18]);
      if (took_result) begin
        results[received*`RESULT_BITS +: `RESULT_BITS] = result;
        received <= received + 1;
        if (last) begin
          stamps[ended*32 +: 32] = cycles;
          ended <= ended + 1;
        end
      end
      if (took_reply) begin
        replies[answered*`ROW_BITS +: `ROW_BITS] = reply;
        answered <= answered + 1;
      end
`ifdef FOLDED
      if (sweep && log_count != 0) begin
        if (took_result && last) begin
          sweeping <= 1;
          asked <= 0;
          replied <= 0;
        end
        if (took_reply) begin
          replied <= replied + 1;
          if (replied == request_count - 1) begin
            logged <= logged + 1;
            if (allowed != beat_count) allowed <= allowed + `VOLLEY_BEATS;
          end
        end
      end
`else
      // With its volley taken a wave is over, and every ring is back in its home position.
      if (wave_ended && logged != log_count) begin
        weights[logged*`WEIGHT_BITS +: `WEIGHT_BITS] = `WEIGHTS;
        logged <= logged + 1;
      end
`endif

      // Stream rules.
      result_held <= result_valid && !result_ready;
      reply_held <= reply_valid && !reply_ready;
      result_before <= result;
      reply_before <= reply;
      if (result_held && !(result_valid && result == result_before)) faults[0] <= 1;
      if (reply_held && !(reply_valid && reply == reply_before)) faults[1] <= 1;
      if (took_result && received == result_count) faults[2] <= 1;
      if (took_reply && answered == reads && !took_request) faults[3] <= 1;
      if (request_ready && busy) faults[4] <= 1;  // weight access inside a wave

      // Watchdog and end.
      idle <= took_volley || took_request || took_result || took_reply ? 0 : idle + 1;
      if (finished || idle == limit || faults != 0) begin
        if (idle == limit) faults[7] <= 1;
        running <= 0;
        volley_valid <= 0;
        request_valid <= 0;
        result_ready <= 0;
        reply_ready <= 0;
        result_held <= 0;
        reply_held <= 0;
        done <= ~done;
      end
    end
  end
endmodule
