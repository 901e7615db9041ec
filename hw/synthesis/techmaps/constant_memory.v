// SPDX-License-Identifier: Apache-2.0
//
// Techmap of a memory with an asynchronous read port and none to write: a LUT6 holds 64 words of a
// bit, MUXF7 and MUXF8 join up to four of them. Left to itself yosys makes several LUTs of each.
(* techmap_celltype = "$mem_v2" *)
module constant_memory (
  RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA
);
  parameter MEMID = "";
  parameter SIZE = 1;
  parameter OFFSET = 0;
  parameter ABITS = 1;
  parameter WIDTH = 1;
  parameter INIT = 0;
  parameter RD_PORTS = 1;
  parameter RD_CLK_ENABLE = 0;
  parameter RD_CLK_POLARITY = 0;
  parameter RD_TRANSPARENCY_MASK = 0;
  parameter RD_COLLISION_X_MASK = 0;
  parameter RD_WIDE_CONTINUATION = 0;
  parameter RD_CE_OVER_SRST = 0;
  parameter RD_ARST_VALUE = 0;
  parameter RD_SRST_VALUE = 0;
  parameter RD_INIT_VALUE = 0;
  parameter WR_PORTS = 0;
  parameter WR_CLK_ENABLE = 0;
  parameter WR_CLK_POLARITY = 0;
  parameter WR_PRIORITY_MASK = 0;
  parameter WR_WIDE_CONTINUATION = 0;
  input RD_CLK, RD_EN, RD_ARST, RD_SRST;
  input [ABITS-1:0] RD_ADDR;
  output [WIDTH-1:0] RD_DATA;
  input [0:0] WR_CLK, WR_EN, WR_ADDR, WR_DATA;

  wire _TECHMAP_FAIL_ =
      WR_PORTS != 0 || RD_PORTS != 1 || RD_CLK_ENABLE != 0 || OFFSET != 0 || SIZE > 256 || ABITS > 8;

  localparam BANKS = SIZE <= 64 ? 1 : SIZE <= 128 ? 2 : 4;
  wire [7:0] address = RD_ADDR;

  function [63:0] column(input integer bank, input integer place);
    integer word;
    begin
      for (word = 0; word < 64; word = word + 1)
        column[word] = bank * 64 + word < SIZE ? INIT[(bank * 64 + word) * WIDTH + place] : 1'b0;
    end
  endfunction

  genvar i, j;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
      wire [BANKS-1:0] found;
      for (j = 0; j < BANKS; j = j + 1) begin : g_bank
        localparam [63:0] WORDS = column(j, i);
        if (SIZE <= 32) begin : g_half
          LUT5 #(.INIT(WORDS[31:0])) lut (
            .O(found[j]), .I0(address[0]), .I1(address[1]), .I2(address[2]), .I3(address[3]),
            .I4(address[4])
          );
        end else begin : g_whole
          LUT6 #(.INIT(WORDS)) lut (
            .O(found[j]), .I0(address[0]), .I1(address[1]), .I2(address[2]), .I3(address[3]),
            .I4(address[4]), .I5(address[5])
          );
        end
      end
      if (BANKS == 1) begin : g_one
        assign RD_DATA[i] = found[0];
      end else if (BANKS == 2) begin : g_two
        MUXF7 mux (.O(RD_DATA[i]), .I0(found[0]), .I1(found[1]), .S(address[6]));
      end else begin : g_four
        wire low, high;
        MUXF7 mux_low (.O(low), .I0(found[0]), .I1(found[1]), .S(address[6]));
        MUXF7 mux_high (.O(high), .I0(found[2]), .I1(found[3]), .S(address[6]));
        MUXF8 mux (.O(RD_DATA[i]), .I0(low), .I1(high), .S(address[7]));
      end
    end
  endgenerate
endmodule
