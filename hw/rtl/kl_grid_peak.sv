// SPDX-License-Identifier: Apache-2.0
//
// For each landmark the cell with the largest score, and what that cell says of the place.
//
// Input: CELLS x LANDMARKS/LANES words, landmarks fastest; a landmark is score, x, y, each of
// WIDTH bits, the score least significant. While the last cell passes, its word f makes result
// word f: the number of the best cell in place of the score, and that cell's x and y. Of equal
// scores the first wins. Latency 1 cycle, one input word a cycle with no pause between frames; the
// input stalls only in the last cell, while the output is blocked.
`default_nettype none

module kl_grid_peak
  import kl_pkg::*;
#(
  parameter int unsigned LANDMARKS = 98,   // of a cell
  parameter int unsigned LANES     = 1,    // landmarks of a word, the first least significant
  parameter int unsigned CELLS     = 196,  // of a frame
  parameter int unsigned WIDTH     = 20    // bits of a score, of x and of y, two's complement
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [3*LANES*WIDTH-1:0] s_axis_tdata,
  input  wire logic                     s_axis_tvalid,
  output logic                          s_axis_tready,

  output logic      [3*LANES*WIDTH-1:0] m_axis_tdata,
  output logic                          m_axis_tvalid,
  input  wire logic                     m_axis_tready
);

  localparam int unsigned FOLDS = LANES > 0 ? LANDMARKS / LANES : 1;
  localparam int unsigned FOLD_WIDTH = idx_width(FOLDS);
  localparam int unsigned CELL_WIDTH = idx_width(CELLS);
  localparam logic [FOLD_WIDTH-1:0] LAST_FOLD = FOLD_WIDTH'(FOLDS - 1);
  localparam logic [CELL_WIDTH-1:0] LAST_CELL = CELL_WIDTH'(CELLS - 1);

  if (LANES < 1 || LANDMARKS < 1 || LANDMARKS % LANES != 0) begin : g_illegal_lanes
    $fatal(1, "kl_grid_peak: LANES=%0d does not divide LANDMARKS=%0d", LANES, LANDMARKS);
  end
  if (CELLS < 1 || WIDTH < 1 || CELL_WIDTH >= WIDTH) begin : g_illegal_width
    $fatal(
        1, "kl_grid_peak: WIDTH=%0d does not hold the number of each of CELLS=%0d", WIDTH, CELLS
    );
  end

  typedef struct packed {
    logic signed [WIDTH-1:0] y;
    logic signed [WIDTH-1:0] x;
    logic signed [WIDTH-1:0] score;
  } answer_t;

  typedef struct packed {
    answer_t               answer;
    logic [CELL_WIDTH-1:0] number;
  } best_t;

  logic [FOLD_WIDTH-1:0] fold;  // 0..FOLDS-1, the word of the cell
  logic [CELL_WIDTH-1:0] number;  // 0..CELLS-1, the cell
  (* ram_style = "distributed" *)
  best_t [LANES-1:0] memory[FOLDS];

  answer_t [LANES-1:0] seen, result;
  best_t [LANES-1:0] old, best;
  logic ready, accept, last_cell, last_fold;

  assign last_cell     = number == LAST_CELL;
  assign last_fold     = fold == LAST_FOLD;
  assign s_axis_tready = ready || !last_cell;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign seen          = s_axis_tdata;
  assign old           = memory[fold];

  always_comb begin
    for (int unsigned i = 0; i < LANES; i++) begin
      best[i] = old[i];
      if (number == '0 || seen[i].score > old[i].answer.score) best[i] = '{seen[i], number};
      result[i]       = best[i].answer;
      result[i].score = WIDTH'(best[i].number);
    end
  end

  always_ff @(posedge clk) if (accept) memory[fold] <= best;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold   <= '0;
      number <= '0;
    end else if (accept) begin
      fold <= last_fold ? '0 : fold + 1'b1;
      if (last_fold) number <= last_cell ? '0 : number + 1'b1;
    end
  end

  kl_stream_register #(
    .WIDTH(3 * LANES * WIDTH)
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (result),
    .s_axis_tvalid(s_axis_tvalid && last_cell),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
