// SPDX-License-Identifier: Apache-2.0
//
// kl_dense_products_2x in DSP48E2 at twice the clock: lanes of an odd skew have two registers of A,
// those of an even one two of B; the chain is the cascade of P.
`default_nettype none

module mapped_dense_products_2x
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
  input  wire logic                                            clk,
  input  wire logic                                            clk2x,
  input  wire logic                                            rst_n,
  input  wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0]       weights,
  input  wire logic [   3:0][SIMD-1:0][   ACT_WIDTH-1:0]       pixels,
  output logic      [   1:0][  PE-1:0][      CHAINS-1:0][35:0] sums
);

  localparam int unsigned LENGTH = dense_length(SIMD);
  localparam int unsigned LEAD = CHAINS * LENGTH - SIMD;
  localparam int unsigned SHIFT = LENGTH % 2 == 0 ? 1 : 0;
  localparam int unsigned STAGES = 1 + (LENGTH + SHIFT) / 2;

  logic [3:0][SIMD-1:0][ACT_WIDTH-1:0] x[STAGES];
  logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w[STAGES];
  logic phase, phase_before, half;

  always_ff @(posedge clk) begin
    phase <= rst_n && !phase;
    x[0]  <= pixels;
    w[0]  <= weights;
    for (int i = 1; i < STAGES; i++) begin
      x[i] <= x[i-1];
      w[i] <= w[i-1];
    end
  end

  always_ff @(posedge clk2x) begin
    phase_before <= phase;
    half         <= phase ^ phase_before;
  end

  logic [PE-1:0][CHAINS-1:0][35:0] ends, held;

  for (genvar pe = 0; pe < PE; pe++) begin : g_pe
    logic [47:0] p[SIMD];
    logic [47:0] cascade[SIMD];

    for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
      localparam int PLACE = (lane + LEAD) % LENGTH;
      localparam int SKEW = PLACE + SHIFT;
      localparam bit ODD = SKEW % 2 == 1;
      localparam bit NEXT = lane > 0 && PLACE > 0;
      logic [ACT_WIDTH-1:0] x0;
      assign x0 = x[SKEW/2][half?2 : 0][lane];
      logic [ACT_WIDTH-1:0] x1;
      assign x1 = x[SKEW/2][half?3 : 1][lane];
      logic signed [26:0] chosen;

      always_ff @(posedge clk2x)
        chosen <= dense_operand(
            9'($signed(
                {ACT_SIGNED && x1[ACT_WIDTH-1], x1}
            )),
            9'($signed(
                {ACT_SIGNED && x0[ACT_WIDTH-1], x0}))
        );

      mapped_mac #(
        .AREG(ODD ? 2 : 1),
        .BREG(ODD ? 1 : 2)
      ) u_mac (
        .clk   (clk2x),
        .a     (chosen),
        .b     (18'($signed(w[(SKEW+1)/2][pe][lane]))),
        .c     ('0),
        .pcin  (NEXT ? cascade[NEXT?lane-1 : 0] : '0),
        .opmode(NEXT ? M_PCIN : M),
        .cep   (1'b1),
        .p     (p[lane]),
        .pcout (cascade[lane])
      );
    end

    for (genvar i = 0; i < CHAINS; i++) begin : g_chain
      assign ends[pe][i] = p[(i+1)*LENGTH-1-LEAD][35:0];
    end
  end

  always_ff @(posedge clk2x) held <= ends;
  always_ff @(posedge clk) sums <= {ends, held};

endmodule

`default_nettype wire
