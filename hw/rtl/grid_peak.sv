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

module grid_peak #(
  parameter int LANDMARKS = 98,  // of a cell
  parameter int LANES     = 1,   // landmarks of a word, the first least significant
  parameter int CELLS     = 196, // of a frame
  parameter int WIDTH     = 20   // bits of a score, of x and of y, two's complement
) (
  input  wire logic clk,
  input  wire logic rst_n,

  input  wire logic [3*LANES*WIDTH-1:0] s_axis_tdata,
  input  wire logic                     s_axis_tvalid,
  output wire logic                     s_axis_tready,

  output wire logic [3*LANES*WIDTH-1:0] m_axis_tdata,
  output wire logic                     m_axis_tvalid,
  input  wire logic                     m_axis_tready
);

  localparam int FOLDS     = LANES > 0 ? LANDMARKS / LANES : 1;
  localparam int FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int CELL_BITS = CELLS > 1 ? $clog2(CELLS) : 1;
  localparam bit [FOLD_BITS-1:0] LAST_FOLD = FOLD_BITS'(FOLDS - 1);
  localparam bit [CELL_BITS-1:0] LAST_CELL = CELL_BITS'(CELLS - 1);

  if (LANES < 1 || LANDMARKS < 1 || LANDMARKS % LANES != 0) begin : g_illegal_lanes
    $fatal(1, "grid_peak: LANES=%0d does not divide LANDMARKS=%0d", LANES, LANDMARKS);
  end
  if (CELLS < 1 || WIDTH < 1 || CELL_BITS >= WIDTH) begin : g_illegal_width
    $fatal(1, "grid_peak: WIDTH=%0d does not hold the number of each of CELLS=%0d", WIDTH, CELLS);
  end

  typedef struct packed {
    logic signed [WIDTH-1:0] y;
    logic signed [WIDTH-1:0] x;
    logic signed [WIDTH-1:0] score;
  } answer_t;

  typedef struct packed {
    answer_t              answer;
    logic [CELL_BITS-1:0] number;
  } best_t;

  logic [FOLD_BITS-1:0] fold;   // 0..FOLDS-1, the word of the cell
  logic [CELL_BITS-1:0] number; // 0..CELLS-1, the cell
  (* ram_style = "distributed" *)
  best_t [LANES-1:0] memory [0:FOLDS-1];

  wire logic ready;
  wire logic last_cell = number == LAST_CELL;
  wire logic last_fold = fold == LAST_FOLD;
  assign s_axis_tready = ready || !last_cell;
  wire logic accept = s_axis_tvalid && s_axis_tready;

  wire answer_t [LANES-1:0] seen = s_axis_tdata;
  wire best_t   [LANES-1:0] old  = memory[fold];
  best_t        [LANES-1:0] best;
  answer_t      [LANES-1:0] result;
  always_comb begin
    for (int i = 0; i < LANES; i++) begin
      best[i] = old[i];
      if (number == '0 || seen[i].score > old[i].answer.score) best[i] = '{seen[i], number};
      result[i] = best[i].answer;
      result[i].score = WIDTH'(best[i].number);
    end
  end

  always_ff @(posedge clk) if (accept) memory[fold] <= best;

  always_ff @(posedge clk) begin
    if (accept) begin
      fold <= last_fold ? '0 : fold + 1'b1;
      if (last_fold) number <= last_cell ? '0 : number + 1'b1;
    end
    if (!rst_n) begin
      fold   <= '0;
      number <= '0;
    end
  end

  stream_fork #(
    .WIDTH  (3 * LANES * WIDTH),
    .COPIES (1)
  ) u_register (
    .clk,
    .rst_n,
    .s_axis_tdata  (result),
    .s_axis_tvalid (s_axis_tvalid && last_cell),
    .s_axis_tready (ready),
    .m_axis_tdata,
    .m_axis_tvalid,
    .m_axis_tready
  );

endmodule

`default_nettype wire
