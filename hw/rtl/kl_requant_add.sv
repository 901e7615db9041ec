// SPDX-License-Identifier: Apache-2.0
//
// Sum of INPUTS streams of unlike scales, requantised once:
// out = clip((s[0] * scale_0 + s[1] * scale_1 + .. + bias) >>> SHIFT) on PE channels a cycle. With
// TIES_EVEN an odd result of a shift without remainder becomes one less: halves to the even side.
//
// Stream: NHWC, a word holds PE neighbouring channels, lane 0 in the least significant bits; fold f
// of a pixel holds the channels f*PE .. f*PE+PE-1. The words of the inputs stand side by side, that
// of input 0 in the least significant bits; one is taken from all inputs in the same cycle, when
// all offer one. The clip is to LOW..HIGH.
// Parameter memory: hexadecimal, one word a fold (CHANNELS/PE words, or one word when not
// PER_CHANNEL), per lane {bias, scale_INPUTS-1, .., scale_0}, lane 0 least significant, two's
// complement.
// Latency 8 + ceil(log2(INPUTS)) cycles, one word a cycle. Each product takes one DSP48E2 where its
// operands fit 27 and 18 bits, else two.
`default_nettype none

module kl_requant_add
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS = 1,  // channels of a pixel
  parameter int unsigned PE = 1,  // channels in a word, divides CHANNELS
  parameter int unsigned INPUTS = 2,  // streams, 2..8
  parameter logic [INPUTS-1:0][31:0] WIDTHS = {32'd8, 32'd8},  // bits of an operand of each input,
  parameter logic [INPUTS-1:0] SIGNED = '1,  // input 0 rightmost; with sign at most 27
  parameter int unsigned OUT_WIDTH = 8,  // bits of a result
  parameter int unsigned SCALE_WIDTH = 27,  // of all scales, signed, 2..35
  parameter int unsigned BIAS_WIDTH = 48,  // signed, 2..64
  parameter int unsigned SHIFT = 16,  // 0..60
  parameter bit PER_CHANNEL = 1,  // 0: one set of parameters for all channels
  parameter int LOW = -128,  // least result
  parameter int HIGH = 127,  // largest result
  parameter bit TIES_EVEN = 0,  // 1: halves to the even side, 0: up
  parameter PARAM_FILE = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*sum_of_first(INPUTS, 256'(WIDTHS))-1:0] s_axis_tdata,
  input  wire logic [                               INPUTS-1:0] s_axis_tvalid,
  output logic      [                               INPUTS-1:0] s_axis_tready,

  output logic      [PE*OUT_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned P_WIDTH = 64;

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_requant_add: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (INPUTS < 2 || INPUTS > 8) begin : g_illegal_inputs
    $fatal(1, "kl_requant_add: INPUTS=%0d is not in 2..8", INPUTS);
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

  localparam int unsigned PARAM_WIDTH = INPUTS * SCALE_WIDTH + BIAS_WIDTH;
  localparam int unsigned LEVELS = $clog2(INPUTS);  // of the adder tree
  localparam int unsigned LEAVES = 1 << LEVELS;
  localparam int unsigned STAGES = 6 + LEVELS;  // accept to push

  // Control: which stages hold a word
  logic room;
  logic accept;
  logic [STAGES-1:0] valid;  // valid[i]: stage i+1 holds a word

  assign accept        = &s_axis_tvalid && room;
  assign s_axis_tready = {INPUTS{accept}};

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
  logic [$bits(s_axis_tdata)-1:0] data_1, data_2;

  always_ff @(posedge clk) begin
    param_2 <= param_1;
    data_1  <= s_axis_tdata;
    data_2  <= data_1;
  end

  // Stages 3 on: multiply, a register, add the products in a tree, add the bias, shift and clip
  logic [PE*OUT_WIDTH-1:0] out;

  for (genvar lane = 0; lane < PE; lane++) begin : g_lane
    logic [2*LEAVES-1:1][P_WIDTH-1:0] node;  // leaves from LEAVES on; 1 is the root
    logic signed [BIAS_WIDTH-1:0] bias_2;
    logic [LEVELS+1:0][BIAS_WIDTH-1:0] bias;  // of the stages behind that, the last one first
    logic signed [P_WIDTH-1:0] p;

    for (genvar i = 0; i < INPUTS; i++) begin : g_input
      localparam int unsigned WIDTH = WIDTHS[i];
      localparam int unsigned BITS = WIDTH + (SIGNED[i] ? 0 : 1);  // with sign
      localparam int unsigned FIRST = PE * sum_of_first(i, 256'(WIDTHS)) + lane * WIDTH;

      if (WIDTH < 1 || BITS > 27) begin : g_illegal
        $fatal(
            1,
            "kl_requant_add: WIDTHS[%0d]=%0d with SIGNED[%0d]=%0d is not in 1..27 bits with sign",
            i,
            WIDTH,
            i,
            SIGNED[i]
        );
      end

      logic signed [BITS-1:0] operand;
      logic signed [SCALE_WIDTH-1:0] scale;
      (* use_dsp = "yes" *)
      logic signed [BITS+SCALE_WIDTH-1:0] product_3;
      logic signed [BITS+SCALE_WIDTH-1:0] product_4;

      if (SIGNED[i]) begin : g_signed
        assign operand = data_2[FIRST+:WIDTH];
      end else begin : g_unsigned
        assign operand = {1'b0, data_2[FIRST+:WIDTH]};
      end
      assign scale = param_2[lane*PARAM_WIDTH+i*SCALE_WIDTH+:SCALE_WIDTH];

      always_ff @(posedge clk) begin
        product_3 <= operand * scale;
        product_4 <= product_3;
      end

      assign node[LEAVES+i] = P_WIDTH'(product_4);
    end

    for (genvar i = INPUTS; i < LEAVES; i++) begin : g_nothing
      assign node[LEAVES+i] = '0;
    end

    for (genvar i = 1; i < LEAVES; i++) begin : g_sum
      always_ff @(posedge clk) node[i] <= node[2*i] + node[2*i+1];
    end

    assign bias_2 = param_2[lane*PARAM_WIDTH+INPUTS*SCALE_WIDTH+:BIAS_WIDTH];

    always_ff @(posedge clk) begin
      bias <= {bias_2, bias[LEVELS+1:1]};
      p    <= node[1] + P_WIDTH'(signed'(bias[0]));
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
