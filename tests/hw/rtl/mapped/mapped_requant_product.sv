// SPDX-License-Identifier: Apache-2.0
//
// kl_requant_product in DSP48E2: A, B, C, M and P registers. Two of them have the lower 17 bits of
// the sum in the first, and what is above comes to the second by the cascade, with its own part of c.
`default_nettype none

module mapped_requant_product
  import kl_pkg::*;
  import mapped_pkg::*;
#(
  parameter  int unsigned A_WIDTH = 27,
  parameter  int unsigned B_WIDTH = 18,
  parameter  int unsigned C_WIDTH = 48,
  localparam bit          WIDE    = two_dsps(A_WIDTH, B_WIDTH),
  localparam int unsigned P_WIDTH = WIDE ? 64 : 48
) (
  input  wire logic                      clk,
  input  wire logic signed [A_WIDTH-1:0] a,
  input  wire logic signed [B_WIDTH-1:0] b,
  input  wire logic signed [C_WIDTH-1:0] c,
  output wire logic signed [P_WIDTH-1:0] p
);

  logic signed [P_WIDTH-1:0] c_1;
  always_ff @(posedge clk) c_1 <= P_WIDTH'(c);

  if (WIDE) begin : g_wide
    logic signed [34:0] wide_b;
    assign wide_b = 35'(b);
    logic signed [46:0] c_2;
    logic [16:0] low_4;
    logic [47:0] low, high, cascade;

    always_ff @(posedge clk) begin
      c_2   <= c_1[63:17];
      low_4 <= low[16:0];
    end

    mapped_mac u_low (
      .clk,
      .a     (27'(a)),
      .b     ({1'b0, wide_b[16:0]}),
      .c     ({31'b0, c_1[16:0]}),
      .pcin  ('0),
      .opmode(M_C),
      .cep   (1'b1),
      .p     (low),
      .pcout (cascade)
    );
    mapped_mac #(
      .AREG(2),
      .BREG(2)
    ) u_high (
      .clk,
      .a     (27'(a)),
      .b     (wide_b[34:17]),
      .c     (48'(c_2)),
      .pcin  (cascade),
      .opmode(M_C_PCIN_17),
      .cep   (1'b1),
      .p     (high),
      .pcout ()
    );
    assign p = {high[46:0], low_4};
  end else if (B_WIDTH > 18) begin : g_swapped
    mapped_mac u_mac (
      .clk,
      .a     (27'(b)),
      .b     (18'(a)),
      .c     (c_1),
      .pcin  ('0),
      .opmode(M_C),
      .cep   (1'b1),
      .p     (p),
      .pcout ()
    );
  end else begin : g_narrow
    mapped_mac u_mac (
      .clk,
      .a     (27'(a)),
      .b     (18'(b)),
      .c     (c_1),
      .pcin  ('0),
      .opmode(M_C),
      .cep   (1'b1),
      .p     (p),
      .pcout ()
    );
  end

endmodule

`default_nettype wire
