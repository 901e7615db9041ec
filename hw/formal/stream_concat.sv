// SPDX-License-Identifier: Apache-2.0
//
// kl_stream_concat of two inputs, FIRST words a pixel of one, SECOND of the other: words come out
// in that order, each once; offers stay; no hang.
`default_nettype none

module stream_concat #(
  parameter int unsigned WIDTH  = 4,
  parameter int unsigned FIRST  = 3,
  parameter int unsigned SECOND = 2
) (
  input wire logic                  clk,
  input wire logic [1:0][WIDTH-1:0] s_tdata,
  input wire logic [1:0]            s_tvalid,
  input wire logic                  m_tready,
  input wire logic                  pick
);

  logic past = 1'b0;
  logic [1:0] s_tready, take;
  logic m_tvalid, picked, turn;
  logic [WIDTH-1:0] m_tdata, word;
  logic [1:0] held, ahead;
  logic [7:0] place;  // 0..FIRST+SECOND-1, of the next word

  assign turn = 32'(place) >= FIRST;
  assign take = past ? s_tvalid & s_tready : '0;

  always_ff @(posedge clk) begin
    past <= 1'b1;
    if (!past) place <= '0;
    else if (take != '0) place <= 32'(place) == FIRST + SECOND - 1 ? '0 : place + 1'b1;
  end

  kl_stream_concat #(
    .PE      (1),
    .WIDTH   (WIDTH),
    .INPUTS  (2),
    .CHANNELS({32'(SECOND), 32'(FIRST)})
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
    .put     (take != '0),
    .put_word(s_tdata[turn]),
    .get     (past && m_tvalid && m_tready),
    .get_word(m_tdata),
    .held    (held),
    .picked  (picked),
    .ahead   (ahead),
    .word    (word)
  );

  always_comb begin
    if (past) begin
      assert (32'(place) < FIRST + SECOND);
      assert (u_dut.source == turn);
      assert (32'(u_dut.beat) == 32'(place) - (turn ? FIRST : 0));
      assert (take[!turn] == 1'b0);
      assert (s_tready[turn] == (held < 2));
      assert (32'(held) == 32'(m_tvalid) + 32'(u_dut.u_register.spare_valid));
      assert (!u_dut.u_register.spare_valid || m_tvalid);
      if (picked) assert ((ahead == '0 ? m_tdata : u_dut.u_register.spare) == word);
    end
  end

endmodule

`default_nettype wire
