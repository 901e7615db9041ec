// SPDX-License-Identifier: Apache-2.0
//
// Output side of a pipeline that has no stall wire: a fifo and the account of its free places.
//
// The pipeline accepts an input that will become an output word only while `room` is high, and says
// so with `claim`; any number of cycles later it delivers the word with `push`. Each claim reserves
// a place until the word leaves at m_axis, so a push always finds one.
//
// Latency 2 cycles from push to m_axis. Full rate if DEPTH exceeds the cycles from claim to m_axis.
// `room` is a register: nothing passes from m_axis_tready to the pipeline within a cycle.
`default_nettype none

module kl_output_fifo
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH = 8,  // bits of a word
  parameter int unsigned DEPTH = 16  // places, 2..32: one shift-register LUT a bit
) (
  input wire logic clk,
  input wire logic rst_n,

  output logic                  room,      // a place is free
  input  wire logic             claim,     // a place is taken; only while room
  input  wire logic             push,      // the word of the oldest claim not yet pushed
  input  wire logic [WIDTH-1:0] push_data,

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  if (DEPTH < 2 || DEPTH > 32) begin : g_illegal_depth
    $fatal(1, "kl_output_fifo: DEPTH=%0d is not in 2..32", DEPTH);
  end

  localparam int unsigned COUNT_WIDTH = $clog2(DEPTH + 1);

  logic [COUNT_WIDTH-1:0] free, free_next;  // 0..DEPTH places not claimed
  logic accepted;  // by the fifo; always

  assign free_next = free - COUNT_WIDTH'(claim) + COUNT_WIDTH'(m_axis_tvalid && m_axis_tready);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      free <= COUNT_WIDTH'(DEPTH);
      room <= 1'b0;
    end else begin
      free <= free_next;
      room <= free_next != '0;
    end
  end

  kl_fifo #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH),
    .STYLE(RAM_SRL)
  ) u_fifo (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (push_data),
    .s_axis_tvalid(push),
    .s_axis_tready(accepted),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

`ifndef SYNTHESIS
  a_range :
  assert property (@(posedge clk) disable iff (!rst_n) free <= COUNT_WIDTH'(DEPTH))
  else $error("%m: %0d of DEPTH=%0d places are free", free, DEPTH);
  a_claim :
  assert property (@(posedge clk) disable iff (!rst_n) claim |-> room)
  else $error("%m: claim without room");
  a_push :
  assert property (@(posedge clk) disable iff (!rst_n) push |-> accepted)
  else $error("%m: push into a full fifo");
`endif

endmodule

`default_nettype wire
