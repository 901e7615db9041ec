// SPDX-License-Identifier: Apache-2.0
//
// Stand-in for a stitched design, small enough to compile in seconds: the same ports and the real
// weight chain with two memories. A frame x of 16 bytes gives 4 words
//   y[j] = sum over i of x[i] * (4 i + j + 1) + a[j] + b[j]
// with a and b from the memories. One frame at a time.
`default_nettype none

module accelerator (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [ 7:0] s_axil_awaddr,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [ 3:0] s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic      [ 1:0] s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [ 7:0] s_axil_araddr,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic      [31:0] s_axil_rdata,
  output logic      [ 1:0] s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready,
  output logic             weights_error,

  input  wire logic [7:0] s_axis_tdata,
  input  wire logic       s_axis_tvalid,
  output logic            s_axis_tready,

  output logic      [31:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire logic        m_axis_tready
);

  kl_pkg::chain_t chain_0, chain_1, chain_2;
  logic running, unit_rst_n;
  logic [19:0] a;  // signed
  logic [39:0] b;  // signed, its low 32 bits count
  logic a_valid, b_valid;

  logic [4:0] count;  // 0..15: of the next input word; 16..19: of the next output word
  logic [3:0][31:0] sums;
  logic take, give;

  always_ff @(posedge clk) unit_rst_n <= rst_n && running;

  kl_weight_port #(
    .MEMORIES(2)
  ) u_port (
    .*,
    .chain_out(chain_0),
    .chain_in (chain_2),
    .error    (weights_error)
  );

  kl_weight_stream #(
    .WIDTH    (20),
    .DEPTH    (4),
    .RAM_STYLE(kl_pkg::RAM_ULTRA),
    .FILE     ("a_file.hex"),
    .CHAIN    (1),
    .CHAIN_ID (0)
  ) u_a (
    .clk          (clk),
    .rst_n        (rst_n),
    .chain_in     (chain_0),
    .chain_out    (chain_1),
    .m_axis_tdata (a),
    .m_axis_tvalid(a_valid),
    .m_axis_tready(give)
  );

  kl_weight_stream #(
    .WIDTH    (40),
    .DEPTH    (4),
    .RAM_STYLE(kl_pkg::RAM_BLOCK),
    .FILE     ("b_file.hex"),
    .CHAIN    (1),
    .CHAIN_ID (1)
  ) u_b (
    .clk          (clk),
    .rst_n        (rst_n),
    .chain_in     (chain_1),
    .chain_out    (chain_2),
    .m_axis_tdata (b),
    .m_axis_tvalid(b_valid),
    .m_axis_tready(give)
  );

  assign take          = s_axis_tvalid && s_axis_tready;
  assign give          = m_axis_tvalid && m_axis_tready;
  assign s_axis_tready = unit_rst_n && !count[4];
  assign m_axis_tvalid = count[4] && a_valid && b_valid;
  assign m_axis_tdata  = sums[count[1:0]] + {{12{a[19]}}, a} + b[31:0];

  always_ff @(posedge clk) begin
    if (take || give) count <= count == 5'd19 ? '0 : count + 1'b1;
    for (int unsigned j = 0; j < 4; j++) begin
      if (take) sums[j] <= (count == '0 ? '0 : sums[j]) + s_axis_tdata * (4 * count + j + 1);
    end
    if (!unit_rst_n) count <= '0;
  end

  logic unused;
  assign unused = &{1'b0, b[39:32]};

endmodule

`default_nettype wire
