// SPDX-License-Identifier: Apache-2.0
//
// kl_dense_output behind an array that claims only while there is room and pushes what it claimed:
// the account of places is exact, and for each group of SHARE pixels the words of the first leave,
// then those of the next, none lost, none twice; offers stay; no hang.
//
// Words that are pushed have numbers modulo 16, and place number % PLACES of the ring.
`default_nettype none

module dense_output #(
  parameter int unsigned WIDTH     = 2,
  parameter int unsigned PIXELS    = 2,
  parameter int unsigned SHARE     = 2,
  parameter int unsigned OUT_FOLDS = 2,
  parameter int unsigned PLACES    = 4   // 4 or 8
) (
  input wire logic                        clk,
  input wire logic                        claim,
  input wire logic                        push,
  input wire logic [SHARE-1:0][WIDTH-1:0] sums,
  input wire logic                        m_tready,
  input wire logic                        pick
);

  localparam int unsigned PERIOD = PIXELS % SHARE != 0 ? PIXELS : SHARE;

  // Where the stream stands: group that begins with word `base`, its `fold`, pixel of the frame
  typedef struct packed {
    logic [3:0] base;
    logic [3:0] fold;
    logic [3:0] pixel;
  } place_t;

  function automatic place_t after(place_t at);
    logic last_pixel, ends;
    last_pixel = 32'(at.pixel) == PERIOD - 1;
    ends       = 32'(at.pixel) % SHARE == SHARE - 1 || last_pixel;  // of the group
    after      = at;
    after.fold = at.fold + 1'b1;
    if (32'(at.fold) == OUT_FOLDS - 1) begin
      after.fold  = '0;
      after.pixel = last_pixel ? '0 : at.pixel + 1'b1;
      if (ends) after.base = at.base + 4'(OUT_FOLDS);
    end
  endfunction

  logic past = 1'b0;
  logic room, settled, m_tvalid, picked;
  logic [WIDTH-1:0] m_tdata;
  logic [SHARE-1:0][WIDTH-1:0] words;
  logic [3:0] pushed, under_way, number;
  place_t out, next;  // of the next word to be taken; of the next to be read from the ring

  always_ff @(posedge clk) begin
    past    <= 1'b1;
    settled <= past;
    if (!past) begin
      pushed    <= '0;
      under_way <= '0;
      out       <= '0;
      picked    <= 1'b0;
    end else begin
      pushed    <= pushed + 4'(push);
      under_way <= under_way + 4'(claim) - 4'(push);
      if (m_tvalid && m_tready) out <= after(out);
      if (push && !picked && pick) begin
        picked <= 1'b1;
        number <= pushed;
        words  <= sums;
      end
      if (picked && 32'(4'(next.base - number)) < 8 && next.base != number) picked <= 1'b0;
    end
  end

  always_comb assume (!claim || (past && room));
  always_comb assume (!push || (past && under_way != '0));

  kl_dense_output #(
    .WIDTH    (WIDTH),
    .PIXELS   (PIXELS),
    .SHARE    (SHARE),
    .OUT_FOLDS(OUT_FOLDS),
    .PLACES   (PLACES)
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .room         (room),
    .claim        (claim),
    .push         (push),
    .sums         (sums),
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

  logic [3:0] here, freed, behind_first, behind_last, age;
  logic first_slot, last_slot;  // of the group

  assign next         = m_tvalid ? after(out) : out;
  assign here         = out.base + out.fold;
  assign first_slot   = 32'(next.pixel) % SHARE == 0;
  assign last_slot    = 32'(next.pixel) % SHARE == SHARE - 1 || 32'(next.pixel) == PERIOD - 1;
  assign freed        = next.base + (last_slot ? next.fold : 4'd0);
  // Words from the next to be read of the first and last slot to the last that was pushed
  assign behind_first = pushed - next.base - (first_slot ? next.fold : 4'(OUT_FOLDS));
  assign behind_last  = pushed - freed;
  assign age          = pushed - number;  // 1: the last that was pushed

  f_prompt #(
    .LIMIT(1)
  ) u_prompt (
    .clk       (clk),
    .past      (past),
    .inside_any(behind_first != '0 || !first_slot),
    .tvalid    (m_tvalid)
  );

  always_comb begin
    if (past) begin
      // The account
      assert (32'(u_dut.free) + 32'(under_way) + 32'(behind_last) == PLACES);
      assert (32'(under_way) <= PLACES && 32'(behind_last) <= PLACES);
      assert (behind_first <= behind_last);
      if (settled) assert (room == (u_dut.free != '0));
      // The model and the module stand at the same place
      assert (32'(out.fold) < OUT_FOLDS && 32'(out.pixel) < PERIOD);
      assert (32'(u_dut.fold) == 32'(next.fold) && 32'(u_dut.pixel) == 32'(next.pixel));
      assert (32'(u_dut.write_at) == 32'(pushed) % PLACES);
      assert (32'(u_dut.group_at) == 32'(next.base) % PLACES);
      assert (32'(u_dut.read_at) == 32'(next.base + next.fold) % PLACES);
      assert (32'(u_dut.fresh) == 32'(behind_first));
      // A group is read again only when all of it is there
      assert (first_slot || 32'(4'(pushed - next.base)) >= OUT_FOLDS);
      // The picked word leaves as it came, see below for where it lies
      if (picked) begin
        assert (age != '0 && 32'(age) <= PLACES + OUT_FOLDS);
        if (m_tvalid && here == number) assert (m_tdata == words[32'(out.pixel)%SHARE]);
      end
    end
  end

  // The picked word lies in its place until it has left from the last slot
  for (genvar s = 0; s < int'(SHARE); s++) begin : g_slot
    always_comb begin
      if (past && picked && 32'(age) <= 32'(behind_last))
        assert (u_dut.g_slot[s].ring[32'(number)%PLACES] == words[s]);
    end
  end

endmodule

`default_nettype wire
