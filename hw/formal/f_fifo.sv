// SPDX-License-Identifier: Apache-2.0
//
// The words of a kl_fifo lie where they should: output register, latch, memory with the oldest
// first.
`default_nettype none

module f_fifo #(
  parameter int unsigned WIDTH  = 8,
  parameter int unsigned DEPTH  = 4,
  parameter int unsigned COUNT  = 4,
  parameter int unsigned STORED = $clog2(DEPTH + 1)
) (
  input wire logic                         past,
  input wire logic [ COUNT-1:0]            held,
  input wire logic                         picked,
  input wire logic [ COUNT-1:0]            ahead,
  input wire logic [ WIDTH-1:0]            word,
  input wire logic [STORED-1:0]            stored,
  input wire logic [ DEPTH-1:0][WIDTH-1:0] memory,
  input wire logic                         latch_valid,
  input wire logic [ WIDTH-1:0]            latch,
  input wire logic                         out_valid,
  input wire logic [ WIDTH-1:0]            out_word
);

  logic [COUNT-1:0] before_memory;

  assign before_memory = COUNT'(out_valid) + COUNT'(latch_valid);

  always_comb begin
    if (past) begin
      assert (32'(stored) <= DEPTH);
      assert (32'(held) == 32'(stored) + 32'(before_memory));
      if (picked) begin
        if (out_valid && ahead == '0)
          assert (out_word == word);
          else if (latch_valid && ahead == COUNT'(out_valid))
            assert (latch == word);
            else assert (memory[32'(ahead-before_memory)%DEPTH] == word);
      end
    end
  end

endmodule

`default_nettype wire
