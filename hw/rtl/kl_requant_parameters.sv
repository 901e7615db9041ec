// SPDX-License-Identifier: Apache-2.0
//
// Parameters of a requantisation: a word of the memory for each word of the stream, fold after
// fold, a cycle behind. Part of kl_requant and kl_requant_add.
`default_nettype none

module kl_requant_parameters
  import kl_pkg::*;
#(
  parameter int unsigned WIDTH = 66,  // bits of a word
  parameter int unsigned DEPTH = 1,  // words, one a fold
  parameter PARAM_FILE = ""  // hexadecimal, DEPTH words
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic             step,  // a word of the stream was accepted
  output logic      [WIDTH-1:0] word   // for the word accepted a cycle ago
);

  localparam int unsigned FOLD_WIDTH = idx_width(DEPTH);

  (* rom_style = "distributed" *)
  logic [WIDTH-1:0] params[DEPTH];
  initial $readmemh(PARAM_FILE, params);

  logic [FOLD_WIDTH-1:0] fold;  // 0..DEPTH-1

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold <= '0;
    end else if (step) begin
      fold <= fold == FOLD_WIDTH'(DEPTH - 1) ? '0 : fold + 1'b1;
    end
  end

  always_ff @(posedge clk) word <= params[fold];

endmodule

`default_nettype wire
