// SPDX-License-Identifier: Apache-2.0
//
// An offer that is not taken stays, word and all.
`default_nettype none

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

`default_nettype wire
