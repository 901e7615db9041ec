// SPDX-License-Identifier: Apache-2.0
//
// Words put in and got out: any one of them, picked at will, comes out when those before it have,
// as it went in, and nothing comes that did not go in.
`default_nettype none

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

`default_nettype wire
