// SPDX-License-Identifier: Apache-2.0
//
// Output side of a pipeline that has no stall wire.
//
// The pipeline accepts an input that will become an output word only while `room` is high, and says
// so with `claim`; any number of cycles later it delivers the word with `push`. Each claim reserves
// a place until the word leaves at m_axis, so a push always finds one.
//
// Latency: 2 cycles from push to m_axis_tvalid. Full rate as long as DEPTH is at least the cycles
// from claim to m_axis_tvalid plus 1. `room` and m_axis_* are registered: nothing passes from
// m_axis_tready to the pipeline within a cycle.
`default_nettype none

module output_fifo #(
  parameter int unsigned WIDTH = 8,  // bits of a word
  parameter int unsigned DEPTH = 16  // places, 2..32: one shift-register LUT a bit
) (
  input  wire logic             clk,
  input  wire logic             rst_n,

  output logic                  room,       // a place is free
  input  wire logic             claim,      // a place is taken; only while room
  input  wire logic             push,       // the word of the oldest claim not yet pushed
  input  wire logic [WIDTH-1:0] push_data,

  output logic [WIDTH-1:0]      m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  if (WIDTH < 1) $error("output_fifo: WIDTH=%0d is not positive", WIDTH);
  if (DEPTH < 2 || DEPTH > 32) $error("output_fifo: DEPTH=%0d is not in 2..32", DEPTH);

  localparam int unsigned COUNT_WIDTH = $clog2(DEPTH + 1);

  logic [COUNT_WIDTH-1:0] free;                // 0..DEPTH places not claimed
  logic [COUNT_WIDTH-1:0] level;               // 0..DEPTH words in the shift register
  logic [WIDTH-1:0]       words[DEPTH];        // words[0] is the youngest
  logic                   leave;               // a word leaves at m_axis
  logic                   pop;                 // a word moves to the output register
  logic [COUNT_WIDTH-1:0] free_next;

  assign leave     = m_axis_tvalid && m_axis_tready;
  assign pop       = level != 0 && (!m_axis_tvalid || m_axis_tready);
  assign free_next = free - COUNT_WIDTH'(claim) + COUNT_WIDTH'(leave);

  always_ff @(posedge clk) begin
    if (push) begin
      words[0] <= push_data;
      for (int unsigned i = 1; i < DEPTH; i++) words[i] <= words[i-1];
    end
    if (pop) m_axis_tdata <= words[($clog2(DEPTH))'(level - 1'b1)];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      free          <= COUNT_WIDTH'(DEPTH);
      room          <= 1'b0;
      level         <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      free          <= free_next;
      room          <= free_next != 0;
      level         <= level + COUNT_WIDTH'(push) - COUNT_WIDTH'(pop);
      m_axis_tvalid <= pop || (m_axis_tvalid && !m_axis_tready);
    end
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk) begin
    if (rst_n) begin
      assert (!claim || room) else $error("output_fifo: claim without room");
      assert (!push || level < COUNT_WIDTH'(DEPTH) || pop) else $error("output_fifo: overflow");
      assert (free <= COUNT_WIDTH'(DEPTH)) else $error("output_fifo: %0d places free", free);
    end
  end
`endif

endmodule

`default_nettype wire
