// SPDX-License-Identifier: Apache-2.0
//
// kl_stream_register: nothing lost, nothing twice, in order; offers stay; no hang.
`default_nettype none

module stream_register #(
  parameter int unsigned WIDTH = 8
) (
  input wire logic             clk,
  input wire logic [WIDTH-1:0] s_tdata,
  input wire logic             s_tvalid,
  input wire logic             m_tready,
  input wire logic             pick
);

  logic past = 1'b0;
  logic s_tready, m_tvalid, picked;
  logic [WIDTH-1:0] m_tdata, word;
  logic [1:0] held, ahead;

  always_ff @(posedge clk) past <= 1'b1;

  kl_stream_register #(
    .WIDTH(WIDTH)
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
    .put     (past && s_tvalid && s_tready),
    .put_word(s_tdata),
    .get     (past && m_tvalid && m_tready),
    .get_word(m_tdata),
    .held    (held),
    .picked  (picked),
    .ahead   (ahead),
    .word    (word)
  );

  f_prompt #(
    .LIMIT(0)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(held != '0),
    .tvalid    (m_tvalid)
  );

  always_comb begin
    if (past) begin
      assert (32'(held) == 32'(m_tvalid) + 32'(u_dut.spare_valid));
      assert (s_tready == (held < 2));
      if (picked) assert ((ahead == '0 ? m_tdata : u_dut.spare) == word);
    end
  end

endmodule

`default_nettype wire
