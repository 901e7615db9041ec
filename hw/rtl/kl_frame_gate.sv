// SPDX-License-Identifier: Apache-2.0
//
// Between a DMA engine and an accelerator that counts words: lets whole frames through only.
//
// A frame comes in as IN_WORDS words, the last with TLAST, and gives OUT_WORDS words, of which this
// unit marks the last. A short frame is filled up with zeros, of a long one the words beyond
// IN_WORDS are taken away: so the accelerator always sees whole frames. What it makes of such a
// frame is discarded here, and the frames behind it are right.
//
//   s_axis -> input frame, BUFFER words -> u_* the accelerator's input
//   v_* the accelerator's output -> output frame, OUT_WORDS words -> m_axis
//
// Both buffers let software be late by a frame. At most FRAMES frames are inside. An underrun is a
// pause of IDLE_LIMIT cycles in mid-frame, in which the accelerator could have taken a word.
// Events are one cycle long. Everything is cleared by reset, in mid-frame too: what is left of a
// frame then counts as a short one.
`default_nettype none

module kl_frame_gate
  import kl_pkg::*;
#(
  parameter int unsigned IN_WIDTH   = 8,     // bits of an input word
  parameter int unsigned IN_WORDS   = 16,    // words of an input frame
  parameter int unsigned OUT_WIDTH  = 32,    // bits of an output word
  parameter int unsigned OUT_WORDS  = 4,     // words of an output frame
  parameter int unsigned BUFFER     = 16,    // words buffered before the accelerator, at least 2
  parameter int unsigned FRAMES     = 16,    // inside at once, at least 2
  parameter int unsigned IDLE_LIMIT = 65536  // cycles
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [IN_WIDTH-1:0] s_axis_tdata,
  input  wire logic                s_axis_tlast,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,

  output logic      [IN_WIDTH-1:0] u_tdata,
  output logic                     u_tvalid,
  input  wire logic                u_tready,

  input  wire logic [OUT_WIDTH-1:0] v_tdata,
  input  wire logic                 v_tvalid,
  output logic                      v_tready,

  output logic      [OUT_WIDTH-1:0] m_axis_tdata,
  output logic                      m_axis_tlast,
  output logic                      m_axis_tvalid,
  input  wire logic                 m_axis_tready,

  output logic busy,         // frames are inside
  output logic frame_in,     // event: a frame has gone in, good or not
  output logic frame_out,    // event: the last word of a frame was taken
  output logic frame_drop,   // event: a frame was discarded
  output logic short_frame,  // event
  output logic long_frame,   // event
  output logic underrun      // event
);

  if (IN_WORDS < 1 || OUT_WORDS < 1) begin : g_illegal_words
    $fatal(
        1, "kl_frame_gate: IN_WORDS=%0d and OUT_WORDS=%0d must be at least 1", IN_WORDS, OUT_WORDS
    );
  end
  if (FRAMES < 2 || IDLE_LIMIT < 1) begin : g_illegal_limits
    $fatal(
        1,
        "kl_frame_gate: FRAMES=%0d must be at least 2, IDLE_LIMIT=%0d at least 1",
        FRAMES,
        IDLE_LIMIT
    );
  end

  localparam int unsigned IN_AT_WIDTH = idx_width(IN_WORDS);
  localparam int unsigned OUT_AT_WIDTH = idx_width(OUT_WORDS);
  localparam int unsigned HELD_WIDTH = $clog2(FRAMES + 1);
  localparam int unsigned IDLE_WIDTH = $clog2(IDLE_LIMIT + 1);

  typedef enum logic [1:0] {
    PASS,
    FILL,
    SWALLOW
  } state_e;

  // Words from the DMA engine
  logic [IN_WIDTH-1:0] in_data;
  logic in_last, in_valid, in_ready;

  kl_fifo #(
    .WIDTH(IN_WIDTH + 1),
    .DEPTH(BUFFER),
    .STYLE(RAM_BLOCK)
  ) u_input (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({s_axis_tlast, s_axis_tdata}),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata ({in_last, in_data}),
    .m_axis_tvalid(in_valid),
    .m_axis_tready(in_ready)
  );

  // Input: exactly IN_WORDS words a frame
  state_e state;
  logic [IN_AT_WIDTH-1:0] in_count;  // 0..IN_WORDS-1, of the next word
  logic [HELD_WIDTH-1:0] held;  // 0..FRAMES, frames inside
  logic [IDLE_WIDTH-1:0] idle;  // 0..IDLE_LIMIT
  logic open, give, first, at_last, in_end, verdict_ready;
  logic too_short, too_long, waiting;

  assign first     = in_count == '0;
  assign at_last   = in_count == IN_AT_WIDTH'(IN_WORDS - 1);
  assign open      = !first || held != HELD_WIDTH'(FRAMES);
  assign u_tvalid  = state == FILL || (state == PASS && in_valid && open);
  assign u_tdata   = state == FILL ? '0 : in_data;
  assign in_ready  = state == SWALLOW || (state == PASS && open && u_tready);
  assign give      = u_tvalid && u_tready;
  assign in_end    = give && at_last;

  assign too_short = state == PASS && give && in_last && !at_last;
  assign too_long  = state == PASS && give && at_last && !in_last;
  assign waiting   = state == PASS && !first && !in_valid && u_tready;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state    <= PASS;
      in_count <= '0;
      idle     <= '0;
    end else begin
      if (give) in_count <= at_last ? '0 : in_count + 1'b1;
      if (too_short) state <= FILL;
      if (too_long) state <= SWALLOW;
      if (state == FILL && in_end) state <= PASS;
      if (state == SWALLOW && in_valid && in_last) state <= PASS;
      if (in_valid || first) idle <= '0;
      else if (waiting && idle != IDLE_WIDTH'(IDLE_LIMIT)) idle <= idle + 1'b1;
    end
  end

  // One verdict a frame, in order: 1 is good
  logic verdict, verdict_valid, out_end;

  kl_fifo #(
    .WIDTH(1),
    .DEPTH(FRAMES),
    .STYLE(RAM_SRL)
  ) u_verdicts (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (state == PASS && in_last),
    .s_axis_tvalid(in_end),
    .s_axis_tready(verdict_ready),
    .m_axis_tdata (verdict),
    .m_axis_tvalid(verdict_valid),
    .m_axis_tready(out_end)
  );

  // Output: a frame goes out or away when its verdict is known
  logic [OUT_AT_WIDTH-1:0] out_count;  // 0..OUT_WORDS-1, of the next word
  logic out_ready, out_last;

  assign out_last = out_count == OUT_AT_WIDTH'(OUT_WORDS - 1);
  assign v_tready = verdict_valid && (!verdict || out_ready);
  assign out_end  = v_tvalid && v_tready && out_last;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      out_count <= '0;
      held      <= '0;
    end else begin
      if (v_tvalid && v_tready) out_count <= out_last ? '0 : out_count + 1'b1;
      held <= held + HELD_WIDTH'(give && first) - HELD_WIDTH'(out_end);
    end
  end

  kl_fifo #(
    .WIDTH(OUT_WIDTH + 1),
    .DEPTH(OUT_WORDS > 2 ? OUT_WORDS : 2),
    .STYLE(RAM_BLOCK)
  ) u_output (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({out_last, v_tdata}),
    .s_axis_tvalid(v_tvalid && verdict_valid && verdict),
    .s_axis_tready(out_ready),
    .m_axis_tdata ({m_axis_tlast, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  // Events
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      busy        <= 1'b0;
      frame_in    <= 1'b0;
      frame_out   <= 1'b0;
      frame_drop  <= 1'b0;
      short_frame <= 1'b0;
      long_frame  <= 1'b0;
      underrun    <= 1'b0;
    end else begin
      busy        <= held != '0;
      frame_in    <= in_end;
      frame_out   <= m_axis_tvalid && m_axis_tready && m_axis_tlast;
      frame_drop  <= out_end && !verdict;
      short_frame <= too_short;
      long_frame  <= too_long;
      underrun    <= waiting && idle == IDLE_WIDTH'(IDLE_LIMIT - 1);
    end
  end

`ifndef SYNTHESIS
  kl_stream_check #(
    .WIDTH(IN_WIDTH)
  ) u_check (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (u_tdata),
    .tvalid(u_tvalid),
    .tready(u_tready)
  );

  a_held :
  assert property (@(posedge clk) disable iff (!rst_n) held <= HELD_WIDTH'(FRAMES))
  else $error("%m: %0d frames inside, FRAMES=%0d", held, FRAMES);
  a_verdicts :
  assert property (@(posedge clk) disable iff (!rst_n) in_end |-> verdict_ready)
  else $error("%m: no place for the verdict on a frame");
  a_order :
  assert property (@(posedge clk) disable iff (!rst_n) out_end |-> held != '0)
  else $error("%m: the accelerator gave a frame that did not go in");
`else
  logic unused;
  assign unused = &{1'b0, verdict_ready};
`endif

endmodule

`default_nettype wire
