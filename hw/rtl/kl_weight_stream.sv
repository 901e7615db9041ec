// SPDX-License-Identifier: Apache-2.0
//
// Weight memory: streams DEPTH words in a circle, one a cycle, for as long as they are taken.
//
// Memory image FILE: hexadecimal, DEPTH words of WIDTH bits in the order of the stream, see
// kl_memory. The timing of the stream is that of kl_weight_reader with READ_REGS.
//
// CHAIN = 0: a constant memory; the stream begins with the end of reset.
// CHAIN = 1: the memory is one hop of the chain from kl_weight_port through all memories and back.
// It streams from word 0 while `run` comes down the chain, offers nothing otherwise, and can then
// be written and read by packets (kl_pkg::chain_t):
//   SELECT  data = memory CHAIN_ID [31:20], word [19:0]; begins at slice 0 of that word
//   WRITE   data = next slice; a word of WIDTH bits has ceil(WIDTH/32), the lowest bits first, and
//           is written with its last
//   READ    the next slice is put into data; 16 cycles after the packet before
// The memory that follows a packet sets `taken`. After the last word it takes no further slice.
//
// PARTS: the word is cut into as many of equal width, each with a memory, an address, registers and
// an enable of its own, which all do the same, so that no enable is wider than its part.
`default_nettype none

module kl_weight_stream
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH     = 8,          // bits of a word
  parameter int unsigned DEPTH     = 1,          // words, at most 2**20
  parameter ram_style_e  RAM_STYLE = RAM_BLOCK,  // all but RAM_SRL
  parameter              FILE      = "",
  parameter int unsigned READ_REGS = 0,          // registers between memory and output fifo, 0..8
  parameter bit          CHAIN     = 0,          // on the chain
  parameter int unsigned CHAIN_ID  = 0,          // index on the chain, 0..4095
  parameter int unsigned PARTS     = 1           // divides WIDTH; 1 but for LUTs on the chain
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire chain_t chain_in,  // '0 where CHAIN = 0
  output chain_t      chain_out, // '0 where CHAIN = 0

  output logic      [WIDTH-1:0] m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  if (WIDTH < 1) begin : g_illegal_width
    $fatal(1, "kl_weight_stream: WIDTH=%0d is not positive", WIDTH);
  end
  if (DEPTH < 1 || DEPTH > 1 << 20) begin : g_illegal_depth
    $fatal(1, "kl_weight_stream: DEPTH=%0d is not in 1..1048576", DEPTH);
  end
  if (RAM_STYLE == RAM_SRL) begin : g_illegal_style
    $fatal(1, "kl_weight_stream: RAM_STYLE=%0d, shift registers, has no addresses", RAM_STYLE);
  end
  if (FILE == "") begin : g_illegal_file
    $fatal(1, "kl_weight_stream: FILE is empty; name the memory image");
  end
  if (READ_REGS > 8) begin : g_illegal_registers
    $fatal(1, "kl_weight_stream: READ_REGS=%0d is not in 0..8", READ_REGS);
  end
  if (RAM_STYLE == RAM_ULTRA && !CHAIN) begin : g_illegal_ultra
    $fatal(1, "kl_weight_stream: UltraRAM with CHAIN=0 has no contents; set CHAIN=1");
  end
  if (CHAIN_ID > 4095) begin : g_illegal_id
    $fatal(1, "kl_weight_stream: CHAIN_ID=%0d is not in 0..4095", CHAIN_ID);
  end

  if (PARTS < 1 || WIDTH % PARTS != 0) begin : g_illegal_parts
    $fatal(1, "kl_weight_stream: PARTS=%0d does not divide WIDTH=%0d", PARTS, WIDTH);
  end
  if (PARTS != 1 && (!CHAIN || RAM_STYLE != RAM_DISTRIBUTED)) begin : g_illegal_cut
    $fatal(1, "kl_weight_stream: PARTS=%0d; only LUTs on the chain are cut", PARTS);
  end

  localparam int unsigned PART_WIDTH = WIDTH / PARTS;
  localparam int unsigned ADDRESS_WIDTH = idx_width(DEPTH);
  localparam logic [ADDRESS_WIDTH-1:0] LAST = ADDRESS_WIDTH'(DEPTH - 1);

  logic running;  // the stream is on
  logic [WIDTH-1:0] last_word;
  logic [PARTS-1:0] valid;  // of the parts; all the same
  logic write;
  logic [WIDTH-1:0] write_word;
  logic restart, load, step;  // of the addresses
  logic [ADDRESS_WIDTH-1:0] load_address;
  logic at_last;

  assign m_axis_tvalid = valid[0];

  for (genvar p = 0; p < int'(PARTS); p++) begin : g_part
    localparam int unsigned LOW = p * PART_WIDTH;
    (* keep = "true" *)
    logic [ADDRESS_WIDTH-1:0] address;  // 0..DEPTH-1, read in this cycle
    logic [ADDRESS_WIDTH-1:0] next_address, write_address;
    logic read, fetch;
    logic [PART_WIDTH-1:0] word;

    assign next_address = address == LAST ? '0 : address + 1'b1;

    kl_memory #(
      .WIDTH      (PART_WIDTH),
      .DEPTH      (DEPTH),
      .STYLE      (RAM_STYLE),
      .FILE       (FILE),
      .IMAGE_WIDTH(WIDTH),
      .IMAGE_LOW  (LOW),
      .WRITABLE   (CHAIN)
    ) u_memory (
      .clk          (clk),
      .write        (write),
      .write_address(write_address),
      .write_word   (write_word[LOW+:PART_WIDTH]),
      .read         (read),
      .read_address (address),
      .read_word    (word)
    );

    kl_weight_reader #(
      .WIDTH    (PART_WIDTH),
      .READ_REGS(READ_REGS)
    ) u_reader (
      .clk          (clk),
      .rst_n        (rst_n),
      .running      (running),
      .read         (read),
      .fetch        (fetch),
      .word         (word),
      .last_word    (last_word[LOW+:PART_WIDTH]),
      .m_axis_tdata (m_axis_tdata[LOW+:PART_WIDTH]),
      .m_axis_tvalid(valid[p]),
      .m_axis_tready(m_axis_tready)
    );

    always_ff @(posedge clk) begin
      write_address <= address;
      if (restart) address <= '0;
      else if (load) address <= load_address;
      else if (fetch || step) address <= next_address;
    end
  end

  assign at_last = g_part[0].address == LAST;

`ifndef SYNTHESIS
  a_parts :
  assert property (@(posedge clk) disable iff (!rst_n) valid == {PARTS{valid[0]}})
  else $error("%m: the parts of a word do not come together: %b", valid);
`endif

  if (CHAIN) begin : g_chain
    kl_chain_hop #(
      .WIDTH   (WIDTH),
      .DEPTH   (DEPTH),
      .CHAIN_ID(CHAIN_ID)
    ) u_hop (
      .clk         (clk),
      .rst_n       (rst_n),
      .chain_in    (chain_in),
      .chain_out   (chain_out),
      .running     (running),
      .restart     (restart),
      .load        (load),
      .load_address(load_address),
      .step        (step),
      .at_last     (at_last),
      .write       (write),
      .write_word  (write_word),
      .read_word   (last_word)
    );
  end else begin : g_constant
    assign running      = 1'b1;
    assign write        = 1'b0;
    assign write_word   = '0;
    assign restart      = !rst_n;
    assign load         = 1'b0;
    assign load_address = '0;
    assign step         = 1'b0;
    assign chain_out    = '0;

    logic unused;
    assign unused = &{1'b0, chain_in, last_word, at_last};
  end

endmodule

`default_nettype wire
