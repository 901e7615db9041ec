// SPDX-License-Identifier: Apache-2.0
//
// Output buffer of kl_dense: a ring of PLACES places, each for a word of every pixel of a group of
// SHARE, from which the words of the first pixel leave, then those of the next.
//
// The array may begin the last word of a sum only while `room`, and says so with `claim`; any number
// of cycles later it delivers the sums with `push`. A place is free again when the word of the
// group's last pixel has left. `room` is a register: nothing passes from m_axis_tready to the array
// within a cycle.
`default_nettype none

module kl_dense_output
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH     = 8,  // bits of a word
  parameter int unsigned PIXELS    = 2,  // of a frame
  parameter int unsigned SHARE     = 2,  // pixels of a group, a power of two
  parameter int unsigned OUT_FOLDS = 1,  // words of a pixel
  parameter int unsigned PLACES    = 8   // more than OUT_FOLDS
) (
  input wire logic clk,
  input wire logic rst_n,

  output logic                             room,
  input  wire logic                        claim,
  input  wire logic                        push,
  input  wire logic [SHARE-1:0][WIDTH-1:0] sums,   // slot 0 is the first pixel

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  localparam int unsigned PERIOD = PIXELS % SHARE != 0 ? PIXELS : SHARE;  // groups begin anew
  localparam int unsigned FOLD_WIDTH = idx_width(OUT_FOLDS);
  localparam int unsigned PIXEL_WIDTH = idx_width(PERIOD);
  localparam int unsigned SLOT_WIDTH = $clog2(SHARE);
  localparam int unsigned PLACE_WIDTH = $clog2(PLACES);
  localparam int unsigned COUNT_WIDTH = $clog2(PLACES + 1);
  localparam logic [FOLD_WIDTH-1:0] LAST_FOLD = FOLD_WIDTH'(OUT_FOLDS - 1);
  localparam logic [PIXEL_WIDTH-1:0] LAST_PIXEL = PIXEL_WIDTH'(PERIOD - 1);
  localparam logic [PLACE_WIDTH-1:0] LAST_PLACE = PLACE_WIDTH'(PLACES - 1);

  logic [PLACE_WIDTH-1:0] write_at, read_at, group_at;  // 0..PLACES-1; group_at: start of the group
  logic [PLACE_WIDTH-1:0] read_next;
  logic [COUNT_WIDTH-1:0] free, free_next;  // 0..PLACES, not claimed
  logic [COUNT_WIDTH-1:0] fresh;  // 0..PLACES, words of first slots to go
  logic [FOLD_WIDTH-1:0] fold;  // 0..OUT_FOLDS-1
  logic [PIXEL_WIDTH-1:0] pixel;  // 0..PERIOD-1
  logic [SLOT_WIDTH-1:0] slot;  // of that pixel
  logic [SHARE-1:0][WIDTH-1:0] words;  // at read_at
  logic pop, frees, last;

  assign slot      = SLOT_WIDTH'(pixel);
  assign pop       = (!m_axis_tvalid || m_axis_tready) && (slot != '0 || fresh != '0);
  assign last      = fold == LAST_FOLD;
  assign frees     = pop && (slot == '1 || pixel == LAST_PIXEL);
  assign free_next = free - COUNT_WIDTH'(claim) + COUNT_WIDTH'(frees);
  assign read_next = read_at == LAST_PLACE ? '0 : read_at + 1'b1;

  for (genvar s = 0; s < int'(SHARE); s++) begin : g_slot
    (* ram_style = "distributed" *)
    logic [WIDTH-1:0] ring[PLACES];

    always_ff @(posedge clk) if (push) ring[write_at] <= sums[s];
    assign words[s] = ring[read_at];
  end

  always_ff @(posedge clk) if (pop) m_axis_tdata <= words[slot];

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      write_at      <= '0;
      read_at       <= '0;
      group_at      <= '0;
      free          <= COUNT_WIDTH'(PLACES);
      room          <= 1'b0;
      fresh         <= '0;
      fold          <= '0;
      pixel         <= '0;
      m_axis_tvalid <= 1'b0;
    end else begin
      if (push) write_at <= write_at == LAST_PLACE ? '0 : write_at + 1'b1;
      free  <= free_next;
      room  <= free_next != '0;
      fresh <= fresh + COUNT_WIDTH'(push) - COUNT_WIDTH'(pop && slot == '0);
      if (pop) begin
        fold <= last ? '0 : fold + 1'b1;
        if (last) pixel <= pixel == LAST_PIXEL ? '0 : pixel + 1'b1;
        read_at <= last && !frees ? group_at : read_next;
        if (last && frees) group_at <= read_next;
      end
      if (pop || m_axis_tready) m_axis_tvalid <= pop;
    end
  end

`ifndef SYNTHESIS
  a_claim :
  assert property (@(posedge clk) disable iff (!rst_n) claim |-> free != '0)
  else $error("%m: claim of a place with none free");
  a_range :
  assert property (@(posedge clk) disable iff (!rst_n) free <= COUNT_WIDTH'(PLACES))
  else $error("%m: %0d of PLACES=%0d are free", free, PLACES);
  a_fresh :
  assert property (@(posedge clk) disable iff (!rst_n) fresh <= COUNT_WIDTH'(PLACES))
  else $error("%m: %0d words to go in PLACES=%0d", fresh, PLACES);

  kl_stream_check #(
    .WIDTH(WIDTH)
  ) u_check (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (m_axis_tdata),
    .tvalid(m_axis_tvalid),
    .tready(m_axis_tready)
  );
`endif

endmodule

`default_nettype wire
