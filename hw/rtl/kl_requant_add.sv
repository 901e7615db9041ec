// SPDX-License-Identifier: Apache-2.0
//
// Sum of two streams of unlike scales, requantised once:
// out = clip((s[0] * scale_0 + s[1] * scale_1 + bias) >>> SHIFT) on PE channels a cycle. With
// TIES_EVEN an odd result of a shift without remainder becomes one less: halves to the even side.
//
// Stream: NHWC, a word holds PE neighbouring channels, lane 0 in the least significant bits; fold f
// of a pixel holds the channels f*PE .. f*PE+PE-1. A word is taken from both inputs in the same
// cycle, when both offer one. The clip is to LOW..HIGH.
// Parameter memory: hexadecimal, one word a fold (CHANNELS/PE words, or one word when not
// PER_CHANNEL), per lane {bias, scale_1, scale_0}, lane 0 least significant, two's complement.
// Latency 9 cycles, one word a cycle. Each product takes one DSP48E2 where its operands fit 27 and
// 18 bits, else two.
`default_nettype none

module kl_requant_add #(
  parameter int unsigned CHANNELS    = 1,     // channels of a pixel
  parameter int unsigned PE          = 1,     // channels in a word, divides CHANNELS
  parameter int unsigned A_WIDTH     = 8,     // bits of an operand of s[0]; with sign at most 27
  parameter bit          A_SIGNED    = 1,
  parameter int unsigned B_WIDTH     = 8,     // bits of an operand of s[1]; with sign at most 27
  parameter bit          B_SIGNED    = 1,
  parameter int unsigned OUT_WIDTH   = 8,     // bits of a result
  parameter int unsigned SCALE_WIDTH = 27,    // of both scales, signed, 2..35
  parameter int unsigned BIAS_WIDTH  = 48,    // signed, 2..64
  parameter int unsigned SHIFT       = 16,    // 0..60
  parameter bit          PER_CHANNEL = 1,     // 0: one set of parameters for all channels
  parameter int          LOW         = -128,  // least result
  parameter int          HIGH        = 127,   // largest result
  parameter bit          TIES_EVEN   = 0,     // 1: halves to the even side, 0: up
  parameter              PARAM_FILE  = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*A_WIDTH-1:0] s_axis_a_tdata,
  input  wire logic                  s_axis_a_tvalid,
  output logic                       s_axis_a_tready,

  input  wire logic [PE*B_WIDTH-1:0] s_axis_b_tdata,
  input  wire logic                  s_axis_b_tvalid,
  output logic                       s_axis_b_tready,

  output logic      [PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned P_WIDTH = 64;
  localparam int unsigned A_BITS = A_WIDTH + (A_SIGNED ? 0 : 1);  // with sign
  localparam int unsigned B_BITS = B_WIDTH + (B_SIGNED ? 0 : 1);

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_requant_add: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (A_WIDTH < 1 || A_BITS > 27 || B_WIDTH < 1 || B_BITS > 27) begin : g_illegal_operand
    $fatal(
        1,
        "kl_requant_add: A_WIDTH=%0d, B_WIDTH=%0d are not in 1..27 bits with sign",
        A_WIDTH,
        B_WIDTH
    );
  end
  if (OUT_WIDTH < 1 || OUT_WIDTH > 32) begin : g_illegal_out
    $fatal(1, "kl_requant_add: OUT_WIDTH=%0d is not in 1..32", OUT_WIDTH);
  end
  if (SCALE_WIDTH < 2 || SCALE_WIDTH > 35) begin : g_illegal_scale
    $fatal(1, "kl_requant_add: SCALE_WIDTH=%0d is not in 2..35", SCALE_WIDTH);
  end
  if (BIAS_WIDTH < 2 || BIAS_WIDTH > P_WIDTH || SHIFT > 60) begin : g_illegal_bias
    $fatal(
        1,
        "kl_requant_add: BIAS_WIDTH=%0d is not in 2..64 or SHIFT=%0d not in 0..60",
        BIAS_WIDTH,
        SHIFT
    );
  end
  if (LOW >= HIGH) begin : g_illegal_clip
    $fatal(1, "kl_requant_add: LOW=%0d must be below HIGH=%0d", LOW, HIGH);
  end
  if (PARAM_FILE == "") begin : g_illegal_file
    $fatal(1, "kl_requant_add: PARAM_FILE is empty; name the memory image");
  end

  localparam int unsigned PARAM_WIDTH = 2 * SCALE_WIDTH + BIAS_WIDTH;
  localparam int unsigned STAGES = 7;  // accept to push

  // Control: which stages hold a word
  logic room;
  logic accept;
  logic [STAGES-1:0] valid;  // valid[i]: stage i+1 holds a word

  assign accept          = s_axis_a_tvalid && s_axis_b_tvalid && room;
  assign s_axis_a_tready = accept;
  assign s_axis_b_tready = accept;

  always_ff @(posedge clk) begin
    if (!rst_n) valid <= '0;
    else valid <= {valid[STAGES-2:0], accept};
  end

  // Stages 1 and 2: two registers each of the parameters and the operands
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

  logic [PE*PARAM_WIDTH-1:0] param_2;
  logic [PE*A_WIDTH-1:0] a_1, a_2;
  logic [PE*B_WIDTH-1:0] b_1, b_2;

  always_ff @(posedge clk) begin
    param_2 <= param_1;
    a_1     <= s_axis_a_tdata;
    a_2     <= a_1;
    b_1     <= s_axis_b_tdata;
    b_2     <= b_1;
  end

  // Stages 3 to 7: multiply, a register, add the products, add the bias, shift and clip
  logic [PE*OUT_WIDTH-1:0] out;

  for (genvar lane = 0; lane < PE; lane++) begin : g_lane
    logic signed [A_BITS-1:0] a;
    logic signed [B_BITS-1:0] b;
    logic signed [SCALE_WIDTH-1:0] scale_a, scale_b;
    logic signed [BIAS_WIDTH-1:0] c_2, c_3, c_4, c_5;
    (* use_dsp = "yes" *)
    logic signed [A_BITS+SCALE_WIDTH-1:0] product_a_3;
    logic signed [A_BITS+SCALE_WIDTH-1:0] product_a_4;
    (* use_dsp = "yes" *)
    logic signed [B_BITS+SCALE_WIDTH-1:0] product_b_3;
    logic signed [B_BITS+SCALE_WIDTH-1:0] product_b_4;
    logic signed [P_WIDTH-1:0] sum_5, p;

    if (A_SIGNED) begin : g_signed_a
      assign a = a_2[lane*A_WIDTH+:A_WIDTH];
    end else begin : g_unsigned_a
      assign a = {1'b0, a_2[lane*A_WIDTH+:A_WIDTH]};
    end
    if (B_SIGNED) begin : g_signed_b
      assign b = b_2[lane*B_WIDTH+:B_WIDTH];
    end else begin : g_unsigned_b
      assign b = {1'b0, b_2[lane*B_WIDTH+:B_WIDTH]};
    end
    assign scale_a = param_2[lane*PARAM_WIDTH+:SCALE_WIDTH];
    assign scale_b = param_2[lane*PARAM_WIDTH+SCALE_WIDTH+:SCALE_WIDTH];
    assign c_2     = param_2[lane*PARAM_WIDTH+2*SCALE_WIDTH+:BIAS_WIDTH];

    always_ff @(posedge clk) begin
      product_a_3 <= a * scale_a;
      product_b_3 <= b * scale_b;
      c_3         <= c_2;
      product_a_4 <= product_a_3;
      product_b_4 <= product_b_3;
      c_4         <= c_3;
      sum_5       <= P_WIDTH'(product_a_4) + P_WIDTH'(product_b_4);
      c_5         <= c_4;
      p           <= sum_5 + P_WIDTH'(c_5);
    end

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
