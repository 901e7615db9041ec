// SPDX-License-Identifier: Apache-2.0
//
// What the proofs share. `past` is low in the first cycle, the reset, and high from then on.
`default_nettype none

// An offer that is not taken stays, word and all.
module f_stable #(
  parameter int unsigned WIDTH = 8
) (
  input wire logic             clk,
  input wire logic             past,
  input wire logic [WIDTH-1:0] tdata,
  input wire logic             tvalid,
  input wire logic             tready
);

  logic waiting;
  logic [WIDTH-1:0] offered;

  always_ff @(posedge clk) begin
    waiting <= past && tvalid && !tready;
    offered <= tdata;
  end

  always_comb if (past && waiting) assert (tvalid && tdata == offered);

endmodule

// Words put in and got out: any one of them, picked at will, comes out when those before it have,
// as it went in, and nothing comes that did not go in.
module f_track #(
  parameter int unsigned WIDTH = 8,
  parameter int unsigned HOLDS = 8,  // words inside at most
  parameter int unsigned COUNT = $clog2(HOLDS + 1)
) (
  input wire logic             clk,
  input wire logic             past,
  input wire logic             pick,      // free: this word is the one
  input wire logic             put,
  input wire logic [WIDTH-1:0] put_word,
  input wire logic             get,
  input wire logic [WIDTH-1:0] get_word,

  output logic [COUNT-1:0] held,    // words inside
  output logic             picked,  // one of them is the one
  output logic [COUNT-1:0] ahead,   // words that come out before it
  output logic [WIDTH-1:0] word
);

  always_ff @(posedge clk) begin
    if (!past) begin
      held   <= '0;
      picked <= 1'b0;
    end else begin
      held <= held + COUNT'(put) - COUNT'(get);
      if (picked && get) begin
        ahead <= ahead - 1'b1;
        if (ahead == '0) picked <= 1'b0;
      end
      if (!picked && put && pick) begin
        picked <= 1'b1;
        ahead  <= held - COUNT'(get);
        word   <= put_word;
      end
    end
  end

  always_comb begin
    if (past) begin
      assert (32'(held) <= HOLDS);
      assert (!picked || ahead < held);
      assert (!get || held != '0);
      assert (!(get && picked && ahead == '0) || get_word == word);
    end
  end

endmodule

// Within LIMIT cycles of words inside there is an offer.
module f_prompt #(
  parameter int unsigned LIMIT = 1
) (
  input wire logic clk,
  input wire logic past,
  input wire logic inside_any,
  input wire logic tvalid
);

  logic [7:0] idle;

  always_ff @(posedge clk) idle <= past && inside_any && !tvalid ? idle + 1'b1 : '0;

  always_comb if (past) assert (32'(idle) <= LIMIT);

endmodule

// The words of a kl_fifo lie where they should: output register, latch, memory with the oldest
// first.
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
