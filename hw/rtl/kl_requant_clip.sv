// SPDX-License-Identifier: Apache-2.0
//
// End of a requantisation: y = clip(p >>> SHIFT), registered. With TIES_EVEN an odd result of a
// shift without remainder becomes one less: halves to the even side. Part of kl_requant and
// kl_requant_add.
`default_nettype none

module kl_requant_clip #(
  parameter int unsigned P_WIDTH   = 48,    // bits of a sum
  parameter int unsigned OUT_WIDTH = 8,     // bits of a result
  parameter int unsigned SHIFT     = 16,    // 0..P_WIDTH-1
  parameter int          LOW       = -128,  // least result
  parameter int          HIGH      = 127,   // largest result
  parameter bit          TIES_EVEN = 0      // 1: halves to the even side, 0: up
) (
  input wire logic clk,

  input  wire logic signed [  P_WIDTH-1:0] p,
  output logic             [OUT_WIDTH-1:0] y
);

  localparam logic signed [P_WIDTH-1:0] REST = (P_WIDTH'(1) << SHIFT) - 1'b1;  // dropped

  logic signed [P_WIDTH-1:0] shifted, rounded;

  assign shifted = p >>> SHIFT;
  assign rounded = shifted - P_WIDTH'(TIES_EVEN && shifted[0] && (p & REST) == '0);

  always_ff @(posedge clk) begin
    if (rounded > P_WIDTH'(HIGH)) y <= OUT_WIDTH'(HIGH);
    else if (rounded < P_WIDTH'(LOW)) y <= OUT_WIDTH'(LOW);
    else y <= rounded[OUT_WIDTH-1:0];
  end

endmodule

`default_nettype wire
