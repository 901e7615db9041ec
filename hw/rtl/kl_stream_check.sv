// SPDX-License-Identifier: Apache-2.0
//
// Run-time check of a stream, beside the register that drives it: an offer that is not taken
// stays, with the same word. Simulation only.
`default_nettype none

module kl_stream_check #(
  parameter int unsigned WIDTH = 8  // bits of a word
) (
  input wire logic clk,
  input wire logic rst_n,

  input wire logic [WIDTH-1:0] tdata,
  input wire logic             tvalid,
  input wire logic             tready
);

`ifndef SYNTHESIS
  a_stable :
  assert property (@(posedge clk) disable iff (!rst_n) tvalid && !tready |=> tvalid && $stable(
      tdata
  ))
  else $error("%m: changed an offer that was not taken");
`endif

endmodule

`default_nettype wire
