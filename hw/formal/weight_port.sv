// SPDX-License-Identifier: Apache-2.0
//
// kl_weight_port before a chain of HOPS registers, two a memory, of which nothing else is assumed: no
// read takes longer than LIMIT cycles, and while none is under way every write is taken at once, so
// nothing hangs, streams running or not. A READ leaves 16 cycles after the packet before, as the
// memories need it; its answer is what came back. The account of packets is exact.
`default_nettype none

module weight_port
  import kl_pkg::*;
#(
  parameter int unsigned HOPS  = 4,
  parameter int unsigned LIMIT = 16 + HOPS + 4
) (
  input wire logic                  clk,
  input wire logic [     7:0]       awaddr,
  input wire logic                  awvalid,
  input wire logic [    35:0]       wdata,
  input wire logic                  wvalid,
  input wire logic                  bready,
  input wire logic [     7:0]       araddr,
  input wire logic                  arvalid,
  input wire logic                  rready,
  input wire logic [HOPS-1:0]       taken,    // a memory follows the packet that leaves its hop
  input wire logic [HOPS-1:0][31:0] data      // and puts this into it, if it is a READ
);

  logic past = 1'b0;
  logic awready, wready, bvalid, arready, rvalid, running, error;
  logic [1:0] bresp, rresp;
  logic [31:0] rdata;
  chain_t chain_out;
  chain_t [HOPS:0] chain;  // 0 from the port, HOPS to it

  always_ff @(posedge clk) past <= 1'b1;

  kl_weight_port #(
    .MEMORIES(HOPS / 2)
  ) u_dut (
    .clk           (clk),
    .rst_n         (past),
    .s_axil_awaddr (awaddr),
    .s_axil_awvalid(awvalid),
    .s_axil_awready(awready),
    .s_axil_wdata  (wdata[31:0]),
    .s_axil_wstrb  (wdata[35:32]),
    .s_axil_wvalid (wvalid),
    .s_axil_wready (wready),
    .s_axil_bresp  (bresp),
    .s_axil_bvalid (bvalid),
    .s_axil_bready (bready),
    .s_axil_araddr (araddr),
    .s_axil_arvalid(arvalid),
    .s_axil_arready(arready),
    .s_axil_rdata  (rdata),
    .s_axil_rresp  (rresp),
    .s_axil_rvalid (rvalid),
    .s_axil_rready (rready),
    .chain_out     (chain_out),
    .chain_in      (chain[HOPS]),
    .running       (running),
    .error         (error)
  );

  assign chain[0] = chain_out;
  for (genvar i = 0; i < HOPS; i++) begin : g_hop
    chain_t packet;
    always_ff @(posedge clk) begin
      packet <= chain[i];
      if (!past) begin
        packet.run   <= 1'b0;
        packet.valid <= 1'b0;
      end
    end
    always_comb begin
      chain[i+1]       = packet;
      chain[i+1].taken = packet.taken || taken[i];
      if (packet.kind == CHAIN_READ && taken[i]) chain[i+1].data = data[i];
    end
  end

  // Packets on the way, reads among them, and how far from the port the last of these is
  logic [7:0] packets, reads, way;
  logic [4:0] quiet;  // cycles since a packet left, at most 16
  logic [7:0] age;  // of the read of DATA that is under way
  logic [31:0] came;

  always_comb begin
    packets = 8'(u_dut.tail.valid);
    reads   = 8'(u_dut.tail.valid && u_dut.tail.kind == CHAIN_READ);
    way     = 8'd1;
    for (int unsigned i = 0; i <= HOPS; i++) begin
      packets += 8'(chain[i].valid);
      if (chain[i].valid && chain[i].kind == CHAIN_READ) begin
        reads += 8'd1;
        way = 8'(HOPS + 2 - i);
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!past) begin
      quiet <= 5'd1;
      age   <= '0;
    end else begin
      quiet <= u_dut.send_valid ? 5'd1 : quiet + 5'(quiet < 16);
      age   <= u_dut.reading && !u_dut.read_answer ? age + 1'b1 : '0;
    end
    came <= u_dut.tail.taken ? u_dut.tail.data : '0;
  end

  logic answered;  // in the cycle before, with the word of a memory
  always_ff @(posedge clk) answered <= past && u_dut.reading && u_dut.read_answer;

  always_comb begin
    if (past) begin
      assert (32'(u_dut.packets) == 32'(packets));
      assert (reads == 8'(u_dut.asked));
      assert (!u_dut.asked || u_dut.reading);
      assert (32'(arready) + 32'(u_dut.read_valid) + 32'(rvalid) == 1);
      assert (32'(u_dut.settle) + 32'(quiet) == 16);
      assert (!(u_dut.send_valid && u_dut.send_kind == CHAIN_READ) || quiet >= 16);
      // Age and the cycles still to come
      if (u_dut.asked)
        assert (32'(age) + 32'(way) <= LIMIT);
        else if (u_dut.reading) assert (32'(age) + 32'(u_dut.settle) + HOPS + 3 <= LIMIT);
      assert (32'(age) <= LIMIT);
      // Nothing else holds up a write, or a read of another register
      assert (u_dut.take == (u_dut.write_valid && !u_dut.reading));
      assert (u_dut.reading || u_dut.read_answer == u_dut.read_valid);
      if (answered) assert (rvalid && rdata == came);
    end
  end

endmodule

`default_nettype wire
