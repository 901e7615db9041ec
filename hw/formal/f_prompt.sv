// SPDX-License-Identifier: Apache-2.0
//
// Within LIMIT cycles of words inside there is an offer.
`default_nettype none

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

`default_nettype wire
