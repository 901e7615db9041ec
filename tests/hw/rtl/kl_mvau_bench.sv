// SPDX-License-Identifier: Apache-2.0
//
// FINN's dense unit for the DSP48E2 with our weight memory, ports as those of our kernels.
`default_nettype none

module kl_mvau_bench #(
  parameter int unsigned MW         = 4,
  parameter int unsigned MH         = 4,
  parameter int unsigned PE         = 1,
  parameter int unsigned SIMD       = 1,
  parameter int unsigned ACT_WIDTH  = 8,
  parameter bit          ACT_SIGNED = 0,
  parameter int unsigned ACC_WIDTH  = 24,
  parameter bit          NARROW     = 1,
  parameter              FILE       = ""
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [SIMD*ACT_WIDTH-1:0] s_axis_tdata,
  input  wire logic                      s_axis_tvalid,
  output logic                           s_axis_tready,

  output logic      [PE*ACC_WIDTH-1:0] m_axis_tdata,
  output logic                         m_axis_tvalid,
  input  wire logic                    m_axis_tready
);

  localparam int unsigned IN_BYTES = (SIMD * ACT_WIDTH + 7) / 8;
  localparam int unsigned OUT_BYTES = (PE * ACC_WIDTH + 7) / 8;

  logic [PE*SIMD*8-1:0] weight_tdata;
  logic weight_tvalid, weight_tready;
  logic [8*OUT_BYTES-1:0] out_tdata;

  assign m_axis_tdata = out_tdata[PE*ACC_WIDTH-1:0];

  kl_weight_stream #(
    .WIDTH(PE * SIMD * 8),
    .DEPTH(MW / SIMD * MH / PE),
    .FILE (FILE)
  ) u_weights (
    .clk          (clk),
    .rst_n        (rst_n),
    .m_axis_tdata (weight_tdata),
    .m_axis_tvalid(weight_tvalid),
    .m_axis_tready(weight_tready)
  );

  mvu_vvu_axi #(
    .IS_MVU            (1),
    .VERSION           (2),
    .MW                (MW),
    .MH                (MH),
    .PE                (PE),
    .SIMD              (SIMD),
    .ACTIVATION_WIDTH  (ACT_WIDTH),
    .WEIGHT_WIDTH      (8),
    .ACCU_WIDTH        (ACC_WIDTH),
    .NARROW_WEIGHTS    (NARROW),
    .SIGNED_ACTIVATIONS(ACT_SIGNED)
  ) u_dense (
    .ap_clk               (clk),
    .ap_clk2x             (1'b0),
    .ap_rst_n             (rst_n),
    .s_axis_weights_tdata (weight_tdata),
    .s_axis_weights_tvalid(weight_tvalid),
    .s_axis_weights_tready(weight_tready),
    .s_axis_input_tdata   ((8 * IN_BYTES)'(s_axis_tdata)),
    .s_axis_input_tvalid  (s_axis_tvalid),
    .s_axis_input_tready  (s_axis_tready),
    .m_axis_output_tdata  (out_tdata),
    .m_axis_output_tvalid (m_axis_tvalid),
    .m_axis_output_tready (m_axis_tready)
  );

endmodule

`default_nettype wire
