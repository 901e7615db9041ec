// SPDX-License-Identifier: Apache-2.0
//
// Sum of two streams lane by lane, one bit wider than its operands: m = s[0] + s[1].
//
// A word is taken from both inputs in the same cycle, when both offer one.
// Latency 1 cycle, one word a cycle.
`default_nettype none

module kl_stream_add #(
  parameter int unsigned PE     = 1,  // lanes of a word, lane 0 least significant
  parameter int unsigned WIDTH  = 8,  // bits of an operand
  parameter bit          SIGNED = 1   // operands are two's complement
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [1:0][PE*WIDTH-1:0] s_axis_tdata,
  input  wire logic [1:0]               s_axis_tvalid,
  output logic      [1:0]               s_axis_tready,

  output logic      [PE*(WIDTH+1)-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  if (PE < 1 || WIDTH < 1) begin : g_illegal
    $fatal(1, "kl_stream_add: PE=%0d and WIDTH=%0d must be at least 1", PE, WIDTH);
  end

  logic [PE-1:0][WIDTH-1:0] a, b;
  logic [PE-1:0][WIDTH:0] sum;
  logic both;  // inputs offer a word
  logic ready;

  assign a             = s_axis_tdata[0];
  assign b             = s_axis_tdata[1];
  assign both          = &s_axis_tvalid;
  assign s_axis_tready = {2{both && ready}};

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      sum[i] = {SIGNED && a[i][WIDTH-1], a[i]} + {SIGNED && b[i][WIDTH-1], b[i]};
    end
  end

  kl_stream_register #(
    .WIDTH(PE * (WIDTH + 1))
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (sum),
    .s_axis_tvalid(both),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
