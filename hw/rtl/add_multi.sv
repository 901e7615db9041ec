// SPDX-License-Identifier: Apache-2.0
//
// Sum of N arguments in a pipelined tree; stands in for the adder tree of FINN's dense unit, whose
// own does not elaborate in Verilator.
//
// The arguments are unsigned, or signed when ARG_LO < 0. Level l of the tree adds the values of the
// level before in pairs and has ceil(N / 2**l) of them, one bit wider at most. The DEPTH registers
// are spread evenly over the levels; what exceeds the levels follows the tree.
// Latency DEPTH cycles, one sum a cycle. All registers stop while en is low and clear on rst; with
// RESET_ZERO off their value after rst is arbitrary, it is zero here too.
`default_nettype none

module add_multi
  import mvu_pkg::*;
#(
  parameter int unsigned N,  // arguments
  parameter int unsigned DEPTH,  // registers from arg to sum
  parameter int unsigned ARG_WIDTH,  // bits of an argument
  parameter int ARG_LO = 0,  // range of an argument; 0..0: that of its width
  parameter int ARG_HI = 0,
  /* verilator lint_off UNUSEDPARAM */  // part of FINN's interface
  parameter bit RESET_ZERO = 1,
  /* verilator lint_on UNUSEDPARAM */
  localparam int unsigned SUM_WIDTH = sumwidth(N, ARG_WIDTH, longint'(ARG_LO), longint'(ARG_HI))
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic en,

  input  wire logic [ARG_WIDTH-1:0] arg[N],
  output logic      [SUM_WIDTH-1:0] sum
);

  if (N < 1) begin : g_illegal_n
    $fatal(1, "add_multi: N=%0d is not positive", N);
  end

  localparam bit SIGNED = ARG_LO < 0;
  localparam int unsigned LEVELS = $clog2(N);
  localparam int unsigned SHARE = LEVELS > 0 ? LEVELS : 1;
  localparam int unsigned SPREAD = DEPTH < LEVELS ? DEPTH : LEVELS;  // registers in the tree
  localparam int unsigned TRAILING = DEPTH - SPREAD;  // registers behind it

  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    localparam int unsigned BELOW = l > 0 ? l - 1 : 0;
    localparam int unsigned COUNT = (N + (1 << l) - 1) >> l;
    localparam int unsigned PAIRS = (N + (1 << BELOW) - 1) >> BELOW;  // COUNT of the level before
    localparam int unsigned WIDTH = ARG_WIDTH + l < SUM_WIDTH ? ARG_WIDTH + l : SUM_WIDTH;
    // Up to level l there are l * SPREAD / LEVELS registers
    localparam bit REGISTERED = l * SPREAD / SHARE != BELOW * SPREAD / SHARE;

    logic [COUNT-1:0][WIDTH-1:0] value, result;

    for (genvar i = 0; i < COUNT; i++) begin : g_node
      if (l == 0) begin : g_argument
        assign value[i] = arg[i];
      end else begin : g_pair
        logic [WIDTH-1:0] left, right;
        assign left = SIGNED ? WIDTH'($signed(
            g_level[l-1].result[2*i]
        )) : WIDTH'(g_level[l-1].result[2*i]);
        if (2 * i + 1 < PAIRS) begin : g_right
          assign right = SIGNED ? WIDTH'($signed(
              g_level[l-1].result[2*i+1]
          )) : WIDTH'(g_level[l-1].result[2*i+1]);
        end else begin : g_none
          assign right = '0;
        end
        assign value[i] = left + right;
      end
    end

    if (REGISTERED) begin : g_register
      always_ff @(posedge clk) begin
        if (rst) result <= '0;
        else if (en) result <= value;
      end
    end else begin : g_wire
      assign result = value;
    end
  end

  if (TRAILING == 0) begin : g_out
    assign sum = g_level[LEVELS].result;
  end else begin : g_trail
    logic [TRAILING-1:0][SUM_WIDTH-1:0] trail;
    always_ff @(posedge clk) begin
      if (rst) trail <= '0;
      else if (en) begin
        for (int unsigned i = 1; i < TRAILING; i++) trail[i] <= trail[i-1];
        trail[0] <= SUM_WIDTH'(g_level[LEVELS].result);
      end
    end
    assign sum = trail[TRAILING-1];
  end

endmodule

`default_nettype wire
