// SPDX-License-Identifier: Apache-2.0
//
// Multipliers of kl_dense_array for four pixels: the chains of DSPs at twice the fabric's clock, the
// pair 0 in the first half of a cycle of `clk`, the pair 1 in the second, both with one word of
// weights.
//
// dense_product_stages(SIMD, DENSE_PUMPED) cycles of `clk` after the words of weights and pixels their sums of
// each chain are on `sums`, both pairs at once.
//
// Clocks: `clk2x` has twice the frequency of `clk`, and every edge of `clk` is one of `clk2x`: two
// outputs of one MMCM. A tick is a cycle of `clk2x`, an even tick is also an edge of `clk`. Nothing
// decides at `clk2x`: it has data registers only, which go on at every tick, and `half`, which says
// whether the coming tick is even. It comes from `phase`, a register that turns over at every
// edge of `clk`, compared with its value a tick ago: after an even tick they differ, after an odd one
// they agree. So no clock is read as a signal and the halves follow even after a disturbance.
//
// Crossings are between synchronous clocks, timed by the tools as any path, over one tick at
// least: weights and operands change at even ticks and are taken at the two ticks after, the
// sums of pair 0 wait a tick in `held` and cross at the even tick with those of pair 1. There is
// logic at one crossing only, the choice of the pair, a LUT before a register.
//
// Lane j of a chain works SHIFT + j ticks after the words came: every other tick is a register of
// `clk` before the DSP, an odd one a second register of A, where even lanes have one of B. SHIFT = 1
// where LENGTH is even lets the sums of pair 1 come at an odd tick.
`default_nettype none

module kl_dense_products_2x
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
  input wire logic clk2x,
  input wire logic rst_n,

  input wire logic [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] weights,
  input wire logic [   3:0][SIMD-1:0][   ACT_WIDTH-1:0] pixels,

  output logic [1:0][PE-1:0][CHAINS-1:0][35:0] sums  // of both pairs
);

  localparam int unsigned LENGTH = dense_length(SIMD);
  localparam int unsigned LEAD = CHAINS * LENGTH - SIMD;  // places left empty in the first chain
  localparam int unsigned SHIFT = LENGTH % 2 == 0 ? 1 : 0;
  localparam int unsigned X_STAGES = 1 + (LENGTH - 1 + SHIFT) / 2;
  localparam int unsigned W_STAGES = 1 + (LENGTH + SHIFT) / 2;
  localparam int unsigned A_WIDTH = 27;
  localparam int unsigned M_WIDTH = A_WIDTH + WEIGHT_WIDTH;
  localparam int unsigned P_WIDTH = 36;

  // Of `clk`: operands of both pairs, and weights
  logic [1:0][SIMD-1:0][A_WIDTH-1:0] x_next;
  (* shreg_extract = "no" *)
  logic [X_STAGES:1][1:0][SIMD-1:0][A_WIDTH-1:0] x;
  (* shreg_extract = "no" *)
  logic [W_STAGES:1][PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w;

  always_comb begin
    for (int unsigned pair = 0; pair < 2; pair++) begin
      for (int unsigned lane = 0; lane < SIMD; lane++) begin
        automatic logic [ACT_WIDTH-1:0] x0 = pixels[2*pair][lane];
        automatic logic [ACT_WIDTH-1:0] x1 = pixels[2*pair+1][lane];
        x_next[pair][lane] = dense_operand(
          9'($signed(
              {ACT_SIGNED && x1[ACT_WIDTH-1], x1}
          )),
          9'($signed(
              {ACT_SIGNED && x0[ACT_WIDTH-1], x0}))
        );
      end
    end
  end

  always_ff @(posedge clk) begin
    x[1] <= x_next;
    w[1] <= weights;
    for (int unsigned i = 2; i <= X_STAGES; i++) x[i] <= x[i-1];
    for (int unsigned i = 2; i <= W_STAGES; i++) w[i] <= w[i-1];
  end

  logic phase, phase_before;

  always_ff @(posedge clk) begin
    if (!rst_n) phase <= 1'b0;
    else phase <= !phase;
  end

  always_ff @(posedge clk2x) phase_before <= phase;

  // Of `clk2x`: the DSPs
  (* use_dsp = "yes" *)
  logic signed [P_WIDTH-1:0] p[PE][SIMD];

  for (genvar lane = 0; lane < int'(SIMD); lane++) begin : g_lane
    localparam int unsigned PLACE = (lane + LEAD) % LENGTH;
    localparam int unsigned SKEW = PLACE + SHIFT;
    localparam bit ODD = SKEW % 2 == 1;

    (* keep = "true" *)
    logic half;  // the coming tick is even: a register for each lane, as it reaches a whole operand
    logic signed [A_WIDTH-1:0] chosen, waiting, a;

    always_ff @(posedge clk2x) begin
      half    <= phase ^ phase_before;
      chosen  <= x[1+SKEW/2][half][lane];
      waiting <= chosen;
      a       <= ODD ? waiting : chosen;
    end

    for (genvar pe = 0; pe < int'(PE); pe++) begin : g_pe
      logic signed [WEIGHT_WIDTH-1:0] fresh, b;
      (* use_dsp = "yes" *)
      logic signed [M_WIDTH-1:0] m;

      always_ff @(posedge clk2x) begin
        fresh <= $signed(w[1+(SKEW+1)/2][pe][lane]);
        b     <= ODD ? $signed(w[1+(SKEW+1)/2][pe][lane]) : fresh;
        m     <= M_WIDTH'(a) * M_WIDTH'(b);
      end

      if (lane > 0 && PLACE > 0) begin : g_next
        always_ff @(posedge clk2x) p[pe][lane] <= P_WIDTH'(m) + p[pe][lane-1];
      end else begin : g_first
        always_ff @(posedge clk2x) p[pe][lane] <= P_WIDTH'(m);
      end
    end
  end

  // Back to `clk`
  logic [PE-1:0][CHAINS-1:0][P_WIDTH-1:0] ends, held;

  always_comb begin
    for (int unsigned pe = 0; pe < PE; pe++) begin
      for (int unsigned i = 0; i < CHAINS; i++) ends[pe][i] = p[pe][(i+1)*LENGTH-1-LEAD];
    end
  end

  always_ff @(posedge clk2x) held <= ends;
  always_ff @(posedge clk) sums <= {ends, held};

endmodule

`default_nettype wire
