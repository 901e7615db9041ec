// SPDX-License-Identifier: Apache-2.0
//
// Memory with one port to write and one to read, whose word comes a cycle later and stays until the
// next read.
//
// FILE: hexadecimal image, DEPTH words, with which LUTs and block RAM begin. UltraRAM begins with
// nothing; in simulation the plusarg +preload fills it from FILE. The same holds for LUTs that hold a part of the
// image's words, WIDTH of the IMAGE_WIDTH bits of each. An empty FILE leaves all memories without
// contents. With WRITABLE off it is a ROM: nothing is written, and FILE must be given.
//
// UltraRAM of more than LIMIT bits is split by depth into banks, each a power of two of words, for
// Vivado refuses a longer variable (Synth 8-4556); what was read comes through a multiplexer then.
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
  parameter int unsigned IMAGE_WIDTH   = WIDTH,            // bits of a word in FILE
  parameter int unsigned IMAGE_LOW     = 0,
  parameter bit          WRITABLE      = 1,
  parameter int unsigned LIMIT         = 1_000_000,        // bits of an UltraRAM in one variable
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
  if (LIMIT < 2 * WIDTH) begin : g_illegal_limit
    $fatal(1, "kl_memory: LIMIT=%0d holds no two words of %0d bits", LIMIT, WIDTH);
  end
  if (STYLE == RAM_SRL) begin : g_illegal_style
    $fatal(1, "kl_memory: STYLE=%0d, shift registers, has no addresses", STYLE);
  end
  if (!WRITABLE && (FILE == "" || STYLE == RAM_ULTRA)) begin : g_illegal_rom
    $fatal(1, "kl_memory: a ROM needs a FILE, and LUTs or block RAM");
  end
  if (IMAGE_LOW + WIDTH > IMAGE_WIDTH) begin : g_illegal_part
    $fatal(
        1,
        "kl_memory: no %0d bits from IMAGE_LOW=%0d in words of IMAGE_WIDTH=%0d",
        WIDTH,
        IMAGE_LOW,
        IMAGE_WIDTH
    );
  end
  if (IMAGE_WIDTH != WIDTH && !(WRITABLE && STYLE == RAM_DISTRIBUTED)) begin : g_illegal_cut
    $fatal(1, "kl_memory: STYLE=%0d; parts of words are in LUTs that can be written", STYLE);
  end

  localparam int unsigned HELD = LIMIT / (WIDTH > 0 ? WIDTH : 1);  // words
  localparam int unsigned BANK_WIDTH = $clog2(HELD + 1) - 1;  // of the address in a bank
  localparam int unsigned BANKS = (DEPTH - 1) / (1 << BANK_WIDTH) + 1;
  localparam int unsigned BANK_INDEX = idx_width(BANKS);

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
  end else if (STYLE == RAM_ULTRA && BANKS > 1) begin : g_banks
    logic [WIDTH-1:0] words[BANKS];  // read last, of each bank
    logic [BANK_INDEX-1:0] bank;  // 0..BANKS-1, that was read last

    for (genvar b = 0; b < BANKS; b++) begin : g_bank
      localparam int unsigned FIRST = b << BANK_WIDTH;
      localparam int unsigned SIZE = b == BANKS - 1 ? DEPTH - FIRST : 1 << BANK_WIDTH;

      (* ram_style = "ultra" *)
      logic [WIDTH-1:0] part[SIZE];
      logic write_here, read_here;

      assign write_here = write && write_address >> BANK_WIDTH == ADDRESS_WIDTH'(b);
      assign read_here  = read && read_address >> BANK_WIDTH == ADDRESS_WIDTH'(b);
`ifndef SYNTHESIS
      logic [WIDTH-1:0] image[DEPTH];
      initial
        if (FILE != "" && $test$plusargs("preload") != 0) begin
          $readmemh(FILE, image);
          for (int i = 0; i < int'(SIZE); i++) part[i] = image[int'(FIRST)+i];
        end
`endif

      always @(posedge clk) if (write_here) part[BANK_WIDTH'(write_address)] <= write_word;
      always_ff @(posedge clk) if (read_here) words[b] <= part[BANK_WIDTH'(read_address)];
    end

    always_ff @(posedge clk) if (read) bank <= BANK_INDEX'(read_address >> BANK_WIDTH);
    assign read_word = words[bank];
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
    if (FILE != "" && IMAGE_WIDTH == WIDTH) begin : g_file
      initial $readmemh(FILE, words);
    end
`ifndef SYNTHESIS
    if (FILE != "" && IMAGE_WIDTH != WIDTH) begin : g_part_of_file
      logic [IMAGE_WIDTH-1:0] image[DEPTH];
      initial
        if ($test$plusargs("preload") != 0) begin
          $readmemh(FILE, image);
          for (int i = 0; i < int'(DEPTH); i++) words[i] = image[i][IMAGE_LOW+:WIDTH];
        end
    end
`endif

    always @(posedge clk) if (write) words[write_address] <= write_word;
    always_ff @(posedge clk) if (read) read_word <= words[read_address];
  end

  if (!WRITABLE) begin : g_unused
    logic unused;
    assign unused = &{1'b0, write, write_address, write_word};
  end

endmodule

`default_nettype wire
