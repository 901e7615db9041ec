// SPDX-License-Identifier: Apache-2.0
//
// Largest element or sum of every window, lane by lane.
//
// Input: for each result word the TAPS words of its window. While the last of them passes, the
// result leaves. Latency 1 cycle, one input word a cycle with no pause between windows; the input
// stalls only in the last tap, while the output is blocked.
`default_nettype none

module kl_window_pool
  import kl_pkg::*;
#(
  parameter int unsigned PE        = 1,  // lanes of a word, lane 0 least significant
  parameter int unsigned TAPS      = 4,  // words of a window
  parameter int unsigned WIDTH     = 8,  // bits of an element
  parameter bit          SIGNED    = 0,  // elements and results are two's complement
  parameter bit          SUMS      = 0,  // 1: sum, 0: largest
  parameter int unsigned OUT_WIDTH = 8   // bits of a result
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*WIDTH-1:0] s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,

  output logic      [PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned TAP_WIDTH = idx_width(TAPS);
  // largest magnitude of a result, and the largest that OUT_WIDTH holds
  localparam longint unsigned TERMS = SUMS ? 64'(TAPS) : 64'd1;
  localparam longint unsigned NONE = SIGNED ? 64'd0 : 64'd1;
  localparam longint unsigned PEAK = ((64'd1 << (WIDTH - 32'(SIGNED))) - NONE) * TERMS;
  localparam longint unsigned OUT_PEAK = (64'd1 << (OUT_WIDTH - 32'(SIGNED))) - NONE;

  if (PE < 1 || TAPS < 1 || WIDTH < 1) begin : g_illegal_size
    $fatal(1, "kl_window_pool: PE=%0d, TAPS=%0d and WIDTH=%0d must be at least 1", PE, TAPS, WIDTH);
  end
  if (OUT_WIDTH < WIDTH || OUT_WIDTH > 48 || PEAK > OUT_PEAK) begin : g_illegal_width
    $fatal(
        1,
        "kl_window_pool: OUT_WIDTH=%0d does not hold TAPS=%0d of WIDTH=%0d",
        OUT_WIDTH,
        TAPS,
        WIDTH
    );
  end

  logic [TAP_WIDTH-1:0] tap;  // 0..TAPS-1
  logic [PE-1:0][WIDTH-1:0] x;
  logic [PE-1:0][OUT_WIDTH-1:0] kept, wide, found;
  logic ready, accept, first_tap, last_tap;

  assign first_tap     = tap == '0;
  assign last_tap      = tap == TAP_WIDTH'(TAPS - 1);
  assign s_axis_tready = ready || !last_tap;
  assign accept        = s_axis_tvalid && s_axis_tready;
  assign x             = s_axis_tdata;

  always_comb begin
    for (int unsigned i = 0; i < PE; i++) begin
      wide[i]  = SIGNED ? OUT_WIDTH'(signed'(x[i])) : OUT_WIDTH'(x[i]);
      found[i] = wide[i];
      if (!first_tap) begin
        if (SUMS) found[i] = kept[i] + wide[i];
        else if (SIGNED ? signed'(kept[i]) > signed'(wide[i]) : kept[i] > wide[i]) begin
          found[i] = kept[i];
        end
      end
    end
  end

  always_ff @(posedge clk) if (accept) kept <= found;

  always_ff @(posedge clk) begin
    if (!rst_n) tap <= '0;
    else if (accept) tap <= last_tap ? '0 : tap + 1'b1;
  end

  kl_stream_register #(
    .WIDTH(PE * OUT_WIDTH)
  ) u_register (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (found),
    .s_axis_tvalid(s_axis_tvalid && last_tap),
    .s_axis_tready(ready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
