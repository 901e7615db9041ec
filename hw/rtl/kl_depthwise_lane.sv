// SPDX-License-Identifier: Apache-2.0
//
// Multiply-accumulate of kl_depthwise for a lane: A and B, M and P registers of one DSP48E2.
`default_nettype none

module kl_depthwise_lane #(
  parameter int unsigned A_WIDTH = 9,  // bits of an activation with sign, 1..27
  parameter int unsigned B_WIDTH = 8,  // bits of a weight, 2..18
  parameter int unsigned P_WIDTH = 20  // bits of a sum, at most 48
) (
  input wire logic clk,

  input  wire logic signed [A_WIDTH-1:0] a,
  input  wire logic signed [B_WIDTH-1:0] b,
  input  wire logic                      valid,  // the product of two cycles ago counts
  input  wire logic                      first,  // it begins a sum
  output logic signed      [P_WIDTH-1:0] p
);

  logic signed [A_WIDTH-1:0] a_1;
  logic signed [B_WIDTH-1:0] b_1;
  (* use_dsp = "yes" *)
  logic signed [A_WIDTH+B_WIDTH-1:0] m_2;
  (* use_dsp = "yes" *)
  logic signed [P_WIDTH-1:0] sum_3;

  assign p = sum_3;

  always_ff @(posedge clk) begin
    a_1 <= a;
    b_1 <= b;
    m_2 <= a_1 * b_1;
    if (valid) sum_3 <= (first ? P_WIDTH'(0) : sum_3) + P_WIDTH'(m_2);
  end

endmodule

`default_nettype wire
