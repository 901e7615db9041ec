// SPDX-License-Identifier: Apache-2.0
//
// Weight memory: streams DEPTH words in a circle, one a cycle, for as long as they are taken.
//
// Memory image FILE: hexadecimal, DEPTH words of WIDTH bits in the order of the stream.
// First word 2 cycles after reset, then one word a cycle. The memory has one read port with its own
// output register, both stopped together while a word waits, so that it maps to LUT, block or
// UltraRAM at full clock. m_axis_* are registered; m_axis_tready reaches clock enables only.
`default_nettype none

module weight_stream #(
  parameter int unsigned WIDTH     = 8,        // bits of a word
  parameter int unsigned DEPTH     = 1,        // words
  parameter              RAM_STYLE = "block",  // "distributed", "block" or "ultra"
  parameter              FILE      = ""
) (
  input  wire logic             clk,
  input  wire logic             rst_n,

  output logic [WIDTH-1:0]      m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);

  /* verilator lint_off WIDTHEXPAND */ // literals of unequal length
  localparam bit STYLE_KNOWN =
      RAM_STYLE == "distributed" || RAM_STYLE == "block" || RAM_STYLE == "ultra";
  /* verilator lint_on WIDTHEXPAND */

  if (WIDTH < 1) begin : g_illegal_width
    $fatal(1, "weight_stream: WIDTH=%0d is not positive", WIDTH);
  end
  if (DEPTH < 1) begin : g_illegal_depth
    $fatal(1, "weight_stream: DEPTH=%0d is not positive", DEPTH);
  end
  if (!STYLE_KNOWN) begin : g_illegal_style
    $fatal(1, "weight_stream: RAM_STYLE=\"%0s\" is unknown; use distributed, block or ultra",
           RAM_STYLE);
  end
  if (FILE == "") begin : g_illegal_file
    $fatal(1, "weight_stream: FILE is empty; name the memory image");
  end

  localparam int unsigned ADDRESS_WIDTH = DEPTH > 1 ? $clog2(DEPTH) : 1;

  (* ram_style = RAM_STYLE *)
  logic [WIDTH-1:0] words[DEPTH];
  initial $readmemh(FILE, words);

  logic                     advance;
  logic [ADDRESS_WIDTH-1:0] address;  // 0..DEPTH-1
  logic                     valid_1;  // word_1 holds a word
  logic [WIDTH-1:0]         word_1;

  assign advance = !m_axis_tvalid || m_axis_tready;

  always_ff @(posedge clk) begin
    if (advance) begin
      word_1       <= words[address];
      m_axis_tdata <= word_1;
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      address       <= '0;
      valid_1       <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end else if (advance) begin
      address       <= address == ADDRESS_WIDTH'(DEPTH - 1) ? '0 : address + 1'b1;
      valid_1       <= 1'b1;
      m_axis_tvalid <= valid_1;
    end
  end

endmodule

`default_nettype wire
