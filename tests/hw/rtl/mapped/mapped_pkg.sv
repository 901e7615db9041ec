// SPDX-License-Identifier: Apache-2.0
//
// OPMODEs of the DSP48E2 (UG579): W, Z, Y and X multiplexers.
`default_nettype none

package mapped_pkg;

  localparam logic [8:0] M = 9'b00_000_01_01;  // the product
  localparam logic [8:0] M_C = 9'b00_011_01_01;  // and C
  localparam logic [8:0] M_P = 9'b00_010_01_01;  // and P
  localparam logic [8:0] M_PCIN = 9'b00_001_01_01;  // and the cascade
  localparam logic [8:0] M_C_PCIN_17 = 9'b11_101_01_01;  // and C, and the cascade without 17 bits

endpackage

`default_nettype wire
