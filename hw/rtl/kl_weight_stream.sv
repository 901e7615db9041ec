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
  parameter int unsigned CHAIN_ID  = 0           // index on the chain, 0..4095
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

  localparam int unsigned ADDRESS_WIDTH = idx_width(DEPTH);
  localparam logic [ADDRESS_WIDTH-1:0] LAST = ADDRESS_WIDTH'(DEPTH - 1);

  logic running;  // the stream is on
  logic [ADDRESS_WIDTH-1:0] address, next_address;  // 0..DEPTH-1, read in this cycle; after it
  logic read, fetch;
  logic [WIDTH-1:0] word, last_word;
  logic write;
  logic [ADDRESS_WIDTH-1:0] write_address;
  logic [WIDTH-1:0] write_word;

  assign next_address = address == LAST ? '0 : address + 1'b1;

  kl_memory #(
    .WIDTH   (WIDTH),
    .DEPTH   (DEPTH),
    .STYLE   (RAM_STYLE),
    .FILE    (FILE),
    .WRITABLE(CHAIN)
  ) u_memory (
    .clk          (clk),
    .write        (write),
    .write_address(write_address),
    .write_word   (write_word),
    .read         (read),
    .read_address (address),
    .read_word    (word)
  );

  kl_weight_reader #(
    .WIDTH    (WIDTH),
    .READ_REGS(READ_REGS)
  ) u_reader (
    .clk          (clk),
    .rst_n        (rst_n),
    .running      (running),
    .read         (read),
    .fetch        (fetch),
    .word         (word),
    .last_word    (last_word),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  if (CHAIN) begin : g_chain
    logic restart, load, step;
    logic [ADDRESS_WIDTH-1:0] load_address;

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
      .at_last     (address == LAST),
      .write       (write),
      .write_word  (write_word),
      .read_word   (last_word)
    );

    always_ff @(posedge clk) begin
      write_address <= address;
      if (restart) address <= '0;
      else if (load) address <= load_address;
      else if (fetch || step) address <= next_address;
    end
  end else begin : g_constant
    assign running       = 1'b1;
    assign write         = 1'b0;
    assign write_address = '0;
    assign write_word    = '0;
    assign chain_out     = '0;

    always_ff @(posedge clk) begin
      if (!rst_n) address <= '0;
      else if (fetch) address <= next_address;
    end

    logic unused;
    assign unused = &{1'b0, chain_in, last_word};
  end

endmodule

`default_nettype wire
