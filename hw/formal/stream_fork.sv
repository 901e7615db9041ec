// SPDX-License-Identifier: Apache-2.0
//
// kl_stream_fork: every output has every word once, in order; offers stay; no hang.
`default_nettype none

module stream_fork #(
  parameter int unsigned WIDTH  = 8,
  parameter int unsigned COPIES = 3
) (
  input wire logic              clk,
  input wire logic [ WIDTH-1:0] s_tdata,
  input wire logic              s_tvalid,
  input wire logic [COPIES-1:0] m_tready,
  input wire logic [COPIES-1:0] pick
);

  logic past = 1'b0;
  logic s_tready;
  logic [COPIES-1:0] m_tvalid;
  logic [COPIES-1:0][WIDTH-1:0] m_tdata;

  always_ff @(posedge clk) past <= 1'b1;

  kl_stream_fork #(
    .WIDTH (WIDTH),
    .COPIES(COPIES)
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

  for (genvar i = 0; i < COPIES; i++) begin : g_copy
    logic picked;
    logic [1:0] held, ahead;
    logic [WIDTH-1:0] word;

    f_stable #(
      .WIDTH(WIDTH)
    ) u_stable (
      .clk   (clk),
      .past  (past),
      .tdata (m_tdata[i]),
      .tvalid(m_tvalid[i]),
      .tready(m_tready[i])
    );

    f_track #(
      .WIDTH(WIDTH),
      .HOLDS(2)
    ) u_track (
      .clk     (clk),
      .past    (past),
      .pick    (pick[i]),
      .put     (past && s_tvalid && s_tready),
      .put_word(s_tdata),
      .get     (past && m_tvalid[i] && m_tready[i]),
      .get_word(m_tdata[i]),
      .held    (held),
      .picked  (picked),
      .ahead   (ahead),
      .word    (word)
    );

    always_comb begin
      if (past) begin
        assert (32'(held) == 32'(m_tvalid[i]) + 32'(u_dut.spare_valid));
        if (picked && m_tvalid[i] && ahead == '0)
          assert (u_dut.word == word);
          else if (picked) assert (u_dut.spare == word);
      end
    end
  end

  // A word waits behind another only while an output still has to take that
  always_comb if (past && !s_tready) assert (m_tvalid != '0);

endmodule

`default_nettype wire
