// SPDX-License-Identifier: Apache-2.0
//
// Input buffer of kl_dense: two banks of a group of SHARE pixels each, one filled while the other is
// read, OUT_FOLDS times over.
//
// While `ready`, `group` is the next word of each pixel, which `take` takes; `first` and `last` say
// that it is the first or last of its pixels. Groups begin anew with each frame of PIXELS pixels.
`default_nettype none

module kl_dense_operands
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH     = 8,  // bits of a word
  parameter int unsigned PIXELS    = 2,  // of a frame
  parameter int unsigned SHARE     = 2,  // pixels of a group, a power of two
  parameter int unsigned IN_FOLDS  = 1,  // words of a pixel
  parameter int unsigned OUT_FOLDS = 1   // times that a group is read
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output logic                  s_axis_tready,

  output logic                             ready,  // a whole group is there
  input  wire logic                        take,   // only while ready
  output logic                             first,
  output logic                             last,
  output logic      [SHARE-1:0][WIDTH-1:0] group   // slot 0 is the first pixel
);

  localparam int unsigned PERIOD = PIXELS % SHARE != 0 ? PIXELS : SHARE;  // groups begin anew
  localparam int unsigned AT_WIDTH = $clog2(2 * IN_FOLDS);
  localparam int unsigned IN_WIDTH = idx_width(IN_FOLDS);
  localparam int unsigned OUT_WIDTH = idx_width(OUT_FOLDS);
  localparam int unsigned PIXEL_WIDTH = idx_width(PERIOD);
  localparam int unsigned SLOT_WIDTH = $clog2(SHARE);
  localparam logic [IN_WIDTH-1:0] LAST_IN = IN_WIDTH'(IN_FOLDS - 1);
  localparam logic [OUT_WIDTH-1:0] LAST_OUT = OUT_WIDTH'(OUT_FOLDS - 1);
  localparam logic [PIXEL_WIDTH-1:0] LAST_PIXEL = PIXEL_WIDTH'(PERIOD - 1);
  localparam logic [AT_WIDTH-1:0] BANK_1 = AT_WIDTH'(IN_FOLDS);

  logic [1:0] full;  // banks that hold a whole group

  logic in_bank;  // being filled
  logic [AT_WIDTH-1:0] in_at;  // 0..2*IN_FOLDS-1
  logic [IN_WIDTH-1:0] in_fold;  // 0..IN_FOLDS-1
  logic [PIXEL_WIDTH-1:0] in_pixel;  // 0..PERIOD-1
  logic [SLOT_WIDTH-1:0] in_slot;  // of that pixel
  logic store, in_last, fills;

  assign s_axis_tready = !full[in_bank];
  assign store         = s_axis_tvalid && s_axis_tready;
  assign in_last       = in_fold == LAST_IN;
  assign in_slot       = SLOT_WIDTH'(in_pixel);
  assign fills         = store && in_last && (in_slot == '1 || in_pixel == LAST_PIXEL);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      in_bank  <= 1'b0;
      in_at    <= '0;
      in_fold  <= '0;
      in_pixel <= '0;
    end else if (store) begin
      in_bank <= in_bank ^ fills;
      in_fold <= in_last ? '0 : in_fold + 1'b1;
      if (in_last) in_pixel <= in_pixel == LAST_PIXEL ? '0 : in_pixel + 1'b1;
      if (in_last) in_at <= in_bank ^ fills ? BANK_1 : '0;
      else in_at <= in_at + 1'b1;
    end
  end

  // Reading
  logic bank;  // being read
  logic [AT_WIDTH-1:0] at;  // 0..2*IN_FOLDS-1
  logic [IN_WIDTH-1:0] fold;  // 0..IN_FOLDS-1
  logic [OUT_WIDTH-1:0] out;  // 0..OUT_FOLDS-1
  logic empties;

  // A memory for each slot of the group
  for (genvar s = 0; s < int'(SHARE); s++) begin : g_slot
    (* ram_style = "distributed" *)
    logic [WIDTH-1:0] words[2*IN_FOLDS];

    always_ff @(posedge clk) begin
      if (store && in_slot == SLOT_WIDTH'(s)) words[in_at] <= s_axis_tdata;
    end

    assign group[s] = words[at];
  end

  assign ready   = full[bank];
  assign first   = fold == '0;
  assign last    = fold == LAST_IN;
  assign empties = take && last && out == LAST_OUT;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      full <= '0;
      bank <= 1'b0;
      at   <= '0;
      fold <= '0;
      out  <= '0;
    end else begin
      if (fills) full[in_bank] <= 1'b1;
      if (empties) full[bank] <= 1'b0;
      if (take) begin
        bank <= bank ^ empties;
        fold <= last ? '0 : fold + 1'b1;
        if (last) out <= out == LAST_OUT ? '0 : out + 1'b1;
        if (last) at <= bank ^ empties ? BANK_1 : '0;
        else at <= at + 1'b1;
      end
    end
  end

`ifndef SYNTHESIS
  a_take :
  assert property (@(posedge clk) disable iff (!rst_n) take |-> ready)
  else $error("%m: a word was taken from a group that is not there");
`endif

endmodule

`default_nettype wire
