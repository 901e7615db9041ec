// SPDX-License-Identifier: Apache-2.0
//
// kl_stream_add: the n-th word out is the sum of the n-th words in; both inputs together or none;
// offers stay; no hang.
`default_nettype none

module stream_add #(
  parameter int unsigned PE     = 2,
  parameter int unsigned WIDTH  = 4,
  parameter bit          SIGNED = 1
) (
  input wire logic                     clk,
  input wire logic [1:0][PE*WIDTH-1:0] s_tdata,
  input wire logic [1:0]               s_tvalid,
  input wire logic                     m_tready,
  input wire logic                     pick
);

  localparam int unsigned SUM = PE * (WIDTH + 1);

  logic past = 1'b0;
  logic [1:0] s_tready;
  logic m_tvalid, picked;
  logic [SUM-1:0] expected, m_tdata, word;
  logic [1:0] held, ahead;

  always_ff @(posedge clk) past <= 1'b1;

  for (genvar i = 0; i < PE; i++) begin : g_lane
    logic signed [WIDTH:0] a, b;
    if (SIGNED) begin : g_signed
      assign a = (WIDTH + 1)'($signed(s_tdata[0][i*WIDTH+:WIDTH]));
      assign b = (WIDTH + 1)'($signed(s_tdata[1][i*WIDTH+:WIDTH]));
    end else begin : g_unsigned
      assign a = (WIDTH + 1)'(s_tdata[0][i*WIDTH+:WIDTH]);
      assign b = (WIDTH + 1)'(s_tdata[1][i*WIDTH+:WIDTH]);
    end
    assign expected[i*(WIDTH+1)+:WIDTH+1] = a + b;
  end

  kl_stream_add #(
    .PE    (PE),
    .WIDTH (WIDTH),
    .SIGNED(SIGNED)
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

  f_stable #(
    .WIDTH(SUM)
  ) u_stable (
    .clk   (clk),
    .past  (past),
    .tdata (m_tdata),
    .tvalid(m_tvalid),
    .tready(m_tready)
  );

  f_track #(
    .WIDTH(SUM),
    .HOLDS(2)
  ) u_track (
    .clk     (clk),
    .past    (past),
    .pick    (pick),
    .put     (past && s_tvalid[0] && s_tready[0]),
    .put_word(expected),
    .get     (past && m_tvalid && m_tready),
    .get_word(m_tdata),
    .held    (held),
    .picked  (picked),
    .ahead   (ahead),
    .word    (word)
  );

  always_comb begin
    if (past) begin
      assert ((s_tvalid[0] && s_tready[0]) == (s_tvalid[1] && s_tready[1]));
      assert (s_tready == {2{s_tvalid == 2'b11 && held < 2}});
      assert (32'(held) == 32'(m_tvalid) + 32'(u_dut.u_register.spare_valid));
      assert (!u_dut.u_register.spare_valid || m_tvalid);
      if (picked) assert ((ahead == '0 ? m_tdata : u_dut.u_register.spare) == word);
    end
  end

endmodule

`default_nettype wire
