// SPDX-License-Identifier: Apache-2.0
//
// kl_width_converter: every lane comes out once, in order, whatever the widths; offers stay; no
// hang: words that make one to give are offered within two cycles.
`default_nettype none

module width_converter #(
  parameter int unsigned IN    = 2,
  parameter int unsigned OUT   = 3,
  parameter int unsigned WIDTH = 2
) (
  input wire logic                     clk,
  input wire logic [IN-1:0][WIDTH-1:0] s_tdata,
  input wire logic                     s_tvalid,
  input wire logic                     m_tready,
  input wire logic                     pick,
  input wire logic [   7:0]            lane       // of the word taken, that may be picked
);

  import kl_pkg::gcd;

  localparam int unsigned UNIT = gcd(IN, OUT);
  localparam int unsigned SIZE = IN / UNIT * OUT;
  localparam bit WIDENS = IN == UNIT;
  localparam int unsigned HOLDS = SIZE + (WIDENS ? IN : 2 * OUT);

  logic past = 1'b0;
  logic s_tready, m_tvalid, put, get, picked;
  logic [OUT-1:0][WIDTH-1:0] m_tdata;
  logic [WIDTH-1:0] word;
  logic [7:0] held, ahead;  // lanes inside; of them before the one picked

  assign put = past && s_tvalid && s_tready;
  assign get = past && m_tvalid && m_tready;

  always_ff @(posedge clk) begin
    past <= 1'b1;
    if (!past) begin
      held   <= '0;
      picked <= 1'b0;
    end else begin
      held <= held + (put ? 8'(IN) : 8'd0) - (get ? 8'(OUT) : 8'd0);
      if (picked && get) begin
        ahead <= ahead - 8'(OUT);
        if (ahead < 8'(OUT)) picked <= 1'b0;
      end
      if (!picked && put && pick && lane < 8'(IN)) begin
        picked <= 1'b1;
        ahead  <= held + lane - (get ? 8'(OUT) : 8'd0);
        word   <= s_tdata[lane];
      end
    end
  end

  kl_width_converter #(
    .IN   (IN),
    .OUT  (OUT),
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
    .WIDTH(OUT * WIDTH)
  ) u_stable (
    .clk   (clk),
    .past  (past),
    .tdata (m_tdata),
    .tvalid(m_tvalid),
    .tready(m_tready)
  );

  f_prompt #(
    .LIMIT(1)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(held >= 8'(OUT)),
    .tvalid    (m_tvalid)
  );

  // Where the lanes lie: those of a register behind the buffer first, of a spare place before it
  // last
  logic [7:0] filled, behind, apart, first;
  logic [SIZE-1:0][WIDTH-1:0] buffer;
  logic [1:0][OUT-1:0][WIDTH-1:0] register;
  logic [IN-1:0][WIDTH-1:0] spare;

  assign filled = 8'(u_dut.filled) * 8'(UNIT);
  assign buffer = u_dut.written;
  assign first  = 8'(u_dut.read_at) * 8'(OUT);

  if (WIDENS) begin : g_widens
    assign behind   = '0;
    assign apart    = u_dut.g_widens.spare_valid ? 8'(IN) : 8'd0;
    assign register = '0;
    assign spare    = u_dut.g_widens.spare;
    // A word is kept apart only while the buffer is full
    always_comb if (past && apart != '0) assert (filled > 8'(SIZE - IN));
  end else begin : g_narrows
    logic spare_valid;
    assign spare_valid = u_dut.g_narrows.u_register.spare_valid;
    assign behind      = (8'(m_tvalid) + 8'(spare_valid)) * 8'(OUT);
    assign apart       = '0;
    assign register    = {u_dut.g_narrows.u_register.spare, m_tdata};
    assign spare       = '0;
    always_comb if (past && spare_valid) assert (m_tvalid);
  end

  always_comb begin
    if (past) begin
      assert (held <= 8'(HOLDS));
      assert (held == behind + filled + apart);
      assert (filled <= 8'(SIZE));
      assert (first < 8'(SIZE) && 8'(u_dut.write_at) * 8'(IN) < 8'(SIZE));
      assert (8'(u_dut.write_at) * 8'(IN) == (first + filled) % 8'(SIZE));
      assert (!get || held >= 8'(OUT));
      if (picked) begin
        assert (ahead < held);
        assert (!get || ahead >= 8'(OUT) || m_tdata[ahead] == word);
        if (ahead < behind)
          assert (register[ahead/8'(OUT)][ahead%8'(OUT)] == word);
          else if (ahead < behind + filled)
            assert (buffer[(first+ahead-behind)%8'(SIZE)] == word);
            else assert (spare[ahead-behind-filled] == word);
      end
    end
  end

endmodule

`default_nettype wire
