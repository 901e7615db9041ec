// SPDX-License-Identifier: Apache-2.0
//
// kl_dense_products_triple: in every cycle the sums of each output are those of the words of six
// cycles before, both pixels by themselves: no field of a DSP borrows from the next, whatever the
// weights and inputs are.
`default_nettype none

module dense_products_triple
  import kl_pkg::*;
#(
  parameter int unsigned SIMD         = 1,
  parameter int unsigned PE           = 3,
  parameter int unsigned ACT_WIDTH    = 8,
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 4
) (
  input wire logic                                      clk,
  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   1:0][SIMD-1:0][   ACT_WIDTH-1:0] pair
);

  localparam int unsigned STAGES = 6;
  localparam int unsigned CHAINS = dense_chains(SIMD);

  typedef logic [PE-1:0][CHAINS-1:0][1:0][17:0] sums_t;

  logic [PE-1:0][CHAINS-1:0][35:0] sums;
  sums_t expected;
  sums_t [STAGES-1:0] history;
  logic [2:0] cycles = '0;  // that were, at most STAGES

  kl_dense_products_triple #(
    .SIMD        (SIMD),
    .PE          (PE),
    .ACT_WIDTH   (ACT_WIDTH),
    .ACT_SIGNED  (ACT_SIGNED),
    .WEIGHT_WIDTH(WEIGHT_WIDTH)
  ) u_dut (
    .clk    (clk),
    .weights(weights),
    .pair   (pair),
    .sums   (sums)
  );

  always_comb begin
    expected = '0;
    for (int unsigned slot = 0; slot < 2; slot++) begin
      for (int unsigned pe = 0; pe < PE; pe++) begin
        for (int unsigned lane = 0; lane < SIMD; lane++) begin
          automatic logic [ACT_WIDTH-1:0] x = pair[slot][lane];
          expected[pe][lane/4][slot] = expected[pe][lane/4][slot] + 18'(
              $signed(weights[pe][lane])) * 18'($signed({!ACT_SIGNED ? 1'b0 : x[ACT_WIDTH-1], x}));
        end
      end
    end
  end

  always_ff @(posedge clk) begin
    history <= {history[STAGES-2:0], expected};
    if (32'(cycles) != STAGES) cycles <= cycles + 1'b1;
  end

  always_comb if (32'(cycles) == STAGES) assert (sums == history[STAGES-1]);

endmodule

`default_nettype wire
