// SPDX-License-Identifier: Apache-2.0
//
// The adder tree for every number of arguments 1..MAX, in the four ways of the test:
// low: unsigned, as deep as FINN has it; high: range -1..1, one register less, as FINN has it;
// deep: signed, registers behind the tree; flat: unsigned, no register.
`default_nettype none

module add_multi_bench #(
  parameter int unsigned MAX   = 17,
  parameter int unsigned WIDTH = 7
) (
  input  wire logic                      clk,
  input  wire logic                      rst,
  input  wire logic                      en,
  input  wire logic [MAX-1:0][WIDTH-1:0] args,
  input  wire logic [MAX-1:0][      1:0] high_args,
  output logic      [  MAX:1][     31:0] low,
  output logic      [  MAX:1][     31:0] high,
  output logic      [  MAX:1][     31:0] deep,
  output logic      [  MAX:1][     31:0] flat
);

  localparam int HALF = 1 << (WIDTH - 1);

  for (genvar n = 1; n <= MAX; n++) begin : g_n
    localparam int unsigned FINN_DEPTH = $clog2(n) + (n == 1 ? 1 : 0);
    localparam int unsigned HIGH_WIDTH = mvu_pkg::sumwidth(n, 2, -1, 1);

    logic [WIDTH-1:0] arg[n];
    logic [1:0] high_arg[n];
    logic [WIDTH+$clog2(n)-1:0] low_sum, flat_sum;
    logic signed [HIGH_WIDTH-1:0] high_sum;
    logic signed [mvu_pkg::sumwidth(n, WIDTH, -HALF, HALF-1)-1:0] deep_sum;

    for (genvar i = 0; i < n; i++) begin : g_arg
      assign arg[i]      = args[i];
      assign high_arg[i] = high_args[i];
    end

    add_multi #(
      .N         (n),
      .DEPTH     (FINN_DEPTH),
      .ARG_WIDTH (WIDTH),
      .RESET_ZERO(0)
    ) u_low (
      .clk,
      .rst,
      .en,
      .arg(arg),
      .sum(low_sum)
    );
    add_multi #(
      .N        (n),
      .DEPTH    (FINN_DEPTH - 1),
      .ARG_WIDTH(2),
      .ARG_LO   (-1),
      .ARG_HI   (1)
    ) u_high (
      .clk,
      .rst,
      .en,
      .arg(high_arg),
      .sum(high_sum)
    );
    add_multi #(
      .N        (n),
      .DEPTH    (FINN_DEPTH + 3),
      .ARG_WIDTH(WIDTH),
      .ARG_LO   (-HALF),
      .ARG_HI   (HALF - 1)
    ) u_deep (
      .clk,
      .rst,
      .en,
      .arg(arg),
      .sum(deep_sum)
    );
    add_multi #(
      .N        (n),
      .DEPTH    (0),
      .ARG_WIDTH(WIDTH)
    ) u_flat (
      .clk,
      .rst,
      .en,
      .arg(arg),
      .sum(flat_sum)
    );

    assign low[n]  = 32'(low_sum);
    assign high[n] = 32'(high_sum);
    assign deep[n] = 32'(deep_sum);
    assign flat[n] = 32'(flat_sum);
  end

endmodule

`default_nettype wire
