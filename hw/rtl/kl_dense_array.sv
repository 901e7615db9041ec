// SPDX-License-Identifier: Apache-2.0
//
// Multipliers, adders and accumulators of kl_dense: sums of PE outputs for each pixel of a group.
//
// `accept` brings a word of weights and the word of every pixel on `group`; `first` and `last` mark
// the ends of a sum. kl_pkg::dense_stages(SIMD, KIND) cycles after the last word `done`
// says that the sums are complete. Nothing stalls. A group is a pair of pixels, or two pairs with
// DENSE_PUMPED, whose products are made one after the other at twice the clock.
//
// With DENSE_TRIPLE see kl_dense_products_triple. Otherwise
// one DSP48E2 multiplies a weight with a pair of inputs, a = x1 * 2**18 + x0:
//   Up to four of them form a chain, p = sum of a * w = s1 * 2**18 + s0, where s0 and s1 are the
//   sums of the chain's products for the two pixels. |x| <= 255 and |w| <= 128, so |s0| and |s1|
//   are at most 130560 < 2**17. Hence s0 is p[17:0] read as signed. As p - s0 = s1 * 2**18, s1 is
//   p[35:18], which the borrow of a negative s0 made one too small, plus p[17]. And
//   |p| <= 130560 * (2**18 + 1) < 2**35.
//   a fits the 27 bits of the multiplier: unsigned 255 * 2**18 + 255 < 2**26, signed at the lowest
//   -128 * 2**18 - 128 >= -2**26. As bits it is {x1, 18'(x0)} with x1 one less where x0 < 0.
`default_nettype none

module kl_dense_array
  import kl_pkg::*;
#(
  parameter int unsigned SIMD         = 2,                            // inputs in a word
  parameter int unsigned PE           = 2,                            // outputs in a word
  parameter int unsigned ACT_WIDTH    = 8,
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 8,
  parameter int unsigned ACC_WIDTH    = 24,
  parameter dense_kind_e KIND         = DENSE_PAIR,
  parameter int unsigned SHARE        = KIND == DENSE_PUMPED ? 4 : 2  // pixels of a group
) (
  input wire logic clk,
  input wire logic clk2x,  // with DENSE_PUMPED
  input wire logic rst_n,

  input wire logic                                         accept,
  input wire logic                                         first,
  input wire logic                                         last,
  input wire logic [   PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [SHARE-1:0][SIMD-1:0][   ACT_WIDTH-1:0] group,

  output logic                                    done,
  output logic [SHARE-1:0][PE-1:0][ACC_WIDTH-1:0] sums
);

  localparam int unsigned CHAINS = dense_chains(SIMD);
  localparam int unsigned STAGES = dense_stages(SIMD, KIND);
  localparam int unsigned LEVELS = $clog2(CHAINS);
  localparam int unsigned LEAVES = 1 << LEVELS;

  localparam int unsigned SPACING = 18;  // bits between the pixels in a DSP
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

  // Stages up to dense_product_stages(SIMD, KIND): sums of the chains, for each pair of pixels
  logic [SHARE/2-1:0][PE-1:0][CHAINS-1:0][2*SPACING-1:0] chains;

  if (KIND == DENSE_PUMPED) begin : g_pumped
    kl_dense_products_2x #(
      .SIMD        (SIMD),
      .PE          (PE),
      .ACT_WIDTH   (ACT_WIDTH),
      .ACT_SIGNED  (ACT_SIGNED),
      .WEIGHT_WIDTH(WEIGHT_WIDTH)
    ) u_products (
      .clk    (clk),
      .clk2x  (clk2x),
      .rst_n  (rst_n),
      .weights(weights),
      .pixels (group),
      .sums   (chains)
    );
  end else if (KIND == DENSE_TRIPLE) begin : g_triple
    kl_dense_products_triple #(
      .SIMD        (SIMD),
      .PE          (PE),
      .ACT_WIDTH   (ACT_WIDTH),
      .ACT_SIGNED  (ACT_SIGNED),
      .WEIGHT_WIDTH(WEIGHT_WIDTH)
    ) u_products (
      .clk    (clk),
      .weights(weights),
      .pair   (group),
      .sums   (chains)
    );

    logic unused;
    assign unused = clk2x;
  end else begin : g_single
    kl_dense_products #(
      .SIMD        (SIMD),
      .PE          (PE),
      .ACT_WIDTH   (ACT_WIDTH),
      .ACT_SIGNED  (ACT_SIGNED),
      .WEIGHT_WIDTH(WEIGHT_WIDTH)
    ) u_products (
      .clk    (clk),
      .weights(weights),
      .pair   (group),
      .sums   (chains)
    );

    logic unused;
    assign unused = clk2x;
  end

  // The stages to STAGES - 1: a tree over the chains, for each slot. Node i adds its
  // children 2 * i and 2 * i + 1; the nodes from LEAVES on are the chains, node 1 is the root. The
  // lowest bit of a node is a carry still to be added, the borrow of a chain: a parent adds that of
  // its left child and passes on that of its right.
  logic signed [NODE_WIDTH-1:0] node[SHARE][PE][2*LEAVES], node_next[SHARE][PE][LEAVES];
  logic signed [NODE_WIDTH-1:0] tree[SHARE][PE][LEAVES];

  always_comb begin
    for (int unsigned slot = 0; slot < SHARE; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        for (int unsigned i = 0; i < LEAVES; i++) begin
          node[slot][pe][i]        = tree[slot][pe][i];
          node[slot][pe][LEAVES+i] = '0;
        end
        for (int unsigned i = 0; i < CHAINS; i++) begin
          automatic logic [1:0][SPACING-1:0] chain = chains[slot/2][pe][i];
          automatic logic borrow = KIND != DENSE_TRIPLE && slot % 2 == 1 && chain[0][SPACING-1];
          node[slot][pe][LEAVES+i] = NODE_WIDTH'($signed({chain[slot%2], borrow}));
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
  logic [SHARE-1:0][PE-1:0][ACC_WIDTH-1:0] sums_next;

  always_comb begin
    for (int unsigned slot = 0; slot < SHARE; slot++) begin
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
