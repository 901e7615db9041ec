// SPDX-License-Identifier: Apache-2.0
//
// One hop of the chain of weight memories: follows the packets for memory CHAIN_ID, passes all on.
//
// A hop is two registers, so that the choice of a slice stands before the way to the next hop;
// nothing stalls. See kl_weight_stream for the packets. The memory's address
// is outside: `restart` sets it to 0, `load` to `load_address`, `step` is the last slice of a word
// that was written or read. `write` and `write_word` follow `step` by a cycle.
`default_nettype none

module kl_chain_hop
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH         = 8,                // bits of a word
  parameter int unsigned DEPTH         = 1,                // words
  parameter int unsigned CHAIN_ID      = 0,                // index on the chain
  parameter int unsigned ADDRESS_WIDTH = idx_width(DEPTH)
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire chain_t chain_in,
  output chain_t      chain_out,

  output logic                          running,       // the memory streams
  output logic                          restart,
  output logic                          load,
  output logic      [ADDRESS_WIDTH-1:0] load_address,
  output logic                          step,
  input  wire logic                     at_last,       // the address is that of the last word

  output logic                  write,
  output logic      [WIDTH-1:0] write_word,
  input  wire logic [WIDTH-1:0] read_word    // at the address since 16 cycles
);

  localparam int unsigned SLICES = (WIDTH + 31) / 32;
  localparam int unsigned CHUNK = 8;  // slices behind one enable
  localparam int unsigned SLICE_WIDTH = idx_width(SLICES);

  chain_t packet;  // in this hop
  logic selected;  // the next slice is this memory's
  logic [SLICE_WIDTH-1:0] slice;  // 0..SLICES-1, the next
  logic use_slice;
  logic [SLICES-1:0][31:0] slices;  // of the word read

  always_ff @(posedge clk) begin
    packet <= chain_in;
    if (!rst_n) begin
      packet.run   <= 1'b0;
      packet.valid <= 1'b0;
    end
  end

  assign load = packet.valid && !packet.run && packet.kind == CHAIN_SELECT &&
      packet.data[31:20] == 12'(CHAIN_ID) && 21'(packet.data[19:0]) < 21'(DEPTH);
  assign load_address = packet.data[ADDRESS_WIDTH-1:0];
  assign restart = packet.run && !running;
  assign use_slice    = packet.valid && !packet.run && selected &&
      (packet.kind == CHAIN_WRITE || packet.kind == CHAIN_READ);
  assign step = use_slice && slice == SLICE_WIDTH'(SLICES - 1);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      running  <= 1'b0;
      selected <= 1'b0;
      write    <= 1'b0;
    end else begin
      running <= packet.run;
      write   <= step && packet.kind == CHAIN_WRITE;
      if (packet.valid && packet.kind == CHAIN_SELECT) selected <= load;
      else if (packet.run || (step && at_last)) selected <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    if (load) slice <= '0;
    else if (use_slice) slice <= step ? '0 : slice + 1'b1;
  end

  // Write: slices come in at the top of a chunk and move down, until its first is at the bottom
  if (SLICES == 1) begin : g_one_slice
    always_ff @(posedge clk) write_word <= packet.data[WIDTH-1:0];
  end else begin : g_slices
    logic [SLICES*32-1:0] collected;

    for (genvar first = 0; first < int'(SLICES); first += int'(CHUNK)) begin : g_chunk
      localparam int unsigned LOW = first * 32;
      localparam int unsigned BITS = SLICES - first < CHUNK ? SLICES * 32 - LOW : CHUNK * 32;

      always_ff @(posedge clk) begin
        if (use_slice && 32'(slice) / CHUNK == first / CHUNK)
          collected[LOW+:BITS] <= BITS'({packet.data, collected[LOW+:BITS]} >> 32);
      end
    end
    assign write_word = collected[WIDTH-1:0];
  end

  assign slices = (SLICES * 32)'(read_word);

  always_ff @(posedge clk) begin
    chain_out       <= packet;
    chain_out.taken <= packet.taken || load || use_slice;
    if (use_slice && packet.kind == CHAIN_READ) chain_out.data <= slices[slice];
    if (!rst_n) begin
      chain_out.run   <= 1'b0;
      chain_out.valid <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  int unsigned settled;  // cycles since the last packet
  always_ff @(posedge clk) settled <= packet.valid || !rst_n ? 1 : settled + 32'(settled != 16);

  a_settled :
  assert property (@(posedge clk) disable iff (!rst_n)
                   use_slice && packet.kind == CHAIN_READ |-> settled == 16)
  else $error("%m: READ %0d cycles after the packet before; leave 16", settled);
`endif

endmodule

`default_nettype wire
