// SPDX-License-Identifier: Apache-2.0
//
// Sum of each channel over the PIXELS pixels of a frame.
//
// Input: PIXELS x CHANNELS/PE words, channels fastest. While the last pixel passes, its word f
// makes result word f: PE sums of ACC_WIDTH bits. Latency 1 cycle, one input word a cycle with
// no pause between frames; the input stalls only in the last pixel, while the output is blocked.
`default_nettype none

module kl_global_acc_pool
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS  = 8,   // of a pixel
  parameter int unsigned PE        = 1,   // lanes of a word, lane 0 least significant
  parameter int unsigned PIXELS    = 49,  // of a frame
  parameter int unsigned IN_WIDTH  = 8,   // bits of an input lane
  parameter bit          SIGNED    = 0,   // inputs and sums are two's complement
  parameter int unsigned ACC_WIDTH = 14   // bits of a sum
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*IN_WIDTH-1:0] s_axis_tdata,
  input  wire logic                   s_axis_tvalid,
  output logic                        s_axis_tready,

  output logic      [PE*ACC_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned FOLDS = PE > 0 ? CHANNELS / PE : 1;
  localparam int unsigned FOLD_WIDTH = idx_width(FOLDS);
  localparam int unsigned PIXEL_WIDTH = idx_width(PIXELS);
  localparam logic [FOLD_WIDTH-1:0] LAST_FOLD = FOLD_WIDTH'(FOLDS - 1);
  localparam logic [PIXEL_WIDTH-1:0] LAST_PIXEL = PIXEL_WIDTH'(PIXELS - 1);
  // largest magnitude of a sum, and the largest that ACC_WIDTH holds
  localparam longint SUM_PEAK = ((64'd1 << (IN_WIDTH - SIGNED)) - !SIGNED) * PIXELS;
  localparam longint ACC_PEAK = (64'd1 << (ACC_WIDTH - SIGNED)) - !SIGNED;

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_global_acc_pool: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (PIXELS < 1 || IN_WIDTH < 1) begin : g_illegal_size
    $fatal(
        1, "kl_global_acc_pool: PIXELS=%0d and IN_WIDTH=%0d must be at least 1", PIXELS, IN_WIDTH
    );
  end
  if (ACC_WIDTH < IN_WIDTH || ACC_WIDTH > 48 || SUM_PEAK > ACC_PEAK) begin : g_illegal_width
    $fatal(
        1,
        "kl_global_acc_pool: ACC_WIDTH=%0d does not hold the sum of PIXELS=%0d of IN_WIDTH=%0d",
        ACC_WIDTH,
        PIXELS,
        IN_WIDTH
    );
  end

  logic [FOLD_WIDTH-1:0] fold;  // 0..FOLDS-1, the word of the pixel
  logic [PIXEL_WIDTH-1:0] pixel;  // 0..PIXELS-1
  (* ram_style = "distributed" *)
  logic [PE*ACC_WIDTH-1:0] sums[FOLDS];

  logic [PE-1:0][IN_WIDTH-1:0] x;
  logic [PE-1:0][ACC_WIDTH-1:0] old, sum;
  logic ready, accept, last_pixel, last_fold;

  assign last_pixel    = pixel == LAST_PIXEL;
  assign last_fold     = fold == LAST_FOLD;
  assign s_axis_tready = ready || !last_pixel;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign x             = s_axis_tdata;
  assign old           = pixel == '0 ? '0 : sums[fold];

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      sum[i] = SIGNED ? old[i] + ACC_WIDTH'(signed'(x[i])) : old[i] + ACC_WIDTH'(x[i]);
    end
  end

  always_ff @(posedge clk) if (accept) sums[fold] <= sum;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold  <= '0;
      pixel <= '0;
    end else if (accept) begin
      fold <= last_fold ? '0 : fold + 1'b1;
      if (last_fold) pixel <= last_pixel ? '0 : pixel + 1'b1;
    end
  end

  kl_stream_register #(
    .WIDTH(PE * ACC_WIDTH)
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (sum),
    .s_axis_tvalid(s_axis_tvalid && last_pixel),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
