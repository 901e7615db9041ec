// SPDX-License-Identifier: Apache-2.0
//
// kl_axil_slave under any master that keeps its offers: each write and read reaches the module
// behind it once, in order, as it was sent, and gets one response; responses stay. A write waits
// no longer than for its address, its data and the taker of the response before.
`default_nettype none

module axil_slave (
  input wire logic        clk,
  input wire logic [ 4:0] awaddr,
  input wire logic        awvalid,
  input wire logic [35:0] wdata,
  input wire logic        wvalid,
  input wire logic        bready,
  input wire logic [ 4:0] araddr,
  input wire logic        arvalid,
  input wire logic        rready,
  input wire logic        write_take,
  input wire logic        read_answer,
  input wire logic [31:0] read_data,
  input wire logic [ 1:0] pick
);

  logic past = 1'b0;
  logic awready, wready, bvalid, arready, rvalid, write_valid, read_valid;
  logic [1:0] bresp, rresp;
  logic [31:0] rdata, write_data;
  logic [3:0] write_strobe;
  logic [2:0] write_address, read_address, asked;

  always_ff @(posedge clk) past <= 1'b1;
  always_comb assume (!write_take || (past && write_valid));
  always_comb assume (!read_answer || (past && read_valid));

  kl_axil_slave #(
    .ADDRESS_WIDTH(5)
  ) u_dut (
    .clk           (clk),
    .rst_n         (past),
    .s_axil_awaddr (awaddr),
    .s_axil_awvalid(awvalid),
    .s_axil_awready(awready),
    .s_axil_wdata  (wdata[31:0]),
    .s_axil_wstrb  (wdata[35:32]),
    .s_axil_wvalid (wvalid),
    .s_axil_wready (wready),
    .s_axil_bresp  (bresp),
    .s_axil_bvalid (bvalid),
    .s_axil_bready (bready),
    .s_axil_araddr (araddr),
    .s_axil_arvalid(arvalid),
    .s_axil_arready(arready),
    .s_axil_rdata  (rdata),
    .s_axil_rresp  (rresp),
    .s_axil_rvalid (rvalid),
    .s_axil_rready (rready),
    .write_valid   (write_valid),
    .write_address (write_address),
    .write_data    (write_data),
    .write_strobe  (write_strobe),
    .write_take    (write_take),
    .read_valid    (read_valid),
    .read_address  (read_address),
    .read_answer   (read_answer),
    .read_data     (read_data)
  );

  // Writes: address and data each in order, so that the n-th meets the n-th
  logic [1:0] addresses, address_ahead, beats, beat_ahead, responses;
  logic address_picked, beat_picked;
  logic [2:0] address;
  logic [35:0] beat;

  f_track #(
    .WIDTH(3),
    .HOLDS(2)
  ) u_addresses (
    .clk     (clk),
    .past    (past),
    .pick    (pick[0]),
    .put     (past && awvalid && awready),
    .put_word(awaddr[4:2]),
    .get     (write_take),
    .get_word(write_address),
    .held    (addresses),
    .picked  (address_picked),
    .ahead   (address_ahead),
    .word    (address)
  );

  f_track #(
    .WIDTH(36),
    .HOLDS(2)
  ) u_beats (
    .clk     (clk),
    .past    (past),
    .pick    (pick[1]),
    .put     (past && wvalid && wready),
    .put_word(wdata),
    .get     (write_take),
    .get_word({write_strobe, write_data}),
    .held    (beats),
    .picked  (beat_picked),
    .ahead   (beat_ahead),
    .word    (beat)
  );

  f_stable #(
    .WIDTH(2)
  ) u_responses (
    .clk   (clk),
    .past  (past),
    .tdata (bresp),
    .tvalid(bvalid),
    .tready(bready)
  );

  f_stable #(
    .WIDTH(34)
  ) u_values (
    .clk   (clk),
    .past  (past),
    .tdata ({rresp, rdata}),
    .tvalid(rvalid),
    .tready(rready)
  );

  logic answered;  // the response to the read in progress is known
  logic [31:0] value;

  always_ff @(posedge clk) begin
    if (!past) begin
      responses <= '0;
      answered  <= 1'b0;
    end else begin
      responses <= responses + 2'(write_take) - 2'(bvalid && bready);
      if (read_answer) answered <= 1'b1;
      if (rvalid && rready) answered <= 1'b0;
    end
    if (read_answer) value <= read_data;
    if (arvalid && arready) asked <= araddr[4:2];
  end

  always_comb begin
    if (past) begin
      assert (write_valid == (addresses != '0 && beats != '0 && responses < 2));
      assert (awready == (addresses < 2) && wready == (beats < 2));
      assert (bvalid == (responses != '0) && (!bvalid || bresp == '0) && rresp == '0);
      assert (32'(addresses) == 32'(u_dut.address_valid) + 32'(u_dut.u_write_address.spare_valid));
      assert (32'(beats) == 32'(u_dut.data_valid) + 32'(u_dut.u_write_data.spare_valid));
      assert (32'(responses) == 32'(bvalid) + 32'(u_dut.u_response.spare_valid));
      if (u_dut.u_response.spare_valid) assert (u_dut.u_response.spare == '0);
      if (address_picked)
        assert ((address_ahead == '0 ? write_address : u_dut.u_write_address.spare) == address);
      if (beat_picked)
        assert ((beat_ahead == '0 ? {write_strobe, write_data} : u_dut.u_write_data.spare) == beat);
      // Reads: one at a time, each answered with its value
      assert (32'(arready) + 32'(read_valid) + 32'(rvalid) == 1);
      assert (answered == rvalid);
      if (read_valid) assert (read_address == asked);
      if (rvalid) assert (rdata == value);
    end
  end

endmodule

`default_nettype wire
