// SPDX-License-Identifier: Apache-2.0
//
// Depthwise convolution: out[c] = sum over the taps of activation[c][tap] * weight[c][tap], on PE
// channels a cycle.
//
// s_axis:   for each pixel, for each fold of PE channels, TAPS words of PE activations.
// s_weight: the PE weights of each of these words; the same CHANNELS/PE*TAPS words for every pixel.
// m_axis:   for each pixel, for each fold, one word of PE accumulators.
// Lane 0 is least significant; fold f holds the channels f*PE .. f*PE+PE-1.
// Latency 5 cycles from the last tap, one input word a cycle. One DSP48E2 a lane, see
// kl_depthwise_lane.
`default_nettype none

module kl_depthwise
  import kl_pkg::*;
#(
  parameter int unsigned CHANNELS     = 1,  // channels of a pixel
  parameter int unsigned PE           = 1,  // channels in a word, divides CHANNELS
  parameter int unsigned TAPS         = 9,  // products in a sum
  parameter int unsigned ACT_WIDTH    = 8,  // bits of an activation; with sign at most 27
  parameter bit          ACT_SIGNED   = 0,
  parameter int unsigned WEIGHT_WIDTH = 8,  // signed, 2..18
  parameter int unsigned ACC_WIDTH    = 20  // bits of a sum, at most 48; must hold every sum
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [PE*ACT_WIDTH-1:0] s_axis_tdata,
  input  wire logic                    s_axis_tvalid,
  output logic                         s_axis_tready,

  input  wire logic [PE*WEIGHT_WIDTH-1:0] s_weight_tdata,
  input  wire logic                       s_weight_tvalid,
  output logic                            s_weight_tready,

  output logic      [PE*ACC_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned A_WIDTH = ACT_WIDTH + (ACT_SIGNED ? 0 : 1);  // with sign

  if (PE < 1 || CHANNELS < 1 || CHANNELS % PE != 0) begin : g_illegal_pe
    $fatal(1, "kl_depthwise: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (TAPS < 1) begin : g_illegal_taps
    $fatal(1, "kl_depthwise: TAPS=%0d is not positive", TAPS);
  end
  if (ACT_WIDTH < 1 || A_WIDTH > 27) begin : g_illegal_act
    $fatal(
        1,
        "kl_depthwise: ACT_WIDTH=%0d with ACT_SIGNED=%0d is not in 1..27 bits with sign",
        ACT_WIDTH,
        ACT_SIGNED
    );
  end
  if (WEIGHT_WIDTH < 2 || WEIGHT_WIDTH > 18) begin : g_illegal_weight
    $fatal(1, "kl_depthwise: WEIGHT_WIDTH=%0d is not in 2..18", WEIGHT_WIDTH);
  end
  if (ACC_WIDTH < 1 || ACC_WIDTH > 48) begin : g_illegal_acc
    $fatal(1, "kl_depthwise: ACC_WIDTH=%0d is not in 1..48", ACC_WIDTH);
  end

  localparam int unsigned TAP_WIDTH = idx_width(TAPS);

  // Control: a word is taken from both streams or from none
  logic room;
  logic accept;
  logic [TAP_WIDTH-1:0] tap;  // 0..TAPS-1
  logic first, last;
  logic valid_1, first_1, last_1;
  logic valid_2, first_2, last_2;
  logic done_3;  // the sums of stage 3 are complete

  assign s_axis_tready   = room && s_weight_tvalid;
  assign s_weight_tready = room && s_axis_tvalid;
  assign accept          = room && s_axis_tvalid && s_weight_tvalid;
  assign first           = tap == 0;
  assign last            = tap == TAP_WIDTH'(TAPS - 1);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      tap     <= '0;
      valid_1 <= 1'b0;
      valid_2 <= 1'b0;
      done_3  <= 1'b0;
    end else begin
      if (accept) tap <= last ? '0 : tap + 1'b1;
      valid_1 <= accept;
      valid_2 <= valid_1;
      done_3  <= valid_2 && last_2;
    end
  end

  always_ff @(posedge clk) begin
    first_1 <= first;
    last_1  <= last;
    first_2 <= first_1;
    last_2  <= last_1;
  end

  // Stages 1 to 3: register, multiply, accumulate
  logic [PE*ACC_WIDTH-1:0] sums_3;

  for (genvar lane = 0; lane < PE; lane++) begin : g_lane
    logic signed [A_WIDTH-1:0] a;

    if (ACT_SIGNED) begin : g_signed
      assign a = s_axis_tdata[lane*ACT_WIDTH+:ACT_WIDTH];
    end else begin : g_unsigned
      assign a = {1'b0, s_axis_tdata[lane*ACT_WIDTH+:ACT_WIDTH]};
    end

    kl_depthwise_lane #(
      .A_WIDTH(A_WIDTH),
      .B_WIDTH(WEIGHT_WIDTH),
      .P_WIDTH(ACC_WIDTH)
    ) u_lane (
      .clk  (clk),
      .a    (a),
      .b    (s_weight_tdata[lane*WEIGHT_WIDTH+:WEIGHT_WIDTH]),
      .valid(valid_2),
      .first(first_2),
      .p    (sums_3[lane*ACC_WIDTH+:ACC_WIDTH])
    );
  end

  kl_output_fifo #(
    .WIDTH(PE * ACC_WIDTH),
    .DEPTH(16)
  ) u_output_fifo (
    .clk          (clk),
    .rst_n        (rst_n),
    .room         (room),
    .claim        (accept && last),
    .push         (done_3),
    .push_data    (sums_3),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
