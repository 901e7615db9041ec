// SPDX-License-Identifier: Apache-2.0
//
// Multiplier of kl_requant for a lane: p = a * b + c, three cycles later, four with two DSPs.
//
// One DSP48E2: A and B, M, C and P registers. Operands that do not fit its 27 and 18 bits take two
// in cascade and one cycle more: the product with the lower 17 bits of b, then that with the rest.
`default_nettype none

module kl_requant_product
  import kl_pkg::*;
#(
  parameter  int unsigned A_WIDTH = 27,                          // 1..27
  parameter  int unsigned B_WIDTH = 18,                          // 2..35
  parameter  int unsigned C_WIDTH = 48,                          // 2..P_WIDTH
  localparam bit          WIDE    = two_dsps(A_WIDTH, B_WIDTH),
  localparam int unsigned P_WIDTH = WIDE ? 64 : 48
) (
  input wire logic clk,

  input  wire logic signed [A_WIDTH-1:0] a,
  input  wire logic signed [B_WIDTH-1:0] b,
  input  wire logic signed [C_WIDTH-1:0] c,
  output logic signed      [P_WIDTH-1:0] p
);

  localparam int unsigned PART = 17;  // bits of the lower part of a wide b

  logic signed [A_WIDTH-1:0] a_1;
  logic signed [B_WIDTH-1:0] b_1;
  logic signed [C_WIDTH-1:0] c_1, c_2;

  always_ff @(posedge clk) begin
    a_1 <= a;
    b_1 <= b;
    c_1 <= c;
    c_2 <= c_1;
  end

  if (WIDE) begin : g_wide
    (* use_dsp = "yes" *)
    logic signed [A_WIDTH+PART:0] low_2;
    (* use_dsp = "yes" *)
    logic signed [A_WIDTH+B_WIDTH-PART-1:0] high_2;
    logic signed [A_WIDTH+B_WIDTH-PART-1:0] high_3;
    logic signed [P_WIDTH-1:0] p_3;

    always_ff @(posedge clk) begin
      low_2  <= a_1 * signed'({1'b0, b_1[PART-1:0]});
      high_2 <= a_1 * signed'(b_1[B_WIDTH-1:PART]);
      p_3    <= P_WIDTH'(low_2) + P_WIDTH'(c_2);
      high_3 <= high_2;
      p      <= p_3 + (P_WIDTH'(high_3) <<< PART);
    end
  end else begin : g_narrow
    (* use_dsp = "yes" *)
    logic signed [A_WIDTH+B_WIDTH-1:0] m_2;
    (* use_dsp = "yes" *)
    logic signed [P_WIDTH-1:0] sum_3;

    assign p = sum_3;

    always_ff @(posedge clk) begin
      m_2   <= a_1 * b_1;
      sum_3 <= P_WIDTH'(m_2) + P_WIDTH'(c_2);
    end
  end

endmodule

`default_nettype wire
