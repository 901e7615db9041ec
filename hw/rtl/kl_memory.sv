// SPDX-License-Identifier: Apache-2.0
//
// Memory with one port to write and one to read, whose word comes a cycle later and stays until the
// next read.
//
// FILE: hexadecimal image, DEPTH words, with which LUTs and block RAM begin. UltraRAM begins with
// nothing; in simulation the plusarg +preload fills it from FILE. An empty FILE leaves all memories
// without contents. With WRITABLE off it is a ROM: nothing is written, and FILE must be given.
//
// Each style stands by itself, since the attribute that synthesis reads must be a plain string.
`default_nettype none

module kl_memory
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH         = 8,                // bits of a word
  parameter int unsigned DEPTH         = 16,               // words
  parameter ram_style_e  STYLE         = RAM_BLOCK,        // all but RAM_SRL
  parameter              FILE          = "",
  parameter bit          WRITABLE      = 1,
  parameter int unsigned ADDRESS_WIDTH = idx_width(DEPTH)
) (
  input wire logic clk,

  input wire logic                     write,
  input wire logic [ADDRESS_WIDTH-1:0] write_address,  // 0..DEPTH-1
  input wire logic [        WIDTH-1:0] write_word,

  input  wire logic                     read,
  input  wire logic [ADDRESS_WIDTH-1:0] read_address,  // 0..DEPTH-1
  output logic      [        WIDTH-1:0] read_word
);

  if (WIDTH < 1 || DEPTH < 1) begin : g_illegal_size
    $fatal(1, "kl_memory: WIDTH=%0d and DEPTH=%0d must be at least 1", WIDTH, DEPTH);
  end
  if (STYLE == RAM_SRL) begin : g_illegal_style
    $fatal(1, "kl_memory: STYLE=%0d, shift registers, has no addresses", STYLE);
  end
  if (!WRITABLE && (FILE == "" || STYLE == RAM_ULTRA)) begin : g_illegal_rom
    $fatal(1, "kl_memory: a ROM needs a FILE, and LUTs or block RAM");
  end

  // A memory that a file fills is written in always blocks, as it has two sources
  if (!WRITABLE && STYLE == RAM_BLOCK) begin : g_block_rom
    (* rom_style = "block" *)
    logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);

    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end else if (!WRITABLE) begin : g_lut_rom
    (* rom_style = "distributed" *)
    logic [WIDTH-1:0] words[DEPTH];
    initial $readmemh(FILE, words);

    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end else if (STYLE == RAM_ULTRA) begin : g_ultra
    (* ram_style = "ultra" *)
    logic [WIDTH-1:0] words[DEPTH];
`ifndef SYNTHESIS
    initial if (FILE != "" && $test$plusargs("preload") != 0) $readmemh(FILE, words);
`endif

    always @(posedge clk) if (write) words[write_address] <= write_word;
    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end else if (STYLE == RAM_BLOCK) begin : g_block
    (* ram_style = "block" *)
    logic [WIDTH-1:0] words[DEPTH];
    if (FILE != "") begin : g_file
      initial $readmemh(FILE, words);
    end

    always @(posedge clk) if (write) words[write_address] <= write_word;
    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end else begin : g_lut
    (* ram_style = "distributed" *)
    logic [WIDTH-1:0] words[DEPTH];
    if (FILE != "") begin : g_file
      initial $readmemh(FILE, words);
    end

    always @(posedge clk) if (write) words[write_address] <= write_word;
    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end

  if (!WRITABLE) begin : g_unused
    logic unused;
    assign unused = &{1'b0, write, write_address, write_word};
  end

endmodule

`default_nettype wire
