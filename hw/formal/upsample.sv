// SPDX-License-Identifier: Apache-2.0
//
// kl_upsample: words are taken in their pixels' first places only, and stand in all others, or
// zeros do; they come out in that order; offers stay; no hang.
`default_nettype none

module upsample #(
  parameter int unsigned WIDTH   = 3,
  parameter int unsigned FOLDS   = 2,
  parameter int unsigned COLUMNS = 2,
  parameter int unsigned SCALE_Y = 2,
  parameter int unsigned SCALE_X = 3,
  parameter bit          ZEROS   = 0
) (
  input wire logic             clk,
  input wire logic [WIDTH-1:0] s_tdata,
  input wire logic             s_tvalid,
  input wire logic             m_tready,
  input wire logic             pick,
  input wire logic [      3:0] spot_any   // free
);

  localparam int unsigned WORDS = COLUMNS * FOLDS;

  logic past = 1'b0;
  logic s_tready, m_tvalid, picked, take, put, first, last_x, last_column, seen;
  logic [WIDTH-1:0] m_tdata, word, entering, kept;
  logic [1:0] held, ahead;
  logic [3:0] fold, x, column, y;  // place of the next word
  logic [3:0] spot;  // any address of a row, always the same
  logic known;  // a word was taken there, the last one is `kept`

  kl_upsample #(
    .PE     (1),
    .WIDTH  (WIDTH),
    .FOLDS  (FOLDS),
    .COLUMNS(COLUMNS),
    .SCALE_Y(SCALE_Y),
    .SCALE_X(SCALE_X),
    .ZEROS  (ZEROS)
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .s_axis_tdata (s_tdata),
    .s_axis_tvalid(s_tvalid),
    .s_axis_tready(s_tready),
    .m_axis_tdata (m_tdata),
    .m_axis_tvalid(m_tvalid),
    .m_axis_tready(m_tready)
  );

  assign take        = past && s_tvalid && s_tready;
  assign put         = past && u_dut.step;
  assign entering    = u_dut.u_register.s_axis_tdata;
  assign first       = x == '0 && y == '0;
  assign last_x      = 32'(fold) == FOLDS - 1 && 32'(x) == SCALE_X - 1;
  assign last_column = last_x && 32'(column) == COLUMNS - 1;
  assign seen        = 32'(column * FOLDS + fold) == 32'(spot);

  always_ff @(posedge clk) begin
    past <= 1'b1;
    if (!past) begin
      {fold, x, column, y} <= '0;
      spot                 <= spot_any;
      known                <= 1'b0;
    end else begin
      if (put) begin
        fold <= 32'(fold) == FOLDS - 1 ? '0 : fold + 1'b1;
        if (32'(fold) == FOLDS - 1) x <= last_x ? '0 : x + 1'b1;
        if (last_x) column <= last_column ? '0 : column + 1'b1;
        if (last_column) y <= 32'(y) == SCALE_Y - 1 ? '0 : y + 1'b1;
      end
      if (take && seen) begin
        known <= 1'b1;
        kept  <= s_tdata;
      end
    end
  end

  f_stable #(
    .WIDTH(WIDTH)
  ) u_stable (
    .clk   (clk),
    .past  (past),
    .tdata (m_tdata),
    .tvalid(m_tvalid),
    .tready(m_tready)
  );

  f_track #(
    .WIDTH(WIDTH),
    .HOLDS(2)
  ) u_track (
    .clk     (clk),
    .past    (past),
    .pick    (pick),
    .put     (put),
    .put_word(entering),
    .get     (past && m_tvalid && m_tready),
    .get_word(m_tdata),
    .held    (held),
    .picked  (picked),
    .ahead   (ahead),
    .word    (word)
  );

  always_comb begin
    if (past) begin
      // The place is that of the module's own counters
      assert (32'(fold) < FOLDS && 32'(x) < SCALE_X);
      assert (32'(column) < COLUMNS && 32'(y) < SCALE_Y);
      assert (32'(u_dut.fold) == 32'(fold) && 32'(u_dut.again_x) == 32'(x));
      assert (32'(u_dut.again_y) == 32'(y));
      assert (32'(u_dut.address) == column * FOLDS + fold);
      assert (32'(u_dut.pixel) == column * FOLDS);

      // A word goes in where it comes for the first time, and stands in the other places
      assert (take == (put && first));
      if (put && first) assert (entering == s_tdata);
      if (put && !first && ZEROS) assert (entering == '0);
      if (put && !first && !ZEROS && seen) assert (known && entering == kept);
      if (32'(spot) < WORDS) begin
        if (y != '0 || 32'(spot) < column * FOLDS) assert (known);
        if (32'(spot) < column * FOLDS + (x != '0 ? FOLDS : 32'(fold))) assert (known);
      end

      // The register behind it
      assert (32'(held) == 32'(m_tvalid) + 32'(u_dut.u_register.spare_valid));
      if (picked) assert ((ahead == '0 ? m_tdata : u_dut.u_register.spare) == word);
      if (held < 2 && (s_tvalid || !first)) assert (put);
    end
  end

  if (!ZEROS) begin : g_row
    always_comb if (past && known && 32'(spot) < WORDS) assert (u_dut.g_row.row[spot] == kept);
  end

endmodule

`default_nettype wire
