// SPDX-License-Identifier: Apache-2.0
//
// Matrix-vector unit: out[p][m] = sum over k of x[p][k] * w[k][m], where each word of weights
// serves a group of SHARE neighbouring pixels p: two, or four with PUMPED, whose DSPs run at clk2x.
//
// s_axis:   for each pixel, MW/SIMD words of SIMD inputs.
// s_weight: for each group of pixels, for each fold of PE outputs, for each word of inputs: PE
//           groups of SIMD weights; the group of the fold's first output is least significant.
// m_axis:   for each pixel, MH/PE words of PE sums.
// Lane 0 is least significant. Groups begin anew with each frame of PIXELS pixels: the last may
// be a part of one, in its first slots. kl_dense_operands holds the inputs, kl_dense_array
// computes, kl_dense_output keeps the sums until they have left.
//
// With N = MW/SIMD and M = MH/PE a group takes max(N * M, SHARE * N, SHARE * M) cycles: the ports
// pass its SHARE * N words in and SHARE * M words out beside the computation of N * M words of
// weights. There are C = ceil(SIMD / 4) chains of L = ceil(SIMD / C) lanes. Latency
// L + ceil(log2(C)) + 6 cycles, with PUMPED floor(L / 2) + ceil(log2(C)) + 7, from the last weight
// of a fold to its sums of the group's first pixel, with TRIPLE ceil(log2(C)) + 9; weights are taken
// from the cycle after the last input of the group.
`default_nettype none

module kl_dense
  import kl_pkg::*;
#(
  parameter int unsigned PIXELS       = 2,   // of a frame
  parameter int unsigned MW           = 4,   // inputs of a pixel
  parameter int unsigned MH           = 4,   // outputs of a pixel
  parameter int unsigned SIMD         = 2,   // inputs in a word, divides MW
  parameter int unsigned PE           = 2,   // outputs in a word, divides MH
  parameter int unsigned ACT_WIDTH    = 8,   // bits of an input, 1..8
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 8,   // signed, 2..8
  parameter int unsigned ACC_WIDTH    = 24,  // bits of a sum, at most 48; must hold every sum
  parameter bit          PUMPED       = 0,
  parameter bit          TRIPLE       = 0    // three outputs in a DSP; not with PUMPED
) (
  input wire logic clk,
  input wire logic clk2x,  // with PUMPED: twice clk, with an edge at each of its edges
  input wire logic rst_n,

  input  wire logic [SIMD*ACT_WIDTH-1:0] s_axis_tdata,
  input  wire logic                      s_axis_tvalid,
  output logic                           s_axis_tready,

  input  wire logic [PE*SIMD*WEIGHT_WIDTH-1:0] s_weight_tdata,
  input  wire logic                            s_weight_tvalid,
  output logic                                 s_weight_tready,

  output logic      [PE*ACC_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  if (PIXELS < 1) begin : g_illegal_pixels
    $fatal(1, "kl_dense: PIXELS=%0d is not positive", PIXELS);
  end
  if (SIMD < 1 || MW < 1 || MW % SIMD != 0) begin : g_illegal_simd
    $fatal(1, "kl_dense: SIMD=%0d does not divide MW=%0d", SIMD, MW);
  end
  if (PE < 1 || MH < 1 || MH % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_dense: PE=%0d does not divide MH=%0d", PE, MH);
  end
  if (ACT_WIDTH < 1 || ACT_WIDTH > 8) begin : g_illegal_act
    $fatal(1, "kl_dense: ACT_WIDTH=%0d is not in 1..8", ACT_WIDTH);
  end
  if (WEIGHT_WIDTH < 2 || WEIGHT_WIDTH > 8) begin : g_illegal_weight
    $fatal(1, "kl_dense: WEIGHT_WIDTH=%0d is not in 2..8", WEIGHT_WIDTH);
  end
  if (ACC_WIDTH < 1 || ACC_WIDTH > 48) begin : g_illegal_acc
    $fatal(1, "kl_dense: ACC_WIDTH=%0d is not in 1..48", ACC_WIDTH);
  end

  if (TRIPLE && (PUMPED || WEIGHT_WIDTH > 4)) begin : g_illegal_triple
    $fatal(
        1,
        "kl_dense: TRIPLE with PUMPED=%0d and WEIGHT_WIDTH=%0d; it needs one clock and 2..4 bits",
        PUMPED,
        WEIGHT_WIDTH
    );
  end

  localparam dense_kind_e KIND = TRIPLE ? DENSE_TRIPLE : PUMPED ? DENSE_PUMPED : DENSE_PAIR;
  localparam int unsigned IN_FOLDS = MW / SIMD;
  localparam int unsigned OUT_FOLDS = MH / PE;
  localparam int unsigned SHARE = PUMPED ? 4 : 2;
  // Sums of one group, and those that come while all its pixels but the last and the first leave
  localparam int unsigned PLACES = OUT_FOLDS + 2 + (dense_stages(
      SIMD, KIND
  ) + 3 + (SHARE - 2) * OUT_FOLDS) / IN_FOLDS;

  // Each word of weights meets one word of each pixel of the group
  logic room;  // for one more word of sums
  logic ready;  // a whole group is there
  logic accept, first, last, done;
  logic [SHARE-1:0][SIMD*ACT_WIDTH-1:0] group;
  logic [SHARE-1:0][PE*ACC_WIDTH-1:0] sums;

  assign s_weight_tready = room && ready;
  assign accept          = s_weight_tvalid && s_weight_tready;

  kl_dense_operands #(
    .WIDTH    (SIMD * ACT_WIDTH),
    .PIXELS   (PIXELS),
    .SHARE    (SHARE),
    .IN_FOLDS (IN_FOLDS),
    .OUT_FOLDS(OUT_FOLDS)
  ) u_operands (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .ready        (ready),
    .take         (accept),
    .first        (first),
    .last         (last),
    .group        (group)
  );

  kl_dense_array #(
    .SIMD        (SIMD),
    .PE          (PE),
    .ACT_WIDTH   (ACT_WIDTH),
    .ACT_SIGNED  (ACT_SIGNED),
    .WEIGHT_WIDTH(WEIGHT_WIDTH),
    .ACC_WIDTH   (ACC_WIDTH),
    .KIND        (KIND)
  ) u_array (
    .clk    (clk),
    .clk2x  (clk2x),
    .rst_n  (rst_n),
    .accept (accept),
    .first  (first),
    .last   (last),
    .weights(s_weight_tdata),
    .group  (group),
    .done   (done),
    .sums   (sums)
  );

  kl_dense_output #(
    .WIDTH    (PE * ACC_WIDTH),
    .PIXELS   (PIXELS),
    .SHARE    (SHARE),
    .OUT_FOLDS(OUT_FOLDS),
    .PLACES   (PLACES)
  ) u_output (
    .clk          (clk),
    .rst_n        (rst_n),
    .room         (room),
    .claim        (accept && last),
    .push         (done),
    .sums         (sums),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
