// SPDX-License-Identifier: Apache-2.0
//
// kl_dense_products_2x with both clocks: whatever words come, in every cycle of `clk` the sums are
// those of the words of so many cycles before, both pairs of pixels with the same weights. So no
// half is taken for the other at a crossing, from any state of the registers on.
//
// A step of the proof is half a cycle of clk2x: both clocks rise together, two steps later clk2x
// rises and clk falls. Words change with clk alone.
`default_nettype none

module dense_products_2x
  import kl_pkg::*;
#(
  parameter int unsigned SIMD         = 1,
  parameter int unsigned PE           = 1,
  parameter int unsigned ACT_WIDTH    = 1,
  parameter int unsigned WEIGHT_WIDTH = 2
) (
  input wire logic                                      clk,      // a step
  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   3:0][SIMD-1:0][   ACT_WIDTH-1:0] pixels
);

  localparam int unsigned STAGES = dense_product_stages(SIMD, DENSE_PUMPED);
  localparam int unsigned CHAINS = dense_chains(SIMD);
  localparam int unsigned LENGTH = dense_length(SIMD);

  typedef logic [1:0][PE-1:0][CHAINS-1:0][35:0] sums_t;

  logic past = 1'b0;
  logic clk_2x = 1'b0, clk_1x_late = 1'b0;  // a step behind clk_1x
  logic clk_1x, rises;
  logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w;
  logic [3:0][SIMD-1:0][ACT_WIDTH-1:0] x;
  sums_t sums, expected;
  sums_t [STAGES-1:0] history;  // expected of the cycles that were
  logic [4:0] cycles;  // that were, at most STAGES and the two in which `half` finds its place

  assign clk_1x = clk_2x ? !clk_1x_late : clk_1x_late;
  assign rises  = !clk_2x && !clk_1x_late;  // clk, and clk2x, at the end of this step

  always_ff @(posedge clk) begin
    past        <= 1'b1;
    clk_2x      <= !clk_2x;
    clk_1x_late <= clk_1x;
    if (rises) begin  // clk rises: the words are taken, the next ones come
      w       <= weights;
      x       <= pixels;
      history <= {history[STAGES-2:0], expected};
      if (32'(cycles) != STAGES + 2) cycles <= cycles + 1'b1;
    end
    if (!past) cycles <= '0;
  end

  // Each chain's sum of both pairs
  always_comb begin
    expected = '0;
    for (int unsigned pair = 0; pair < 2; pair++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        for (int unsigned lane = 0; lane < SIMD; lane++) begin
          automatic int unsigned chain = (lane + CHAINS * LENGTH - SIMD) / LENGTH;
          automatic logic signed [8:0] x0 = 9'(x[2*pair][lane]);
          automatic logic signed [8:0] x1 = 9'(x[2*pair+1][lane]);
          expected[pair][pe][chain] = expected[pair][pe][chain] +
              36'($signed(dense_operand(x1, x0)) * 36'($signed(w[pe][lane])));
        end
      end
    end
  end

  kl_dense_products_2x #(
    .SIMD        (SIMD),
    .PE          (PE),
    .ACT_WIDTH   (ACT_WIDTH),
    .ACT_SIGNED  (1'b0),
    .WEIGHT_WIDTH(WEIGHT_WIDTH)
  ) u_dut (
    .clk    (clk_1x),
    .clk2x  (clk_2x),
    .rst_n  (1'b1),
    .weights(w),
    .pixels (x),
    .sums   (sums)
  );

  always_comb begin
    if (past && 32'(cycles) == STAGES + 2 && rises) assert (sums == history[STAGES-1]);
  end

endmodule

`default_nettype wire
