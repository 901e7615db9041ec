// SPDX-License-Identifier: Apache-2.0
//
// Multipliers of kl_dense_array with three outputs in a DSP: narrow weights packed beside one input.
//
// Six cycles after the words of weights and of both pixels their sums of each chain are on
// `sums`, the second pixel in the upper 18 bits: each sum by itself, without a borrow.
//
// One DSP48E2 multiplies three weights of up to 4 bits, a = w2 * 2**22 + w1 * 2**11 + w0, with the
// input of one pixel, b. An input without sign enters as x - 2**(ACT_WIDTH-1), which turns its
// highest bit over; the sum of the chain's weights, times as much, is added again behind the DSPs.
// So -128 <= b <= 127 and -8 <= w <= 7, and a product w * b is in -1016..1024. The constant
// 1023 * (2**22 + 2**11 + 1) of the DSP's adder makes each field 1023 + w * b, which is in 7..2047:
// 11 bits without sign, of which none borrows. a is in -2**26..2**26-1 and fits 27 bits.
`default_nettype none

module kl_dense_products_triple
  import kl_pkg::*;
#(
  parameter  int unsigned SIMD         = 2,                  // inputs in a word
  parameter  int unsigned PE           = 3,                  // outputs in a word
  parameter  int unsigned ACT_WIDTH    = 8,
  parameter  bit          ACT_SIGNED   = 0,
  parameter  int unsigned WEIGHT_WIDTH = 4,                  // 2..4
  localparam int unsigned CHAINS       = dense_chains(SIMD)
) (
  input wire logic clk,

  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   1:0][SIMD-1:0][   ACT_WIDTH-1:0] pair,

  output logic [PE-1:0][CHAINS-1:0][35:0] sums
);

  localparam int unsigned TRIPLES = (PE + 2) / 3;
  localparam int unsigned FIELD = 11;  // bits between the outputs in a DSP
  localparam int unsigned P_WIDTH = 3 * FIELD;
  localparam logic [FIELD-1:0] MIDDLE = 11'd1023;
  localparam int unsigned SUM_WIDTH = 18;
  localparam int unsigned TURN = ACT_SIGNED ? 0 : 1 << (ACT_WIDTH - 1);  // what an input lacks

  // Stage 1: words
  logic [1:0][SIMD-1:0][ACT_WIDTH-1:0] x;
  logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w;

  // Stages 2 to 4: operands, products, products with their middle
  logic signed [26:0] a[TRIPLES][SIMD], a_next[TRIPLES][SIMD];
  logic signed [7:0] b[2][SIMD], b_next[2][SIMD];
  (* use_dsp = "yes" *)
  logic signed [34:0] m[2][TRIPLES][SIMD], m_next[2][TRIPLES][SIMD];
  (* use_dsp = "yes" *)
  logic [P_WIDTH-1:0] p[2][TRIPLES][SIMD], p_next[2][TRIPLES][SIMD];

  always_comb begin
    for (int unsigned lane = 0; lane < SIMD; lane++) begin
      for (int unsigned t = 0; t < TRIPLES; t++) begin
        automatic logic [2:0][WEIGHT_WIDTH-1:0] three = '0;
        for (int unsigned i = 0; i < 3; i++) if (3 * t + i < PE) three[i] = w[3*t+i][lane];
        a_next[t][lane] =
            dense_triple(4'($signed(three[2])), 4'($signed(three[1])), 4'($signed(three[0])));
      end
      for (int unsigned slot = 0; slot < 2; slot++) begin
        automatic logic [ACT_WIDTH-1:0] turned = x[slot][lane];
        turned[ACT_WIDTH-1] = turned[ACT_WIDTH-1] ^ !ACT_SIGNED;
        b_next[slot][lane]  = 8'($signed(turned));
        for (int unsigned t = 0; t < TRIPLES; t++) begin
          m_next[slot][t][lane] = 35'(a[t][lane]) * 35'(b[slot][lane]);
          p_next[slot][t][lane] = P_WIDTH'(m[slot][t][lane]) + {3{MIDDLE}};
        end
      end
    end
  end

  // Stages 2 to 5: the sums of the weights of a chain, which both pixels share
  logic signed [5:0] w_sum[2:4][PE][CHAINS], w_sum_next[PE][CHAINS];
  logic signed [SUM_WIDTH-1:0] lack[PE][CHAINS], lack_next[PE][CHAINS];

  // Stages 5 and 6: the fields of two lanes, then of the chain
  logic [FIELD:0] half[2][PE][CHAINS][2], half_next[2][PE][CHAINS][2];
  logic signed [SUM_WIDTH-1:0] total[2][PE][CHAINS], total_next[2][PE][CHAINS];

  always_comb begin
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned i = 0; i < CHAINS; i++) begin
        w_sum_next[pe][i] = '0;
        for (int unsigned lane = 4 * i; lane < 4 * i + 4; lane++) begin
          if (lane < SIMD) w_sum_next[pe][i] += 6'($signed(w[pe][lane]));
        end
        lack_next[pe][i] = SUM_WIDTH'(w_sum[4][pe][i]) * SUM_WIDTH'(TURN)
            - SUM_WIDTH'((SIMD - 4 * i < 4 ? SIMD - 4 * i : 4) * MIDDLE);
        for (int unsigned slot = 0; slot < 2; slot++) begin
          for (int unsigned side = 0; side < 2; side++) begin
            half_next[slot][pe][i][side] = '0;
            for (int unsigned lane = 4 * i + 2 * side; lane < 4 * i + 2 * side + 2; lane++) begin
              if (lane < SIMD) begin
                half_next[slot][pe][i][side] +=
                    (FIELD + 1)'(p[slot][pe/3][lane][pe%3*FIELD+:FIELD]);
              end
            end
          end
          total_next[slot][pe][i] = SUM_WIDTH'(half[slot][pe][i][0])
              + SUM_WIDTH'(half[slot][pe][i][1]) + lack[pe][i];
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    x        <= pair;
    w        <= weights;
    a        <= a_next;
    b        <= b_next;
    m        <= m_next;
    p        <= p_next;
    w_sum[2] <= w_sum_next;
    for (int unsigned i = 3; i <= 4; i++) w_sum[i] <= w_sum[i-1];
    lack  <= lack_next;
    half  <= half_next;
    total <= total_next;
  end

  always_comb begin
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned i = 0; i < CHAINS; i++) sums[pe][i] = {total[1][pe][i], total[0][pe][i]};
    end
  end

endmodule

`default_nettype wire
