// SPDX-License-Identifier: Apache-2.0
//
// Joins the vectors of INPUTS streams along the channels.
//
// For each pixel the output carries the CHANNELS[0]/PE words of input 0, then the CHANNELS[1]/PE
// words of input 1, and so on. Latency 1 cycle, one word a cycle.
`default_nettype none

module kl_stream_concat
  import kl_pkg::*;
#(
  parameter int unsigned PE = 1,  // lanes of a word, lane 0 least significant
  parameter int unsigned WIDTH = 8,  // bits of a lane
  parameter int unsigned INPUTS = 2,  // streams to join
  parameter logic [INPUTS-1:0][31:0] CHANNELS = {32'd1, 32'd1}  // of each input, input 0 rightmost
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [INPUTS-1:0][PE*WIDTH-1:0] s_axis_tdata,
  input  wire logic [INPUTS-1:0]               s_axis_tvalid,
  output logic      [INPUTS-1:0]               s_axis_tready,

  output logic      [PE*WIDTH-1:0] m_axis_tdata,
  output logic                     m_axis_tvalid,
  input  wire logic                m_axis_tready
);

  localparam int unsigned SOURCE_WIDTH = idx_width(INPUTS);
  localparam logic [SOURCE_WIDTH-1:0] LAST_SOURCE = SOURCE_WIDTH'(INPUTS - 1);

  if (PE < 1 || WIDTH < 1 || INPUTS < 1) begin : g_illegal
    $fatal(
        1,
        "kl_stream_concat: PE=%0d, WIDTH=%0d and INPUTS=%0d must be at least 1",
        PE,
        WIDTH,
        INPUTS
    );
  end

  function automatic int unsigned most_beats();
    most_beats = 1;
    for (int unsigned i = 0; i < INPUTS; i++) begin
      if (PE > 0 && CHANNELS[i] / PE > most_beats) most_beats = CHANNELS[i] / PE;
    end
  endfunction

  localparam int unsigned BEAT_WIDTH = idx_width(most_beats());

  logic [SOURCE_WIDTH-1:0] source;  // 0..INPUTS-1, the input whose words pass
  logic [BEAT_WIDTH-1:0] beat;  // 0..last_beats[source], the word of it
  logic [INPUTS-1:0][BEAT_WIDTH-1:0] last_beats;  // constants: CHANNELS/PE - 1 of each input
  logic valid, ready, last_beat;

  for (genvar i = 0; i < INPUTS; i++) begin : g_input
    localparam int unsigned COUNT = CHANNELS[i];
    if (COUNT == 0 || COUNT % PE != 0) begin : g_illegal
      $fatal(1, "kl_stream_concat: PE=%0d does not divide CHANNELS[%0d]=%0d", PE, i, COUNT);
    end
    assign last_beats[i]    = BEAT_WIDTH'(COUNT / PE - 1);
    assign s_axis_tready[i] = ready && source == SOURCE_WIDTH'(i);
  end

  assign valid     = s_axis_tvalid[source];
  assign last_beat = beat == last_beats[source];

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      beat   <= '0;
      source <= '0;
    end else if (valid && ready) begin
      beat <= last_beat ? '0 : beat + 1'b1;
      if (last_beat) source <= source == LAST_SOURCE ? '0 : source + 1'b1;
    end
  end

  kl_stream_register #(
    .WIDTH(PE * WIDTH)
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata[source]),
    .s_axis_tvalid(valid),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

`ifndef SYNTHESIS
  a_source :
  assert property (@(posedge clk) disable iff (!rst_n) source <= LAST_SOURCE)
  else $error("%m: source=%0d of %0d inputs", source, INPUTS);
`endif

endmodule

`default_nettype wire
