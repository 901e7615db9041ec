// SPDX-License-Identifier: Apache-2.0
//
// kl_output_fifo behind any pipeline that claims only while there is room and pushes no more than it
// claimed: no push finds it full, no place is lost, words leave in order, no hang.
`default_nettype none

module output_fifo #(
  parameter int unsigned WIDTH = 3,
  parameter int unsigned DEPTH = 5
) (
  input wire logic             clk,
  input wire logic             claim,
  input wire logic             push,
  input wire logic [WIDTH-1:0] push_data,
  input wire logic             m_tready,
  input wire logic             pick
);

  localparam int unsigned COUNT = $clog2(DEPTH + 1);

  logic past = 1'b0;
  logic room, settled, m_tvalid, picked;
  logic [WIDTH-1:0] m_tdata, word;
  logic [COUNT-1:0] held, ahead, under_way;

  always_ff @(posedge clk) begin
    past    <= 1'b1;
    settled <= past;
    if (!past) under_way <= '0;
    else under_way <= under_way + COUNT'(claim) - COUNT'(push);
  end

  always_comb assume (!claim || (past && room));
  always_comb assume (!push || (past && under_way != '0));

  kl_output_fifo #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH)
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .room         (room),
    .claim        (claim),
    .push         (push),
    .push_data    (push_data),
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
    .HOLDS(DEPTH)
  ) u_track (
    .clk     (clk),
    .past    (past),
    .pick    (pick),
    .put     (push),
    .put_word(push_data),
    .get     (past && m_tvalid && m_tready),
    .get_word(m_tdata),
    .held    (held),
    .picked  (picked),
    .ahead   (ahead),
    .word    (word)
  );

  f_prompt #(
    .LIMIT(1)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(held != '0),
    .tvalid    (m_tvalid)
  );

  logic [DEPTH-1:0][WIDTH-1:0] memory;
  for (genvar i = 0; i < DEPTH; i++) begin : g_word
    assign memory[i] = u_dut.u_fifo.g_srl.shift[(32'(u_dut.u_fifo.stored)+2*DEPTH-1-i)%DEPTH];
  end

  f_fifo #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH),
    .COUNT(COUNT)
  ) u_where (
    .past       (past),
    .held       (held),
    .picked     (picked),
    .ahead      (ahead),
    .word       (word),
    .stored     (u_dut.u_fifo.stored),
    .memory     (memory),
    .latch_valid(1'b0),
    .latch      ('0),
    .out_valid  (m_tvalid),
    .out_word   (m_tdata)
  );

  always_comb begin
    if (past) begin
      assert (!push || u_dut.accepted);
      assert (32'(u_dut.free) + 32'(under_way) + 32'(held) == DEPTH);
      if (settled) assert (room == (u_dut.free != '0));
    end
  end

endmodule

`default_nettype wire
