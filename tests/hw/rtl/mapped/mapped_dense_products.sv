// SPDX-License-Identifier: Apache-2.0
//
// kl_dense_products in DSP48E2: A, B, M and P registers, the chain is the cascade of P.
`default_nettype none

module mapped_dense_products
  import kl_pkg::*;
  import mapped_pkg::*;
#(
  parameter  int unsigned SIMD         = 2,
  parameter  int unsigned PE           = 2,
  parameter  int unsigned ACT_WIDTH    = 8,
  parameter  bit          ACT_SIGNED   = 0,
  parameter  int unsigned WEIGHT_WIDTH = 8,
  localparam int unsigned CHAINS       = dense_chains(SIMD)
) (
  input  wire logic                                        clk,
  input  wire logic [PE-1:0][  SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input  wire logic [   1:0][  SIMD-1:0][   ACT_WIDTH-1:0] pair,
  output logic      [PE-1:0][CHAINS-1:0][            35:0] sums
);

  localparam int unsigned LENGTH = dense_length(SIMD);
  localparam int unsigned LEAD = CHAINS * LENGTH - SIMD;

  logic [1:0][SIMD-1:0][ACT_WIDTH-1:0] x[LENGTH];
  logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w[LENGTH];

  always_ff @(posedge clk) begin
    x[0] <= pair;
    w[0] <= weights;
    for (int i = 1; i < LENGTH; i++) begin
      x[i] <= x[i-1];
      w[i] <= w[i-1];
    end
  end

  for (genvar pe = 0; pe < PE; pe++) begin : g_pe
    logic [47:0] p[SIMD];
    logic [47:0] cascade[SIMD];

    for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
      localparam int PLACE = (lane + LEAD) % LENGTH;
      localparam bit NEXT = lane > 0 && PLACE > 0;
      logic [ACT_WIDTH-1:0] x0;
      assign x0 = x[PLACE][0][lane];
      logic [ACT_WIDTH-1:0] x1;
      assign x1 = x[PLACE][1][lane];

      mapped_mac u_mac (
        .clk,
        .a(dense_operand(
            9'($signed(
                {ACT_SIGNED && x1[ACT_WIDTH-1], x1}
            )),
            9'($signed(
                {ACT_SIGNED && x0[ACT_WIDTH-1], x0}))
        )),
        .b(18'($signed(w[PLACE][pe][lane]))),
        .c('0),
        .pcin(NEXT ? cascade[NEXT?lane-1 : 0] : '0),
        .opmode(NEXT ? M_PCIN : M),
        .cep(1'b1),
        .p(p[lane]),
        .pcout(cascade[lane])
      );
    end

    for (genvar i = 0; i < CHAINS; i++) begin : g_chain
      assign sums[pe][i] = p[(i+1)*LENGTH-1-LEAD][35:0];
    end
  end

endmodule

`default_nettype wire
