// SPDX-License-Identifier: Apache-2.0
//
// kl_frame_gate between any engine and an accelerator of any delays that gives OUT_WORDS words, all
// the number of the frame, for IN_WORDS words: the frames of whole packets leave, in order, each once
// and whole, with TLAST on its last word, and no other. The accelerator sees as many words as frames
// ask for, and offers stay.
`default_nettype none

module frame_gate #(
  parameter int unsigned IN_WORDS  = 2,
  parameter int unsigned OUT_WORDS = 2
) (
  input wire logic clk,
  input wire logic s_tlast,
  input wire logic s_tvalid,
  input wire logic u_tready,
  input wire logic finish,    // the accelerator ends a frame that it has
  input wire logic m_tready
);

  logic past = 1'b0;
  logic s_tready, u_tdata, u_tvalid, v_tvalid, v_tready, m_tlast, m_tvalid;
  logic [3:0] m_tdata;
  logic busy, frame_in, frame_out, frame_drop, short_frame, long_frame, underrun;

  always_ff @(posedge clk) past <= 1'b1;

  // The accelerator: frames that went in, that are computed, that went out
  logic [3:0] taken, computed, given;
  logic [3:0] take_at, give_at;  // words of the frame in progress

  assign v_tvalid = computed != given;

  always_ff @(posedge clk) begin
    if (!past) begin
      {taken, computed, given, take_at, give_at} <= '0;
    end else begin
      if (u_tvalid && u_tready) begin
        take_at <= 32'(take_at) == IN_WORDS - 1 ? '0 : take_at + 1'b1;
        if (32'(take_at) == IN_WORDS - 1) taken <= taken + 1'b1;
      end
      if (finish && computed != taken) computed <= computed + 1'b1;
      if (v_tvalid && v_tready) begin
        give_at <= 32'(give_at) == OUT_WORDS - 1 ? '0 : give_at + 1'b1;
        if (32'(give_at) == OUT_WORDS - 1) given <= given + 1'b1;
      end
    end
  end

  kl_frame_gate #(
    .IN_WIDTH  (1),
    .IN_WORDS  (IN_WORDS),
    .OUT_WIDTH (4),
    .OUT_WORDS (OUT_WORDS),
    .BUFFER    (2),
    .FRAMES    (2),
    .IDLE_LIMIT(3)
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .s_axis_tdata (1'b1),
    .s_axis_tlast (s_tlast),
    .s_axis_tvalid(s_tvalid),
    .s_axis_tready(s_tready),
    .u_tdata      (u_tdata),
    .u_tvalid     (u_tvalid),
    .u_tready     (u_tready),
    .v_tdata      (given),
    .v_tvalid     (v_tvalid),
    .v_tready     (v_tready),
    .m_axis_tdata (m_tdata),
    .m_axis_tlast (m_tlast),
    .m_axis_tvalid(m_tvalid),
    .m_axis_tready(m_tready),
    .busy         (busy),
    .frame_in     (frame_in),
    .frame_out    (frame_out),
    .frame_drop   (frame_drop),
    .short_frame  (short_frame),
    .long_frame   (long_frame),
    .underrun     (underrun)
  );

  // Packets: packet n is frame n, whole if its last word is its IN_WORDS-th
  logic [15:0] whole;
  logic [3:0] packet, words;  // words: of the packet, at most IN_WORDS

  always_ff @(posedge clk) begin
    if (!past) begin
      whole  <= '0;
      packet <= '0;
      words  <= '0;
    end else if (s_tvalid && s_tready) begin
      words <= s_tlast ? '0 : words + 4'(32'(words) < IN_WORDS);
      if (s_tlast) begin
        packet        <= packet + 1'b1;
        whole[packet] <= 32'(words) == IN_WORDS - 1;
      end
    end
  end

  // Frames that left
  logic [3:0] next, out_at;  // first frame that may leave; words of the one that leaves

  always_ff @(posedge clk) begin
    if (!past) begin
      next   <= '0;
      out_at <= '0;
    end else if (m_tvalid && m_tready) begin
      out_at <= m_tlast ? '0 : out_at + 1'b1;
      if (m_tlast) next <= m_tdata + 1'b1;
    end
  end

  logic later;  // the number of the frame lies behind a whole one that has not left
  always_comb begin
    later = 1'b0;
    for (int unsigned i = 0; i < 16; i++) begin
      if (i >= 32'(next) && i < 32'(m_tdata) && whole[i]) later = 1'b1;
    end
  end

  f_stable #(
    .WIDTH(5)
  ) u_stable (
    .clk   (clk),
    .past  (past),
    .tdata ({m_tlast, m_tdata}),
    .tvalid(m_tvalid),
    .tready(m_tready)
  );

  always_comb begin
    if (past) begin
      assert (!m_tvalid || (whole[m_tdata] && m_tdata >= next && !later));
      assert (!m_tvalid || m_tlast == (32'(out_at) == OUT_WORDS - 1));
      assert (taken <= packet + 1'b1);
    end
  end

endmodule

`default_nettype wire
