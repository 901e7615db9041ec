// SPDX-License-Identifier: Apache-2.0
//
// Requantisation: out = clip((acc * scale + bias) >>> SHIFT) on PE channels a cycle.
//
// Stream: NHWC, a word holds PE neighbouring channels, lane 0 in the least significant bits; fold f
// of a pixel holds the channels f*PE .. f*PE+PE-1. The clip is to the range of the output width.
// Parameter memory: hexadecimal, one word a fold (CHANNELS/PE words, or one word when not
// PER_CHANNEL), per lane {bias, scale}, lane 0 least significant, two's complement.
// Latency 7 cycles, one word a cycle. One DSP48E2 a lane: A and B registers, M, C and P registers.
`default_nettype none

module kl_requant
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS    = 1,   // channels of a pixel
  parameter int unsigned PE          = 1,   // channels in a word, divides CHANNELS
  parameter int unsigned ACC_WIDTH   = 20,  // bits of an accumulator; with sign at most 27
  parameter bit          ACC_SIGNED  = 1,
  parameter int unsigned OUT_WIDTH   = 8,   // bits of a result
  parameter bit          OUT_SIGNED  = 1,
  parameter int unsigned SCALE_WIDTH = 18,  // signed, 2..18
  parameter int unsigned BIAS_WIDTH  = 48,  // signed, 2..48
  parameter int unsigned SHIFT       = 16,  // 0..47
  parameter bit          PER_CHANNEL = 1,   // 0: one scale and bias for all channels
  parameter              PARAM_FILE  = ""
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
  localparam int unsigned P_WIDTH = 48;

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
  if (SCALE_WIDTH < 2 || SCALE_WIDTH > 18) begin : g_illegal_scale
    $fatal(1, "kl_requant: SCALE_WIDTH=%0d is not in 2..18", SCALE_WIDTH);
  end
  if (BIAS_WIDTH < 2 || BIAS_WIDTH > P_WIDTH) begin : g_illegal_bias
    $fatal(1, "kl_requant: BIAS_WIDTH=%0d is not in 2..48", BIAS_WIDTH);
  end
  if (SHIFT >= P_WIDTH) begin : g_illegal_shift
    $fatal(1, "kl_requant: SHIFT=%0d is not in 0..47", SHIFT);
  end
  if (PARAM_FILE == "") begin : g_illegal_file
    $fatal(1, "kl_requant: PARAM_FILE is empty; name the memory image");
  end

  localparam int unsigned PARAM_WIDTH = SCALE_WIDTH + BIAS_WIDTH;
  localparam int unsigned DEPTH = PER_CHANNEL ? CHANNELS / PE : 1;
  localparam int unsigned FOLD_WIDTH = idx_width(DEPTH);
  localparam int unsigned STAGES = 5;  // accept to push

  // Highest and lowest result
  localparam logic signed [P_WIDTH-1:0] HIGH = (48'sd1 <<< (OUT_WIDTH - OUT_SIGNED)) - 48'sd1;
  localparam logic signed [P_WIDTH-1:0] LOW = OUT_SIGNED ? -HIGH - 48'sd1 : 48'sd0;

  (* rom_style = "distributed" *)
  logic [PE*PARAM_WIDTH-1:0] params[DEPTH];
  initial $readmemh(PARAM_FILE, params);

  // Control: which fold comes next, and which stages hold a word
  logic room;
  logic accept;
  logic [FOLD_WIDTH-1:0] fold;  // 0..DEPTH-1
  logic [STAGES-1:0] valid;  // valid[i]: stage i+1 holds a word

  assign s_axis_tready = room;
  assign accept        = s_axis_tvalid && room;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      fold  <= '0;
      valid <= '0;
    end else begin
      valid <= {valid[STAGES-2:0], accept};
      if (accept) fold <= fold == FOLD_WIDTH'(DEPTH - 1) ? '0 : fold + 1'b1;
    end
  end

  // Stages 1 and 2: the memory and its output register beside two registers of the accumulators
  logic [PE*PARAM_WIDTH-1:0] param_1, param_2;
  logic [PE*ACC_WIDTH-1:0] acc_1, acc_2;

  always_ff @(posedge clk) begin
    param_1 <= params[fold];
    param_2 <= param_1;
    acc_1   <= s_axis_tdata;
    acc_2   <= acc_1;
  end

  // Stages 3 to 5: multiply, add, shift and clip
  logic [PE*OUT_WIDTH-1:0] out_5;

  for (genvar lane = 0; lane < PE; lane++) begin : g_lane
    logic signed [A_WIDTH-1:0] a;
    logic signed [SCALE_WIDTH-1:0] b;
    logic signed [BIAS_WIDTH-1:0] c_2, c_3;
    logic signed [A_WIDTH+SCALE_WIDTH-1:0] m_3;
    logic signed [P_WIDTH-1:0] p_4, shifted;
    logic [OUT_WIDTH-1:0] y_5;

    if (ACC_SIGNED) begin : g_signed
      assign a = acc_2[lane*ACC_WIDTH+:ACC_WIDTH];
    end else begin : g_unsigned
      assign a = {1'b0, acc_2[lane*ACC_WIDTH+:ACC_WIDTH]};
    end
    assign b       = param_2[lane*PARAM_WIDTH+:SCALE_WIDTH];
    assign c_2     = param_2[lane*PARAM_WIDTH+SCALE_WIDTH+:BIAS_WIDTH];
    assign shifted = p_4 >>> SHIFT;

    always_ff @(posedge clk) begin
      m_3 <= a * b;
      c_3 <= c_2;
      p_4 <= P_WIDTH'(m_3) + P_WIDTH'(c_3);
      if (shifted > HIGH) y_5 <= HIGH[OUT_WIDTH-1:0];
      else if (shifted < LOW) y_5 <= LOW[OUT_WIDTH-1:0];
      else y_5 <= shifted[OUT_WIDTH-1:0];
    end

    assign out_5[lane*OUT_WIDTH+:OUT_WIDTH] = y_5;
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
    .push_data    (out_5),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
