// SPDX-License-Identifier: Apache-2.0
//
// For each landmark a place between those that the two cells with the largest scores give.
//
// Input: ROWS x COLUMNS x LANDMARKS/PE words, landmarks fastest; a landmark is score, x, y, each of
// WIDTH bits, the score least significant. While the last cell passes, its word f makes result
// word f. The place of a cell is
//   column * step_x + x   and   row * step_y + y.
// The result is
//   place + ((other - place) >>> (1 + min(15, (score - second) >> shift)))
// with place and score of the best cell, and other and second those of the second best. Of equal
// scores the first in raster order is the larger one; a single cell is its own second.
// Step memory: hexadecimal, a word for each of the LANDMARKS/PE words of a cell; per landmark
// {shift, step_y, step_x}, the first landmark least significant, unsigned, each STEP_WIDTH bits.
// Latency 5 cycles, one input word a cycle with no pause between frames; the input stalls only in
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
  parameter int unsigned STEP_WIDTH = 14,  // bits of a step and of a shift, unsigned
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
  localparam int unsigned SIDE_WIDTH = ROW_WIDTH > COLUMN_WIDTH ? ROW_WIDTH : COLUMN_WIDTH;
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
  localparam int unsigned SHIFT_WIDTH = 5;
  localparam int unsigned HALVINGS_WIDTH = 4;
  localparam int unsigned WAY_WIDTH = PLACE_WIDTH + 1;

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

  typedef logic signed [WIDTH-1:0] value_t;
  typedef logic signed [PLACE_WIDTH-1:0] place_t;
  typedef logic signed [WAY_WIDTH-1:0] way_t;
  typedef logic [HALVINGS_WIDTH-1:0] halvings_t;

  typedef struct packed {
    value_t y;
    value_t x;
    value_t score;
  } cell_t;

  typedef struct packed {
    logic [ROW_WIDTH-1:0]    row;
    logic [COLUMN_WIDTH-1:0] column;
    cell_t                   content;
  } found_t;

  typedef found_t [1:0] best_t;  // 0 the best, 1 the second

  // What follows has 0 for the best and for x, 1 for the second and for y
  typedef struct packed {
    logic [WIDTH-1:0]       apart;    // of the two scores
    logic [SHIFT_WIDTH-1:0] shift;
    value_t [1:0][1:0]      offsets;
    place_t [1:0][1:0]      corners;
  } sides_t;

  typedef struct packed {
    halvings_t         halvings;
    place_t [1:0][1:0] places;
  } pair_t;

  typedef struct packed {
    halvings_t    halvings;
    way_t [1:0]   ways;    // from the first to the second
    place_t [1:0] places;  // of the first
  } ways_t;

  // The best cells so far
  logic [FOLD_WIDTH-1:0] fold;  // 0..FOLDS-1, the word of the cell
  logic [COLUMN_WIDTH-1:0] column;  // 0..COLUMNS-1
  logic [ROW_WIDTH-1:0] row;  // 0..ROWS-1
  (* ram_style = "distributed" *)
  best_t [PE-1:0] memory[FOLDS];

  cell_t [PE-1:0] seen;
  best_t [PE-1:0] old, best;
  found_t [PE-1:0] here;
  logic [PE-1:0] better, next;
  logic ready, accept, first_cell, second_cell, last_fold, last_column, last_cell;

  assign first_cell    = row == '0 && column == '0;
  assign second_cell   = COLUMNS > 1 ? row == '0 && 32'(column) == 1 : 32'(row) == 1;
  assign last_fold     = fold == LAST_FOLD;
  assign last_column   = column == LAST_COLUMN;
  assign last_cell     = row == LAST_ROW && last_column;
  assign s_axis_tready = ready || !last_cell;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign seen          = s_axis_tdata;
  assign old           = memory[fold];

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      here[i]   = '{row, column, seen[i]};
      better[i] = first_cell || seen[i].score > old[i][0].content.score;
      next[i]   = first_cell || second_cell || seen[i].score > old[i][1].content.score;
      best[i]   = old[i];
      if (better[i]) best[i][0] = here[i];
      if (better[i] && !first_cell) best[i][1] = old[i][0];
      else if (next[i]) best[i][1] = here[i];
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

  // Their places: products, sums; then the way between them: difference, shift and sum
  (* rom_style = "distributed" *)
  logic [PE-1:0][2:0][STEP_WIDTH-1:0] steps[FOLDS];
  initial $readmemh(STEP_FILE, steps);

  logic [FOLD_WIDTH-1:0] out_fold;  // 0..FOLDS-1, the word of the result
  best_t [PE-1:0] chosen;
  sides_t [PE-1:0] sides, multiplied;
  pair_t [PE-1:0] pairs, placed;
  ways_t [PE-1:0] ways, apart;
  place_t [PE-1:0][1:0] results, moved;
  logic chosen_valid, chosen_ready, multiplied_valid, multiplied_ready;
  logic placed_valid, placed_ready, apart_valid, apart_ready;

  always_ff @(posedge clk) begin
    if (!rst_n) out_fold <= '0;
    else if (chosen_valid && chosen_ready) begin
      out_fold <= out_fold == LAST_FOLD ? '0 : out_fold + 1'b1;
    end
  end

  // A sum of shifted terms, two and two: a factor of a few bits is not worth a DSP
  function automatic place_t corner(input logic [SIDE_WIDTH-1:0] cells,
                                    input logic [STEP_WIDTH-1:0] step);
    logic [STEP_WIDTH+1:0] pair;
    logic [SIDE_WIDTH:0] padded;
    padded = {1'b0, cells};
    corner = '0;
    for (int unsigned low = 0; low < SIDE_WIDTH; low += 2) begin
      pair = (padded[low] ? {2'b0, step} : '0) + (padded[low+1] ? {1'b0, step, 1'b0} : '0);
      corner += PLACE_WIDTH'(pair) << low;
    end
  endfunction

  function automatic halvings_t halvings_of(input logic [WIDTH-1:0] difference,
                                            input logic [SHIFT_WIDTH-1:0] shift);
    logic [WIDTH+HALVINGS_WIDTH-1:0] whole;
    whole = {HALVINGS_WIDTH'(0), difference} >> shift;
    return whole[WIDTH+HALVINGS_WIDTH-1:HALVINGS_WIDTH] == '0 ? whole[HALVINGS_WIDTH-1:0] : '1;
  endfunction

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      sides[i].apart = chosen[i][0].content.score - chosen[i][1].content.score;
      sides[i].shift = SHIFT_WIDTH'(steps[out_fold][i][2]);
      for (int unsigned rank = 0; rank < 2; rank++) begin
        sides[i].offsets[rank] = {chosen[i][rank].content.y, chosen[i][rank].content.x};
        sides[i].corners[rank][0] =
            corner(SIDE_WIDTH'(chosen[i][rank].column), steps[out_fold][i][0]);
        sides[i].corners[rank][1] = corner(SIDE_WIDTH'(chosen[i][rank].row), steps[out_fold][i][1]);
      end
      pairs[i].halvings = halvings_of(multiplied[i].apart, multiplied[i].shift);
      ways[i].halvings  = placed[i].halvings;
      ways[i].places    = placed[i].places[0];
      for (int unsigned axis = 0; axis < 2; axis++) begin
        for (int unsigned rank = 0; rank < 2; rank++) begin
          pairs[i].places[rank][axis] =
              multiplied[i].corners[rank][axis] + PLACE_WIDTH'(multiplied[i].offsets[rank][axis]);
        end
        ways[i].ways[axis] =
            WAY_WIDTH'(placed[i].places[1][axis]) - WAY_WIDTH'(placed[i].places[0][axis]);
        results[i][axis] = apart[i].places[axis] +
            PLACE_WIDTH'((apart[i].ways[axis] >>> 1) >>> apart[i].halvings);
      end
    end
  end

  kl_stream_register #(
    .WIDTH(PE * $bits(best_t))
  ) u_chosen (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (best),
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
    .WIDTH(PE * $bits(pair_t))
  ) u_placed (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (pairs),
    .s_axis_tvalid(multiplied_valid),
    .s_axis_tready(multiplied_ready),
    .m_axis_tdata (placed),
    .m_axis_tvalid(placed_valid),
    .m_axis_tready(placed_ready)
  );

  kl_stream_register #(
    .WIDTH(PE * $bits(ways_t))
  ) u_apart (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (ways),
    .s_axis_tvalid(placed_valid),
    .s_axis_tready(placed_ready),
    .m_axis_tdata (apart),
    .m_axis_tvalid(apart_valid),
    .m_axis_tready(apart_ready)
  );

  kl_stream_register #(
    .WIDTH(2 * PE * PLACE_WIDTH)
  ) u_moved (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (results),
    .s_axis_tvalid(apart_valid),
    .s_axis_tready(apart_ready),
    .m_axis_tdata (moved),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  for (genvar i = 0; i < PE; i++) begin : g_out
    assign m_axis_tdata[2*i*OUT_WIDTH+:OUT_WIDTH]     = OUT_WIDTH'(moved[i][0]);
    assign m_axis_tdata[(2*i+1)*OUT_WIDTH+:OUT_WIDTH] = OUT_WIDTH'(moved[i][1]);
  end

endmodule

`default_nettype wire
