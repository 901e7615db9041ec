// SPDX-License-Identifier: Apache-2.0
//
// For each landmark the place that the cell with the largest score gives.
//
// Input: ROWS x COLUMNS x LANDMARKS/PE words, landmarks fastest; a landmark is score, x, y, each of
// WIDTH bits, the score least significant. While the last cell passes, its word f makes result
// word f: of each landmark
//   column * step_x + x   and   row * step_y + y
// of its best cell, the first in raster order where several have the largest score.
// Step memory: hexadecimal, a word for each of the LANDMARKS/PE words of a cell; per landmark
// {step_y, step_x}, the first landmark least significant, unsigned.
// Latency 3 cycles, one input word a cycle with no pause between frames; the input stalls only in
// the last cell, while the output is blocked.
`default_nettype none

module kl_grid_peak
  import kl_pkg::*;
#(
  parameter int unsigned LANDMARKS  = 98,  // of a cell
  parameter int unsigned PE         = 1,   // landmarks of a word, the first least significant
  parameter int unsigned ROWS       = 14,  // of cells
  parameter int unsigned COLUMNS    = 14,  // cells of a row
  parameter int unsigned WIDTH      = 20,  // bits of a score, of x and of y, two's complement
  parameter int unsigned STEP_WIDTH = 14,  // bits of a step, unsigned
  parameter int unsigned OUT_WIDTH  = 21,  // bits of a place, two's complement
  parameter              STEP_FILE  = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [3*PE*WIDTH-1:0] s_axis_tdata,
  input  wire logic                  s_axis_tvalid,
  output logic                       s_axis_tready,

  output logic      [2*PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                           m_axis_tvalid,
  input  wire logic                      m_axis_tready
);

  localparam int unsigned FOLDS = PE > 0 ? LANDMARKS / PE : 1;
  localparam int unsigned FOLD_WIDTH = idx_width(FOLDS);
  localparam int unsigned ROW_WIDTH = idx_width(ROWS);
  localparam int unsigned COLUMN_WIDTH = idx_width(COLUMNS);
  localparam logic [FOLD_WIDTH-1:0] LAST_FOLD = FOLD_WIDTH'(FOLDS - 1);
  localparam logic [ROW_WIDTH-1:0] LAST_ROW = ROW_WIDTH'(ROWS - 1);
  localparam logic [COLUMN_WIDTH-1:0] LAST_COLUMN = COLUMN_WIDTH'(COLUMNS - 1);
  // Largest place, and the largest that OUT_WIDTH holds
  localparam longint SIDE = ROWS > COLUMNS ? longint'(ROWS) : longint'(COLUMNS);
  localparam longint LARGEST_STEP = (64'd1 << STEP_WIDTH) - 1;
  localparam longint LARGEST_OFFSET = (64'd1 << (WIDTH - 1)) - 1;
  localparam longint PLACE_PEAK = (SIDE - 1) * LARGEST_STEP + LARGEST_OFFSET;
  localparam longint OUT_PEAK = (64'd1 << (OUT_WIDTH - 1)) - 1;
  localparam int unsigned PLACE_WIDTH = $clog2(PLACE_PEAK + 1) + 1;  // the rest is sign

  if (PE < 1 || LANDMARKS < 1 || LANDMARKS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_grid_peak: PE=%0d does not divide LANDMARKS=%0d", PE, LANDMARKS);
  end
  if (ROWS < 1 || COLUMNS < 1 || WIDTH < 2 || STEP_WIDTH < 1) begin : g_illegal_size
    $fatal(
        1,
        "kl_grid_peak: ROWS=%0d, COLUMNS=%0d and STEP_WIDTH=%0d must be at least 1, WIDTH=%0d 2",
        ROWS,
        COLUMNS,
        STEP_WIDTH,
        WIDTH
    );
  end
  if (OUT_WIDTH < WIDTH || OUT_WIDTH > 48 || PLACE_PEAK > OUT_PEAK) begin : g_illegal_width
    $fatal(
        1,
        "kl_grid_peak: OUT_WIDTH=%0d does not hold a place of %0d steps of %0d bits and WIDTH=%0d",
        OUT_WIDTH,
        SIDE - 1,
        STEP_WIDTH,
        WIDTH
    );
  end
  if (STEP_FILE == "") begin : g_illegal_file
    $fatal(1, "kl_grid_peak: STEP_FILE is empty; name the memory image");
  end

  typedef struct packed {
    logic signed [WIDTH-1:0] y;
    logic signed [WIDTH-1:0] x;
    logic signed [WIDTH-1:0] score;
  } cell_t;

  typedef struct packed {
    logic [ROW_WIDTH-1:0]    row;
    logic [COLUMN_WIDTH-1:0] column;
    logic signed [WIDTH-1:0] y;
    logic signed [WIDTH-1:0] x;
  } answer_t;

  typedef struct packed {
    answer_t                 answer;
    logic signed [WIDTH-1:0] score;
  } best_t;

  typedef struct packed {
    logic signed [PLACE_WIDTH-1:0] corner_y;
    logic signed [PLACE_WIDTH-1:0] corner_x;
    logic signed [WIDTH-1:0]       y;
    logic signed [WIDTH-1:0]       x;
  } sides_t;

  // The best cells so far
  logic [FOLD_WIDTH-1:0] fold;  // 0..FOLDS-1, the word of the cell
  logic [COLUMN_WIDTH-1:0] column;  // 0..COLUMNS-1
  logic [ROW_WIDTH-1:0] row;  // 0..ROWS-1
  (* ram_style = "distributed" *)
  best_t [PE-1:0] memory[FOLDS];

  cell_t [PE-1:0] seen;
  best_t [PE-1:0] old, best;
  answer_t [PE-1:0] answer;
  logic ready, accept, first_cell, last_fold, last_column, last_cell;

  assign first_cell    = row == '0 && column == '0;
  assign last_fold     = fold == LAST_FOLD;
  assign last_column   = column == LAST_COLUMN;
  assign last_cell     = row == LAST_ROW && last_column;
  assign s_axis_tready = ready || !last_cell;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign seen          = s_axis_tdata;
  assign old           = memory[fold];

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      best[i] = old[i];
      if (first_cell || seen[i].score > old[i].score) begin
        best[i] = '{'{row, column, seen[i].y, seen[i].x}, seen[i].score};
      end
      answer[i] = best[i].answer;
    end
  end

  always_ff @(posedge clk) if (accept) memory[fold] <= best;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold   <= '0;
      column <= '0;
      row    <= '0;
    end else if (accept) begin
      fold <= last_fold ? '0 : fold + 1'b1;
      if (last_fold) column <= last_column ? '0 : column + 1'b1;
      if (last_fold && last_column) row <= last_cell ? '0 : row + 1'b1;
    end
  end

  // Their places: product, then sum
  (* rom_style = "distributed" *)
  logic [PE-1:0][1:0][STEP_WIDTH-1:0] steps[FOLDS];
  initial $readmemh(STEP_FILE, steps);

  logic [FOLD_WIDTH-1:0] out_fold;  // 0..FOLDS-1, the word of the result
  answer_t [PE-1:0] chosen;
  sides_t [PE-1:0] sides, multiplied;
  logic chosen_valid, chosen_ready, multiplied_valid, multiplied_ready;
  logic [PE-1:0][1:0][PLACE_WIDTH-1:0] places, placed;

  always_ff @(posedge clk) begin
    if (!rst_n) out_fold <= '0;
    else if (chosen_valid && chosen_ready) begin
      out_fold <= out_fold == LAST_FOLD ? '0 : out_fold + 1'b1;
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      sides[i].corner_x = PLACE_WIDTH'(chosen[i].column) * PLACE_WIDTH'(steps[out_fold][i][0]);
      sides[i].corner_y = PLACE_WIDTH'(chosen[i].row) * PLACE_WIDTH'(steps[out_fold][i][1]);
      sides[i].x        = chosen[i].x;
      sides[i].y        = chosen[i].y;
      places[i][0]      = multiplied[i].corner_x + PLACE_WIDTH'(multiplied[i].x);
      places[i][1]      = multiplied[i].corner_y + PLACE_WIDTH'(multiplied[i].y);
    end
  end

  kl_stream_register #(
    .WIDTH(PE * $bits(answer_t))
  ) u_chosen (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (answer),
    .s_axis_tvalid(s_axis_tvalid && last_cell),
    .s_axis_tready(ready),
    .m_axis_tdata (chosen),
    .m_axis_tvalid(chosen_valid),
    .m_axis_tready(chosen_ready)
  );

  kl_stream_register #(
    .WIDTH(PE * $bits(sides_t))
  ) u_multiplied (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (sides),
    .s_axis_tvalid(chosen_valid),
    .s_axis_tready(chosen_ready),
    .m_axis_tdata (multiplied),
    .m_axis_tvalid(multiplied_valid),
    .m_axis_tready(multiplied_ready)
  );

  kl_stream_register #(
    .WIDTH(2 * PE * PLACE_WIDTH)
  ) u_placed (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (places),
    .s_axis_tvalid(multiplied_valid),
    .s_axis_tready(multiplied_ready),
    .m_axis_tdata (placed),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  for (genvar i = 0; i < PE; i++) begin : g_out
    assign m_axis_tdata[2*i*OUT_WIDTH+:OUT_WIDTH]     = OUT_WIDTH'(signed'(placed[i][0]));
    assign m_axis_tdata[(2*i+1)*OUT_WIDTH+:OUT_WIDTH] = OUT_WIDTH'(signed'(placed[i][1]));
  end

endmodule

`default_nettype wire
