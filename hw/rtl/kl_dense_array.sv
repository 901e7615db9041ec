// SPDX-License-Identifier: Apache-2.0
//
// Multipliers, adders and accumulators of kl_dense: sums of PE outputs for both pixels of a pair.
//
// `accept` brings a word of weights and the word of both pixels on `pair`; `first` and `last` mark
// the ends of a sum. kl_pkg::dense_stages(SIMD) cycles after the last word `done`
// says that the sums are complete. Nothing stalls.
//
// One DSP48E2 multiplies a weight with a pair of inputs, a = x1 * 2**18 + x0:
//   Up to four of them form a chain, p = sum of a * w = s1 * 2**18 + s0, where s0 and s1 are the
//   sums of the chain's products for the two pixels. |x| <= 255 and |w| <= 128, so |s0| and |s1|
//   are at most 130560 < 2**17. Hence s0 is p[17:0] read as signed. As p - s0 = s1 * 2**18, s1 is
//   p[35:18], which the borrow of a negative s0 made one too small, plus p[17]. And
//   |p| <= 130560 * (2**18 + 1) < 2**35.
//   a fits the 27 bits of the multiplier: unsigned 255 * 2**18 + 255 < 2**26, signed at the lowest
//   -128 * 2**18 - 128 >= -2**26. As bits it is {x1, 18'(x0)} with x1 one less where x0 < 0.
//   The operand, product and sum registers are those of the DSP, the chain is its cascade.
`default_nettype none

module kl_dense_array
  import kl_pkg::*;
#(
  parameter int unsigned SIMD         = 2,  // inputs in a word
  parameter int unsigned PE           = 2,  // outputs in a word
  parameter int unsigned ACT_WIDTH    = 8,
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 8,
  parameter int unsigned ACC_WIDTH    = 24
) (
  input wire logic clk,
  input wire logic rst_n,

  input wire logic                                      accept,
  input wire logic                                      first,
  input wire logic                                      last,
  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   1:0][SIMD-1:0][   ACT_WIDTH-1:0] pair,

  output logic                              done,
  output logic [1:0][PE-1:0][ACC_WIDTH-1:0] sums
);

  localparam int unsigned CHAINS = dense_chains(SIMD);
  localparam int unsigned LENGTH = dense_length(SIMD);
  localparam int unsigned STAGES = dense_stages(SIMD);
  localparam int unsigned LEAD = CHAINS * LENGTH - SIMD;  // places left empty in the first chain
  localparam int unsigned LEVELS = $clog2(CHAINS);
  localparam int unsigned LEAVES = 1 << LEVELS;

  localparam int unsigned SPACING = 18;  // bits between the pixels in a DSP
  localparam int unsigned A_WIDTH = 27;
  localparam int unsigned M_WIDTH = A_WIDTH + WEIGHT_WIDTH;
  localparam int unsigned P_WIDTH = 2 * SPACING;
  localparam int unsigned NODE_WIDTH = SPACING + LEVELS + 1;  // with the carry bit

  // What each stage holds
  logic [STAGES:1] complete;  // the last word of a sum
  logic [STAGES-1:1] valid_at;  // a word
  logic [STAGES-1:1] first_at;  // the first word of a sum

  assign done = complete[STAGES];

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      complete <= '0;
      valid_at <= '0;
    end else begin
      complete <= {complete[STAGES-1:1], accept && last};
      valid_at <= {valid_at[STAGES-2:1], accept};
    end
  end

  always_ff @(posedge clk) first_at <= {first_at[STAGES-2:1], first};

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
  logic signed [M_WIDTH-1:0] m[PE][SIMD], m_next[PE][SIMD];
  logic signed [P_WIDTH-1:0] p[PE][SIMD], p_next[PE][SIMD];

  always_comb begin
    for (int unsigned lane = 0; lane < SIMD; lane++) begin
      automatic int unsigned stage = 1 + (lane + LEAD) % LENGTH;
      automatic logic [ACT_WIDTH-1:0] x0 = x[stage][0][lane];
      automatic logic [ACT_WIDTH-1:0] x1 = x[stage][1][lane];
      automatic logic negative_0 = ACT_SIGNED && x0[ACT_WIDTH-1];
      automatic logic negative_1 = ACT_SIGNED && x1[ACT_WIDTH-1];
      a_next[lane] = {
        (A_WIDTH - SPACING)'($signed({negative_1, x1})) - (A_WIDTH - SPACING)'(negative_0),
        SPACING'($signed({negative_0, x0}))
      };
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

  // Stages LENGTH + 4 to STAGES - 1: a tree over the chains, for each slot. Node i adds its
  // children 2 * i and 2 * i + 1; the nodes from LEAVES on are the chains, node 1 is the root. The
  // lowest bit of a node is a carry still to be added, the borrow of a chain: a parent adds that of
  // its left child and passes on that of its right.
  logic signed [NODE_WIDTH-1:0] node[2][PE][2*LEAVES], node_next[2][PE][LEAVES];
  logic signed [NODE_WIDTH-1:0] tree[2][PE][LEAVES];

  always_comb begin
    for (int unsigned slot = 0; slot < 2; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        for (int unsigned i = 0; i < LEAVES; i++) begin
          node[slot][pe][i]        = tree[slot][pe][i];
          node[slot][pe][LEAVES+i] = '0;
        end
        for (int unsigned i = 0; i < CHAINS; i++) begin
          automatic logic [P_WIDTH-1:0] chain = p[pe][(i+1)*LENGTH-1-LEAD];
          node[slot][pe][LEAVES+i] =
              NODE_WIDTH'($signed({chain[slot*SPACING+:SPACING], slot == 1 && chain[SPACING-1]}));
        end
        node_next[slot][pe][0] = '0;
        for (int unsigned i = 1; i < LEAVES; i++) begin
          automatic logic signed [NODE_WIDTH-1:0] right = node[slot][pe][2*i+1];
          node_next[slot][pe][i]    = node[slot][pe][2*i] + {right[NODE_WIDTH-1:1], 1'b1};
          node_next[slot][pe][i][0] = right[0];
        end
      end
    end
  end

  always_ff @(posedge clk) tree <= node_next;

  // Stage STAGES: the accumulators; first clears, the carry left at the root comes in
  logic [1:0][PE-1:0][ACC_WIDTH-1:0] sums_next;

  always_comb begin
    for (int unsigned slot = 0; slot < 2; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        automatic logic [ACC_WIDTH-1:0] sum = first_at[STAGES-1] ? '0 : sums[slot][pe];
        automatic logic [ACC_WIDTH:0] total = {sum, 1'b1} + (ACC_WIDTH + 1)'(node[slot][pe][1]);
        sums_next[slot][pe] = ACC_WIDTH'(total >> 1);
      end
    end
  end

  always_ff @(posedge clk) if (valid_at[STAGES-1]) sums <= sums_next;

endmodule

`default_nettype wire
