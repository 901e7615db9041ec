// SPDX-License-Identifier: Apache-2.0
//
// Every pixel becomes a block of SCALE_Y times SCALE_X pixels: of itself again, which is nearest
// upsampling, or with ZEROS of itself and then zeros, which a transposed convolution goes over.
//
// Stream: NHWC, FOLDS words a pixel, COLUMNS pixels a row. A word is taken while its pixel is given
// for the first time, and kept in a memory of one row for the other times, if there are any.
// Latency 1 cycle, one word a cycle at the output.
`default_nettype none

module kl_upsample
  import kl_pkg::*;
#(
  parameter int unsigned PE      = 1,  // lanes of a word, lane 0 least significant
  parameter int unsigned WIDTH   = 8,  // bits of an element
  parameter int unsigned FOLDS   = 1,  // words of a pixel
  parameter int unsigned COLUMNS = 4,  // pixels of a row
  parameter int unsigned SCALE_Y = 2,  // rows that a row becomes
  parameter int unsigned SCALE_X = 2,  // pixels that a pixel becomes in a row
  parameter bit          ZEROS   = 0   // 1: zeros in all places of a block but the first
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*WIDTH-1:0] s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,

  output logic      [PE*WIDTH-1:0] m_axis_tdata,
  output logic                     m_axis_tvalid,
  input  wire logic                m_axis_tready
);

  if (PE < 1 || WIDTH < 1 || FOLDS < 1 || COLUMNS < 1) begin : g_illegal_size
    $fatal(
        1,
        "kl_upsample: PE=%0d, WIDTH=%0d, FOLDS=%0d and COLUMNS=%0d must be at least 1",
        PE,
        WIDTH,
        FOLDS,
        COLUMNS
    );
  end
  if (SCALE_Y < 1 || SCALE_X < 1) begin : g_illegal_scale
    $fatal(1, "kl_upsample: SCALE_Y=%0d and SCALE_X=%0d must be at least 1", SCALE_Y, SCALE_X);
  end

  localparam int unsigned WORDS = COLUMNS * FOLDS;
  localparam int unsigned ADDRESS_WIDTH = idx_width(WORDS);
  localparam int unsigned FOLD_WIDTH = idx_width(FOLDS);
  localparam int unsigned X_WIDTH = idx_width(SCALE_X);
  localparam int unsigned Y_WIDTH = idx_width(SCALE_Y);

  logic [ADDRESS_WIDTH-1:0] address, pixel;  // 0..WORDS-1: of the word, of its pixel's first
  logic [FOLD_WIDTH-1:0] fold;  // 0..FOLDS-1
  logic [X_WIDTH-1:0] again_x;  // 0..SCALE_X-1
  logic [Y_WIDTH-1:0] again_y;  // 0..SCALE_Y-1
  logic fresh, offer, ready, step, last_fold, last_x, last_word;

  assign fresh         = again_x == '0 && again_y == '0;
  assign offer         = s_axis_tvalid || !fresh;
  assign step          = offer && ready;
  assign s_axis_tready = ready && fresh;
  assign last_fold     = fold == FOLD_WIDTH'(FOLDS - 1);
  assign last_x        = last_fold && again_x == X_WIDTH'(SCALE_X - 1);
  assign last_word     = last_x && address == ADDRESS_WIDTH'(WORDS - 1);

  logic [PE*WIDTH-1:0] again;  // what stands in the other places

  if (ZEROS) begin : g_zeros
    assign again = '0;
  end else begin : g_row
    (* ram_style = "distributed" *)
    logic [PE*WIDTH-1:0] row[WORDS];

    always_ff @(posedge clk) if (step && fresh) row[address] <= s_axis_tdata;
    assign again = row[address];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      address <= '0;
      pixel   <= '0;
      fold    <= '0;
      again_x <= '0;
      again_y <= '0;
    end else if (step) begin
      fold <= last_fold ? '0 : fold + 1'b1;
      if (last_fold) again_x <= last_x ? '0 : again_x + 1'b1;
      if (last_word) again_y <= again_y == Y_WIDTH'(SCALE_Y - 1) ? '0 : again_y + 1'b1;
      if (last_x) pixel <= last_word ? '0 : address + 1'b1;
      if (last_word) address <= '0;
      else if (last_fold && !last_x) address <= pixel;
      else address <= address + 1'b1;
    end
  end

  kl_stream_register #(
    .WIDTH(PE * WIDTH)
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (fresh ? s_axis_tdata : again),
    .s_axis_tvalid(offer),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
