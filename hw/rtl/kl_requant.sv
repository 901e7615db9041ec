// SPDX-License-Identifier: Apache-2.0
//
// Requantisation: out = clip((acc * scale + bias) >>> SHIFT) on PE channels a cycle. With TIES_EVEN
// an odd result of a shift without remainder becomes one less: halves to the even side.
//
// Stream: NHWC, a word holds PE neighbouring channels, lane 0 in the least significant bits; fold f
// of a pixel holds the channels f*PE .. f*PE+PE-1. The clip is to LOW..HIGH.
// Parameter memory: hexadecimal, one word a fold (CHANNELS/PE words, or one word when not
// PER_CHANNEL), per lane {bias, scale}, lane 0 least significant, two's complement.
// Latency 7 cycles, one word a cycle; a cycle more where a lane takes two DSPs, see
// kl_requant_product.
`default_nettype none

module kl_requant
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS = 1,  // channels of a pixel
  parameter int unsigned PE = 1,  // channels in a word, divides CHANNELS
  parameter int unsigned ACC_WIDTH = 20,  // bits of an accumulator; with sign at most 27
  parameter bit ACC_SIGNED = 1,
  parameter int unsigned OUT_WIDTH = 8,  // bits of a result
  parameter bit OUT_SIGNED = 1,
  parameter int unsigned SCALE_WIDTH = 18,  // signed, 2..35
  parameter int unsigned BIAS_WIDTH = 48,  // signed, 2..48, with two DSPs ..64
  parameter int unsigned SHIFT = 16,  // 0..47, with two DSPs ..60
  parameter bit PER_CHANNEL = 1,  // 0: one scale and bias for all channels
  parameter int LOW = OUT_SIGNED ? -(1 << (OUT_WIDTH - 1)) : 0,  // least result
  parameter int HIGH = (1 << (OUT_WIDTH - OUT_SIGNED)) - 1,  // largest result
  parameter bit TIES_EVEN = 0,  // 1: halves to the even side, 0: up
  parameter PARAM_FILE = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*ACC_WIDTH-1:0] s_axis_tdata,
  input  wire logic                    s_axis_tvalid,
  output logic                         s_axis_tready,

  output logic      [PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned A_WIDTH = ACC_WIDTH + (ACC_SIGNED ? 0 : 1);  // with sign
  localparam bit WIDE = two_dsps(A_WIDTH, SCALE_WIDTH);
  localparam int unsigned P_WIDTH = WIDE ? 64 : 48;
  localparam int unsigned MOST_SHIFT = WIDE ? 60 : 47;

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_requant: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (ACC_WIDTH < 1 || A_WIDTH > 27) begin : g_illegal_acc
    $fatal(
        1,
        "kl_requant: ACC_WIDTH=%0d with ACC_SIGNED=%0d is not in 1..27 bits with sign",
        ACC_WIDTH,
        ACC_SIGNED
    );
  end
  if (OUT_WIDTH < 1 || OUT_WIDTH > 32) begin : g_illegal_out
    $fatal(1, "kl_requant: OUT_WIDTH=%0d is not in 1..32", OUT_WIDTH);
  end
  if (SCALE_WIDTH < 2 || SCALE_WIDTH > 35) begin : g_illegal_scale
    $fatal(1, "kl_requant: SCALE_WIDTH=%0d is not in 2..35", SCALE_WIDTH);
  end
  if (BIAS_WIDTH < 2 || BIAS_WIDTH > P_WIDTH) begin : g_illegal_bias
    $fatal(1, "kl_requant: BIAS_WIDTH=%0d is not in 2..%0d", BIAS_WIDTH, P_WIDTH);
  end
  if (SHIFT > MOST_SHIFT) begin : g_illegal_shift
    $fatal(1, "kl_requant: SHIFT=%0d is not in 0..%0d", SHIFT, MOST_SHIFT);
  end
  if (LOW >= HIGH) begin : g_illegal_clip
    $fatal(1, "kl_requant: LOW=%0d must be below HIGH=%0d", LOW, HIGH);
  end
  if (PARAM_FILE == "") begin : g_illegal_file
    $fatal(1, "kl_requant: PARAM_FILE is empty; name the memory image");
  end

  localparam int unsigned PARAM_WIDTH = SCALE_WIDTH + BIAS_WIDTH;
  localparam int unsigned STAGES = WIDE ? 6 : 5;  // accept to push

  // Control: which stages hold a word
  logic room;
  logic accept;
  logic [STAGES-1:0] valid;  // valid[i]: stage i+1 holds a word

  assign s_axis_tready = room;
  assign accept        = s_axis_tvalid && room;

  always_ff @(posedge clk) begin
    if (!rst_n) valid <= '0;
    else valid <= {valid[STAGES-2:0], accept};
  end

  // Stage 1: parameters and accumulators
  logic [PE*PARAM_WIDTH-1:0] param_1;

  kl_requant_parameters #(
    .WIDTH     (PE * PARAM_WIDTH),
    .DEPTH     (PER_CHANNEL ? CHANNELS / PE : 1),
    .PARAM_FILE(PARAM_FILE)
  ) u_parameters (
    .clk  (clk),
    .rst_n(rst_n),
    .step (accept),
    .word (param_1)
  );

  logic [PE*ACC_WIDTH-1:0] acc_1;

  always_ff @(posedge clk) acc_1 <= s_axis_tdata;

  // Stages 2 to 5 (6): multiply, add, shift and clip
  logic [PE*OUT_WIDTH-1:0] out;

  for (genvar lane = 0; lane < PE; lane++) begin : g_lane
    logic signed [A_WIDTH-1:0] a;
    logic signed [P_WIDTH-1:0] p;

    if (ACC_SIGNED) begin : g_signed
      assign a = acc_1[lane*ACC_WIDTH+:ACC_WIDTH];
    end else begin : g_unsigned
      assign a = {1'b0, acc_1[lane*ACC_WIDTH+:ACC_WIDTH]};
    end

    kl_requant_product #(
      .A_WIDTH(A_WIDTH),
      .B_WIDTH(SCALE_WIDTH),
      .C_WIDTH(BIAS_WIDTH)
    ) u_product (
      .clk(clk),
      .a  (a),
      .b  (param_1[lane*PARAM_WIDTH+:SCALE_WIDTH]),
      .c  (param_1[lane*PARAM_WIDTH+SCALE_WIDTH+:BIAS_WIDTH]),
      .p  (p)
    );

    kl_requant_clip #(
      .P_WIDTH  (P_WIDTH),
      .OUT_WIDTH(OUT_WIDTH),
      .SHIFT    (SHIFT),
      .LOW      (LOW),
      .HIGH     (HIGH),
      .TIES_EVEN(TIES_EVEN)
    ) u_clip (
      .clk(clk),
      .p  (p),
      .y  (out[lane*OUT_WIDTH+:OUT_WIDTH])
    );
  end

  kl_output_fifo #(
    .WIDTH(PE * OUT_WIDTH),
    .DEPTH(16)
  ) u_output_fifo (
    .clk          (clk),
    .rst_n        (rst_n),
    .room         (room),
    .claim        (accept),
    .push         (valid[STAGES-1]),
    .push_data    (out),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
