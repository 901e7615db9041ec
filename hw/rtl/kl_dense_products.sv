// SPDX-License-Identifier: Apache-2.0
//
// Multipliers of kl_dense_array for a pair of pixels: the chains of DSPs at the clock of the fabric.
//
// LENGTH + 3 cycles after the words of weights and of both pixels their sums of each chain are on
// `sums`, the second pixel in the upper 18 bits, see kl_dense_array.
//
// The operand, product and sum registers are those of the DSP, the chain is its cascade.
`default_nettype none

module kl_dense_products
  import kl_pkg::*;
#(
  parameter  int unsigned SIMD         = 2,                  // inputs in a word
  parameter  int unsigned PE           = 2,                  // outputs in a word
  parameter  int unsigned ACT_WIDTH    = 8,
  parameter  bit          ACT_SIGNED   = 0,
  parameter  int unsigned WEIGHT_WIDTH = 8,
  localparam int unsigned CHAINS       = dense_chains(SIMD)
) (
  input wire logic clk,

  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   1:0][SIMD-1:0][   ACT_WIDTH-1:0] pair,

  output logic [PE-1:0][CHAINS-1:0][35:0] sums
);

  localparam int unsigned LENGTH = dense_length(SIMD);
  localparam int unsigned LEAD = CHAINS * LENGTH - SIMD;  // places left empty in the first chain
  localparam int unsigned A_WIDTH = 27;
  localparam int unsigned M_WIDTH = A_WIDTH + WEIGHT_WIDTH;
  localparam int unsigned P_WIDTH = 36;

  // Stages 1 to LENGTH: words of inputs and weights; lane j of a chain reads them at stage 1 + j
  (* shreg_extract = "no" *)
  logic [LENGTH:1][1:0][SIMD-1:0][ACT_WIDTH-1:0] x;
  (* shreg_extract = "no" *)
  logic [LENGTH:1][PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w;

  always_ff @(posedge clk) begin
    x[1] <= pair;
    w[1] <= weights;
    for (int unsigned i = 2; i <= LENGTH; i++) begin
      x[i] <= x[i-1];
      w[i] <= w[i-1];
    end
  end

  // Stages 2 to LENGTH + 3: operands, products and sums of the chains
  logic signed [A_WIDTH-1:0] a[SIMD], a_next[SIMD];
  logic signed [WEIGHT_WIDTH-1:0] b[PE][SIMD], b_next[PE][SIMD];
  (* use_dsp = "yes" *)
  logic signed [M_WIDTH-1:0] m[PE][SIMD], m_next[PE][SIMD];
  (* use_dsp = "yes" *)
  logic signed [P_WIDTH-1:0] p[PE][SIMD], p_next[PE][SIMD];

  always_comb begin
    for (int unsigned lane = 0; lane < SIMD; lane++) begin
      automatic int unsigned stage = 1 + (lane + LEAD) % LENGTH;
      automatic logic [ACT_WIDTH-1:0] x0 = x[stage][0][lane];
      automatic logic [ACT_WIDTH-1:0] x1 = x[stage][1][lane];
      automatic logic negative_0 = ACT_SIGNED && x0[ACT_WIDTH-1];
      automatic logic negative_1 = ACT_SIGNED && x1[ACT_WIDTH-1];
      a_next[lane] = dense_operand(9'($signed({negative_1, x1})), 9'($signed({negative_0, x0})));
    end
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned lane = 0; lane < SIMD; lane++) begin
        b_next[pe][lane] = $signed(w[1+(lane+LEAD)%LENGTH][pe][lane]);
        m_next[pe][lane] = M_WIDTH'(a[lane]) * M_WIDTH'(b[pe][lane]);
        p_next[pe][lane] = P_WIDTH'(m[pe][lane]);
        if (lane > 0 && (lane + LEAD) % LENGTH > 0) p_next[pe][lane] += p[pe][lane-1];
      end
    end
  end

  always_ff @(posedge clk) begin
    a <= a_next;
    b <= b_next;
    m <= m_next;
    p <= p_next;
  end

  always_comb begin
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned i = 0; i < CHAINS; i++) sums[pe][i] = p[pe][(i+1)*LENGTH-1-LEAD];
    end
  end

endmodule

`default_nettype wire
