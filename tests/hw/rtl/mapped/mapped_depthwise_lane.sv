// SPDX-License-Identifier: Apache-2.0
//
// kl_depthwise_lane in a DSP48E2: A, B, M and P registers; P adds to itself.
`default_nettype none

module mapped_depthwise_lane
  import mapped_pkg::*;
#(
  parameter int unsigned A_WIDTH = 9,
  parameter int unsigned B_WIDTH = 8,
  parameter int unsigned P_WIDTH = 20
) (
  input  wire logic                      clk,
  input  wire logic signed [A_WIDTH-1:0] a,
  input  wire logic signed [B_WIDTH-1:0] b,
  input  wire logic                      valid,
  input  wire logic                      first,
  output wire logic signed [P_WIDTH-1:0] p
);

  logic [47:0] sum;

  mapped_mac u_mac (
    .clk,
    .a     (27'(a)),
    .b     (18'(b)),
    .c     ('0),
    .pcin  ('0),
    .opmode(first ? M : M_P),
    .cep   (valid),
    .p     (sum),
    .pcout ()
  );
  assign p = P_WIDTH'(sum);

endmodule

`default_nettype wire
