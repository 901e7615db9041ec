// SPDX-License-Identifier: Apache-2.0
//
// kl_fifo: nothing lost, nothing twice, in order; offers stay; no hang.
`default_nettype none

module fifo
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH = 3,
  parameter int unsigned DEPTH = 5,
  parameter ram_style_e  STYLE = RAM_SRL
) (
  input wire logic             clk,
  input wire logic [WIDTH-1:0] s_tdata,
  input wire logic             s_tvalid,
  input wire logic             m_tready,
  input wire logic             pick
);

  localparam int unsigned COUNT = $clog2(DEPTH + 3);

  logic past = 1'b0;
  logic s_tready, m_tvalid, picked;
  logic [WIDTH-1:0] m_tdata, word;
  logic [COUNT-1:0] held, ahead;

  always_ff @(posedge clk) past <= 1'b1;

  kl_fifo #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH),
    .STYLE(STYLE)
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
    .HOLDS(DEPTH + 2)
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
    .LIMIT(STYLE == RAM_BLOCK || STYLE == RAM_ULTRA ? 2 : 1)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(held != '0),
    .tvalid    (m_tvalid)
  );

  // A word is refused only while the memory is full
  always_comb if (past && !s_tready) assert (32'(held) >= DEPTH);

  logic [DEPTH-1:0][WIDTH-1:0] memory;
  logic latch_valid;
  logic [WIDTH-1:0] latch;

  if (STYLE == RAM_SRL) begin : g_srl
    assign latch_valid = 1'b0;
    assign latch       = '0;
    for (genvar i = 0; i < DEPTH; i++) begin : g_word
      assign memory[i] = u_dut.g_srl.shift[(32'(u_dut.stored)+2*DEPTH-1-i)%DEPTH];
    end
  end else begin : g_ring
    logic [31:0] read_at;
    assign read_at = 32'(u_dut.g_ring.read_at);

    always_comb begin
      if (past) begin
        assert (read_at < DEPTH);
        assert (32'(u_dut.g_ring.write_at) == (read_at + 32'(u_dut.stored)) % DEPTH);
      end
    end
    if (STYLE == RAM_DISTRIBUTED) begin : g_direct
      assign latch_valid = 1'b0;
      assign latch       = '0;
      for (genvar i = 0; i < DEPTH; i++) begin : g_word
        assign memory[i] = u_dut.g_ring.g_direct.ring[(read_at+i)%DEPTH];
      end
    end else begin : g_latched
      assign latch_valid = u_dut.g_ring.g_latched.latch_valid;
      assign latch       = u_dut.head;
      for (genvar i = 0; i < DEPTH; i++) begin : g_word
        if (STYLE == RAM_BLOCK) begin : g_block
          assign memory[i] = u_dut.g_ring.g_latched.u_ring.g_block.words[(read_at+i)%DEPTH];
        end else begin : g_ultra
          assign memory[i] = u_dut.g_ring.g_latched.u_ring.g_ultra.words[(read_at+i)%DEPTH];
        end
      end
    end
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
    .stored     (u_dut.stored),
    .memory     (memory),
    .latch_valid(latch_valid),
    .latch      (latch),
    .out_valid  (m_tvalid),
    .out_word   (m_tdata)
  );

endmodule

`default_nettype wire
