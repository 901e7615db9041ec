// SPDX-License-Identifier: Apache-2.0
//
// kl_lookup of two channels with three steps each: the code of every accumulator is that of the
// steps that it reaches, of its own channel, and comes LEVELS + 1 cycles after it was taken; no
// push finds the buffer full.
`default_nettype none

module lookup #(
  parameter int unsigned ACC_WIDTH = 5
) (
  input wire logic                 clk,
  input wire logic [ACC_WIDTH-1:0] s_tdata,
  input wire logic                 s_tvalid,
  input wire logic                 m_tready
);

  localparam int unsigned LEVELS = 2;
  localparam int unsigned OUT_WIDTH = 3;
  localparam int unsigned STAGES = LEVELS + 1;

  // What the files of the proof hold, by channel: steps in order, codes
  localparam logic signed [1:0][2:0][ACC_WIDTH-1:0] STARTS = {
    {ACC_WIDTH'(9), ACC_WIDTH'(0), -ACC_WIDTH'(7)}, {ACC_WIDTH'(5), ACC_WIDTH'(4), -ACC_WIDTH'(3)}
  };
  localparam logic [1:0][3:0][OUT_WIDTH-1:0] CODES = {12'o7_2_5_0, 12'o1_6_3_4};

  logic past = 1'b0;
  logic s_tready, m_tvalid, take, channel;
  logic [OUT_WIDTH-1:0] m_tdata, code;
  logic [STAGES-1:0] valid;
  logic [STAGES-1:0][OUT_WIDTH-1:0] codes;  // of the words inside, as they must be

  kl_lookup #(
    .CHANNELS   (2),
    .PE         (1),
    .ACC_WIDTH  (ACC_WIDTH),
    .ACC_SIGNED (1),
    .OUT_WIDTH  (OUT_WIDTH),
    .LEVELS     (LEVELS),
    .PER_CHANNEL(1),
    .START_FILE ("lookup_start"),
    .CODE_FILE  ("lookup_code.hex")
  ) u_dut (
    .clk          (clk),
    .rst_n        (past),
    .s_axis_tdata (s_tdata),
    .s_axis_tvalid(s_tvalid),
    .s_axis_tready(s_tready),
    .m_axis_tdata (m_tdata),
    .m_axis_tvalid(m_tvalid),
    .m_axis_tready(m_tready)
  );

  assign take = past && s_tvalid && s_tready;

  always_comb begin
    code = CODES[channel][0];
    for (int unsigned i = 0; i < 3; i++) begin
      if ($signed(s_tdata) >= $signed(STARTS[channel][i])) code = CODES[channel][i+1];
    end
  end

  always_ff @(posedge clk) begin
    past  <= 1'b1;
    codes <= {codes[STAGES-2:0], code};
    valid <= past ? {valid[STAGES-2:0], take} : '0;
    if (!past) channel <= 1'b0;
    else if (take) channel <= !channel;
  end

  always_comb begin
    if (past) begin
      assert (u_dut.fold == channel);
      assert (u_dut.valid == valid);
      if (valid[STAGES-1]) assert (u_dut.out == codes[STAGES-1]);
    end
  end

endmodule

`default_nettype wire
