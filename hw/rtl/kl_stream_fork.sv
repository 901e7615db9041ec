// SPDX-License-Identifier: Apache-2.0
//
// One stream to COPIES streams, each with its own handshake.
//
// Every output carries every input word once and in order. An output that has taken its word is
// not offered it again while a slower one still waits. No path from m_axis_tready to
// s_axis_tready.
//
// Latency 1 cycle, one word a cycle while all outputs are ready; holds two words.
`default_nettype none

module kl_stream_fork #(
  parameter int unsigned WIDTH  = 8,  // bits of a word
  parameter int unsigned COPIES = 2   // outputs
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output logic                  s_axis_tready,

  output logic      [COPIES-1:0][WIDTH-1:0] m_axis_tdata,
  output logic      [COPIES-1:0]            m_axis_tvalid,
  input  wire logic [COPIES-1:0]            m_axis_tready
);

  if (WIDTH < 1 || COPIES < 1) begin : g_illegal
    $fatal(1, "kl_stream_fork: WIDTH=%0d and COPIES=%0d must be at least 1", WIDTH, COPIES);
  end

  logic [WIDTH-1:0] word;  // offered to the outputs
  logic [COPIES-1:0] waiting;  // outputs that have not taken it
  logic [WIDTH-1:0] spare;  // came in while a word was still waiting
  logic spare_valid;
  logic advance;  // the outputs get their next word

  assign advance       = (waiting & ~m_axis_tready) == '0;
  assign s_axis_tready = !spare_valid;
  assign m_axis_tdata  = {COPIES{word}};
  assign m_axis_tvalid = waiting;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      waiting     <= '0;
      spare_valid <= 1'b0;
    end else if (advance) begin
      waiting     <= {COPIES{spare_valid || s_axis_tvalid}};
      spare_valid <= 1'b0;
    end else begin
      waiting     <= waiting & ~m_axis_tready;
      spare_valid <= spare_valid || s_axis_tvalid;
    end
  end

  always_ff @(posedge clk) begin
    if (advance) word <= spare_valid ? spare : s_axis_tdata;
    if (!spare_valid) spare <= s_axis_tdata;
  end

`ifndef SYNTHESIS
  for (genvar i = 0; i < COPIES; i++) begin : g_check
    kl_stream_check #(
      .WIDTH(WIDTH)
    ) u_check (
      .clk   (clk),
      .rst_n (rst_n),
      .tdata (m_axis_tdata[i]),
      .tvalid(m_axis_tvalid[i]),
      .tready(m_axis_tready[i])
    );
  end
`endif

endmodule

`default_nettype wire
