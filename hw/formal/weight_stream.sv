// SPDX-License-Identifier: Apache-2.0
//
// kl_weight_stream on the chain, under any packets: a word taken from the stream is the word that was
// written to its place, a read gives what was written, packets pass unchanged otherwise, and nothing
// that comes while the stream is on stops it. Of the places one, `where`, is watched; any.
`default_nettype none

module weight_stream
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH = 4,
  parameter int unsigned DEPTH = 3
) (
  input wire logic         clk,
  input wire chain_t       chain_in,
  input wire logic         m_tready,
  input wire logic   [1:0] where
);

  localparam int unsigned SLICES = (WIDTH + 31) / 32;
  localparam logic [11:0] ID = 12'd5;

  logic past = 1'b0;
  chain_t chain_out, packet;
  logic m_tvalid;
  logic [WIDTH-1:0] m_tdata;
  logic [1:0] always_where;

  always_ff @(posedge clk) begin
    past         <= 1'b1;
    always_where <= where;
  end
  always_comb assume (32'(where) < DEPTH && (!past || where == always_where));

  kl_weight_stream #(
    .WIDTH    (WIDTH),
    .DEPTH    (DEPTH),
    .RAM_STYLE(RAM_ULTRA),
    .FILE     ("words.hex"),
    .CHAIN    (1),
    .CHAIN_ID (32'(ID))
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .chain_in     (chain_in),
    .chain_out    (chain_out),
    .m_axis_tdata (m_tdata),
    .m_axis_tvalid(m_tvalid),
    .m_axis_tready(m_tready)
  );

  // What the packets mean
  logic selected, running;
  logic [1:0] at;  // place of the next slice
  logic [3:0] slice;
  logic [WIDTH-1:0] expected;  // at `where`
  logic [SLICES*32-1:0] coming;
  logic known;  // it was written
  logic here, follow, found, word_ends;
  logic [4:0] quiet;  // cycles since the last packet, at most 16
  logic [SLICES*32-1:0] whole;

  assign found = packet.valid && !packet.run && packet.kind == CHAIN_SELECT &&
      packet.data[31:20] == ID && 32'(packet.data[19:0]) < DEPTH;
  assign follow = packet.valid && !packet.run && selected &&
      (packet.kind == CHAIN_WRITE || packet.kind == CHAIN_READ);
  assign word_ends = follow && 32'(slice) == SLICES - 1;
  assign here = at == where;

  always_comb begin
    whole               = coming;
    whole[slice*32+:32] = packet.data;
  end

  always_ff @(posedge clk) begin
    packet <= chain_in;
    if (!past) begin
      packet.run   <= 1'b0;
      packet.valid <= 1'b0;
      selected     <= 1'b0;
      known        <= 1'b0;
      quiet        <= '0;
      running      <= 1'b0;
    end else begin
      running <= packet.run;
      quiet   <= packet.valid ? 5'd1 : quiet + 5'(quiet < 16);
      if (packet.valid && packet.kind == CHAIN_SELECT) begin
        selected <= found;
        slice    <= '0;
        if (found) at <= packet.data[1:0];
      end else if (packet.run) begin
        selected <= 1'b0;
      end else if (follow) begin
        slice  <= word_ends ? '0 : slice + 1'b1;
        coming <= whole;
        if (word_ends) at <= at + 1'b1;
        if (word_ends && 32'(at) == DEPTH - 1) selected <= 1'b0;
        if (word_ends && here && packet.kind == CHAIN_WRITE) begin
          known    <= 1'b1;
          expected <= whole[WIDTH-1:0];
        end
      end
    end
  end

  logic writing;

  // The port leaves 16 cycles before a read, and does not turn from writing to reading in a word
  always_comb begin
    assume (!(packet.valid && packet.kind == CHAIN_READ) || quiet == 16);
    if (follow && packet.kind == CHAIN_READ) assume (slice == '0 || !writing);
    if (follow && packet.kind == CHAIN_WRITE) assume (slice == '0 || writing);
  end
  always_ff @(posedge clk) if (follow) writing <= packet.kind == CHAIN_WRITE;

  logic [SLICES*32-1:0] padded;
  assign padded = (SLICES * 32)'(expected);

  // What leaves a cycle later
  chain_t passed;
  logic any_data;  // a read of another place

  always_ff @(posedge clk) begin
    passed       <= packet;
    passed.taken <= packet.taken || found || follow;
    any_data     <= 1'b0;
    if (follow && packet.kind == CHAIN_READ) begin
      passed.data <= padded[slice*32+:32];
      any_data    <= !here || !known;
    end
    if (!past) begin
      passed.run   <= 1'b0;
      passed.valid <= 1'b0;
    end
  end

  always_comb begin
    if (past) begin
      assert (chain_out.run == passed.run && chain_out.valid == passed.valid);
      if (passed.valid) begin
        assert (chain_out.kind == passed.kind && chain_out.taken == passed.taken);
        if (!any_data) assert (chain_out.data == passed.data);
      end
    end
  end

  // The stream: `place` of the word that is taken next
  logic [1:0] place;
  always_ff @(posedge clk) begin
    if (!past || !running) place <= '0;
    else if (m_tvalid && m_tready) place <= 32'(place) == DEPTH - 1 ? '0 : place + 1'b1;
  end

  f_stable #(
    .WIDTH(WIDTH)
  ) u_stable (
    .clk   (clk),
    .past  (past && running),
    .tdata (m_tdata),
    .tvalid(m_tvalid),
    .tready(m_tready)
  );

  f_prompt #(
    .LIMIT(2)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(running),
    .tvalid    (m_tvalid)
  );

  // Where things are in the module
  logic [31:0] ahead, of_word;  // address and place of the latch beyond those of the stream
  logic latch_valid;
  logic ran;  // was on a cycle ago
  always_ff @(posedge clk) ran <= past && running;

  assign latch_valid = u_dut.g_part[0].u_reader.g_stalled.word_valid;
  assign ahead       = 32'(place) + 32'(m_tvalid) + 32'(latch_valid);
  assign of_word     = (32'(place) + 32'(m_tvalid)) % DEPTH;

  always_comb begin
    if (past) begin
      assert (32'(place) < DEPTH || (!running && !selected));
      assert (32'(u_dut.g_part[0].address) < DEPTH || (!running && !selected));
      assert (u_dut.running == running);
      assert (running || ran || (!m_tvalid && !latch_valid));
      assert (u_dut.g_chain.u_hop.packet == packet);
      assert (u_dut.g_chain.u_hop.selected == selected);
      assert (!(running && selected));
      if (selected) begin
        assert (u_dut.g_part[0].address == at);
        assert (32'(u_dut.g_chain.u_hop.slice) == 32'(slice) && 32'(slice) < SLICES);
      end
      if (running) assert (32'(u_dut.g_part[0].address) == ahead % DEPTH);
      // What was written is in the memory, or on its way there
      if (known && u_dut.write && u_dut.g_part[0].write_address == where)
        assert (u_dut.write_word == expected);
        else if (known) assert (u_dut.g_part[0].u_memory.g_ultra.words[where] == expected);
      if (u_dut.write) assert (!running);
      // and in the registers on the way out
      if (known && running && latch_valid && of_word == 32'(where))
        assert (u_dut.g_part[0].word == expected);
      if (known && running && m_tvalid && place == where) assert (m_tdata == expected);
      if (known && !running && selected && at == where) begin
        if (quiet >= 4) assert (u_dut.g_part[0].word == expected);
        if (quiet >= 5) assert (m_tdata == expected);
      end
    end
  end

  if (SLICES == 2) begin : g_collected
    logic [31:0] first;  // slice of a word that is being written
    assign first = u_dut.g_chain.u_hop.g_slices.collected[63:32];
    always_comb if (past && selected && slice == 1 && writing) assert (first == coming[31:0]);
  end

endmodule

`default_nettype wire
