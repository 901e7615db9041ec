// SPDX-License-Identifier: Apache-2.0
//
// Full-rate register of a stream: cuts the paths of data, valid and ready. Most kernels end in it.
//
// Latency 1 cycle, one word a cycle; holds two words.
`default_nettype none

module kl_stream_register #(
  parameter int unsigned WIDTH = 8  // bits of a word
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output logic                  s_axis_tready,

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  if (WIDTH < 1) begin : g_illegal
    $fatal(1, "kl_stream_register: WIDTH=%0d must be at least 1", WIDTH);
  end

  logic [WIDTH-1:0] spare;  // came in while a word was still waiting
  logic spare_valid;
  logic advance;  // the output takes its next word

  assign advance       = !m_axis_tvalid || m_axis_tready;
  assign s_axis_tready = !spare_valid;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      m_axis_tvalid <= 1'b0;
      spare_valid   <= 1'b0;
    end else if (advance) begin
      m_axis_tvalid <= spare_valid || s_axis_tvalid;
      spare_valid   <= 1'b0;
    end else begin
      spare_valid <= spare_valid || s_axis_tvalid;
    end
  end

  always_ff @(posedge clk) begin
    if (advance) m_axis_tdata <= spare_valid ? spare : s_axis_tdata;
    if (!spare_valid) spare <= s_axis_tdata;
  end

`ifndef SYNTHESIS
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
