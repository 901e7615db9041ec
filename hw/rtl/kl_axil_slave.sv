// SPDX-License-Identifier: Apache-2.0
//
// Front end of registers behind an AXI4-Lite port of 32 bits: one write and one read at a time for
// the module behind it. Every response is OKAY.
//
// A write waits in `write_address`, `write_data` and `write_strobe` while `write_valid`;
// `write_take` ends it, and the response follows. A write can be taken every cycle. A read waits
// in `read_address` while `read_valid`; `read_answer` ends it with `read_data`, any number of
// cycles later. Addresses are those of words of 32 bits.
`default_nettype none

module kl_axil_slave #(
  parameter int unsigned ADDRESS_WIDTH = 12  // bits of a byte address, more than 2
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [ADDRESS_WIDTH-1:0] s_axil_awaddr,
  input  wire logic                     s_axil_awvalid,
  output logic                          s_axil_awready,
  input  wire logic [             31:0] s_axil_wdata,
  input  wire logic [              3:0] s_axil_wstrb,
  input  wire logic                     s_axil_wvalid,
  output logic                          s_axil_wready,
  output logic      [              1:0] s_axil_bresp,
  output logic                          s_axil_bvalid,
  input  wire logic                     s_axil_bready,
  input  wire logic [ADDRESS_WIDTH-1:0] s_axil_araddr,
  input  wire logic                     s_axil_arvalid,
  output logic                          s_axil_arready,
  output logic      [             31:0] s_axil_rdata,
  output logic      [              1:0] s_axil_rresp,
  output logic                          s_axil_rvalid,
  input  wire logic                     s_axil_rready,

  output logic                          write_valid,
  output logic      [ADDRESS_WIDTH-3:0] write_address,
  output logic      [             31:0] write_data,
  output logic      [              3:0] write_strobe,
  input  wire logic                     write_take,     // only while write_valid

  output logic                          read_valid,
  output logic      [ADDRESS_WIDTH-3:0] read_address,
  input  wire logic                     read_answer,   // only while read_valid
  input  wire logic [             31:0] read_data
);

  if (ADDRESS_WIDTH < 3 || ADDRESS_WIDTH > 32) begin : g_illegal_width
    $fatal(1, "kl_axil_slave: ADDRESS_WIDTH=%0d is not in 3..32", ADDRESS_WIDTH);
  end

  // Writes: address and data wait for one another, and for a place for the response
  logic address_valid, data_valid, response_ready;

  assign write_valid = address_valid && data_valid && response_ready;

  kl_stream_register #(
    .WIDTH(ADDRESS_WIDTH - 2)
  ) u_write_address (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axil_awaddr[ADDRESS_WIDTH-1:2]),
    .s_axis_tvalid(s_axil_awvalid),
    .s_axis_tready(s_axil_awready),
    .m_axis_tdata (write_address),
    .m_axis_tvalid(address_valid),
    .m_axis_tready(write_take)
  );

  kl_stream_register #(
    .WIDTH(36)
  ) u_write_data (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({s_axil_wstrb, s_axil_wdata}),
    .s_axis_tvalid(s_axil_wvalid),
    .s_axis_tready(s_axil_wready),
    .m_axis_tdata ({write_strobe, write_data}),
    .m_axis_tvalid(data_valid),
    .m_axis_tready(write_take)
  );

  kl_stream_register #(
    .WIDTH(2)
  ) u_response (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (2'b00),
    .s_axis_tvalid(write_take),
    .s_axis_tready(response_ready),
    .m_axis_tdata (s_axil_bresp),
    .m_axis_tvalid(s_axil_bvalid),
    .m_axis_tready(s_axil_bready)
  );

  // Reads
  assign s_axil_rresp = 2'b00;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      s_axil_arready <= 1'b1;
      s_axil_rvalid  <= 1'b0;
      read_valid     <= 1'b0;
    end else begin
      if (s_axil_arvalid && s_axil_arready) begin
        s_axil_arready <= 1'b0;
        read_valid     <= 1'b1;
      end
      if (read_answer) begin
        read_valid    <= 1'b0;
        s_axil_rvalid <= 1'b1;
      end
      if (s_axil_rvalid && s_axil_rready) begin
        s_axil_rvalid  <= 1'b0;
        s_axil_arready <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (s_axil_arvalid && s_axil_arready) read_address <= s_axil_araddr[ADDRESS_WIDTH-1:2];
    if (read_answer) s_axil_rdata <= read_data;
  end

  logic unused;
  assign unused = &{1'b0, s_axil_awaddr[1:0], s_axil_araddr[1:0]};

`ifndef SYNTHESIS
  a_write :
  assert property (@(posedge clk) disable iff (!rst_n) write_take |-> write_valid)
  else $error("%m: a write was taken that is not there");
  a_read :
  assert property (@(posedge clk) disable iff (!rst_n) read_answer |-> read_valid)
  else $error("%m: a read was answered that is not there");

  kl_stream_check #(
    .WIDTH(32)
  ) u_check (
    .clk   (clk),
    .rst_n (rst_n),
    .tdata (s_axil_rdata),
    .tvalid(s_axil_rvalid),
    .tready(s_axil_rready)
  );
`endif

endmodule

`default_nettype wire
