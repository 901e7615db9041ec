// SPDX-License-Identifier: Apache-2.0
//
// Words of IN lanes to words of OUT lanes, which keep their order.
//
// Words are written whole, in turn, into the places of a buffer of the least common multiple of
// both widths, and read whole from it: what costs logic is the choice of the word that is read.
// Where a word given is whole words taken there is no choice, the buffer is the output, and a spare
// place keeps ready apart; otherwise a register follows.
// Latency 2 cycles, without a choice 1; a word a cycle on the side that has more of them.
`default_nettype none

module kl_width_converter
  import kl_pkg::*;
#(
  parameter int unsigned IN    = 8,  // lanes of a word taken, lane 0 least significant
  parameter int unsigned OUT   = 1,  // lanes of a word given
  parameter int unsigned WIDTH = 8   // bits of a lane
) (
  input wire logic clk,
  input wire logic rst_n,

  input  wire logic [IN*WIDTH-1:0] s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,

  output logic      [OUT*WIDTH-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  wire logic                 m_axis_tready
);

  if (IN < 1 || OUT < 1 || WIDTH < 1) begin : g_illegal
    $fatal(
        1, "kl_width_converter: IN=%0d, OUT=%0d and WIDTH=%0d must be at least 1", IN, OUT, WIDTH
    );
  end

  // In units, the lanes that always stay together
  localparam int unsigned TAKEN = IN / gcd(
      IN, OUT
  );  // of a word taken; words in the buffer to read
  localparam int unsigned GIVEN = OUT / gcd(IN, OUT);  // of a word given; words in it to write
  localparam int unsigned SIZE = TAKEN * GIVEN;  // of the buffer
  localparam int unsigned WRITE_WIDTH = idx_width(GIVEN);
  localparam int unsigned READ_WIDTH = idx_width(TAKEN);
  localparam int unsigned COUNT_WIDTH = $clog2(SIZE + 1);

  logic [GIVEN-1:0][IN*WIDTH-1:0] written;
  logic [TAKEN-1:0][OUT*WIDTH-1:0] read;  // the same bits
  logic [WRITE_WIDTH-1:0] write_at;  // 0..GIVEN-1
  logic [READ_WIDTH-1:0] read_at;  // 0..TAKEN-1
  logic [COUNT_WIDTH-1:0] filled, left;  // 0..SIZE: units in the buffer; without a word given now
  logic [IN*WIDTH-1:0] in_data;
  logic in_valid, in_ready, out_valid, out_ready, take, give;

  assign read      = written;
  assign out_valid = filled >= COUNT_WIDTH'(GIVEN);
  assign give      = out_valid && out_ready;
  assign left      = filled - (give ? COUNT_WIDTH'(GIVEN) : '0);
  assign in_ready  = left <= COUNT_WIDTH'(SIZE - TAKEN);
  assign take      = in_valid && in_ready;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      filled   <= '0;
      write_at <= '0;
      read_at  <= '0;
    end else begin
      filled <= left + (take ? COUNT_WIDTH'(TAKEN) : '0);
      if (take) write_at <= write_at == WRITE_WIDTH'(GIVEN - 1) ? '0 : write_at + 1'b1;
      if (give) read_at <= read_at == READ_WIDTH'(TAKEN - 1) ? '0 : read_at + 1'b1;
    end
  end

  for (genvar i = 0; i < GIVEN; i++) begin : g_word
    always_ff @(posedge clk) if (take && write_at == WRITE_WIDTH'(i)) written[i] <= in_data;
  end

  if (TAKEN == 1) begin : g_widens
    logic [IN*WIDTH-1:0] spare;  // came in while the buffer was full
    logic spare_valid;

    assign s_axis_tready = !spare_valid;
    assign in_data       = spare_valid ? spare : s_axis_tdata;
    assign in_valid      = spare_valid || s_axis_tvalid;

    always_ff @(posedge clk) begin
      if (!rst_n) spare_valid <= 1'b0;
      else spare_valid <= in_valid && !in_ready;
    end

    always_ff @(posedge clk) if (!spare_valid) spare <= s_axis_tdata;

    assign m_axis_tdata  = read;
    assign m_axis_tvalid = out_valid;
    assign out_ready     = m_axis_tready;

`ifndef SYNTHESIS
    kl_stream_check #(
      .WIDTH(OUT * WIDTH)
    ) u_check (
      .clk   (clk),
      .rst_n (rst_n),
      .tdata (m_axis_tdata),
      .tvalid(m_axis_tvalid),
      .tready(m_axis_tready)
    );
`endif
  end else begin : g_narrows
    assign in_data       = s_axis_tdata;
    assign in_valid      = s_axis_tvalid;
    assign s_axis_tready = in_ready;

    kl_stream_register #(
      .WIDTH(OUT * WIDTH)
    ) u_register (
      .clk          (clk),
      .rst_n        (rst_n),
      .s_axis_tdata (read[read_at]),
      .s_axis_tvalid(out_valid),
      .s_axis_tready(out_ready),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
    );
  end

`ifndef SYNTHESIS
  a_room :
  assert property (@(posedge clk) disable iff (!rst_n) filled <= COUNT_WIDTH'(SIZE))
  else $error("%m: %0d units in a buffer of %0d", filled, SIZE);
`endif

endmodule

`default_nettype wire
