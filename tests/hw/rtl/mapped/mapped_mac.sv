// SPDX-License-Identifier: Apache-2.0
//
// A DSP48E2 as our kernels use it: p = a * b + what OPMODE adds; M and P registers, no pre-adder.
`default_nettype none

module mapped_mac #(
  parameter int AREG = 1,  // registers of A, 1 or 2
  parameter int BREG = 1,  // registers of B, 1 or 2
  parameter int CREG = 1   // registers of C
) (
  input  wire logic               clk,
  input  wire logic signed [26:0] a,
  input  wire logic signed [17:0] b,
  input  wire logic signed [47:0] c,
  input  wire logic        [47:0] pcin,
  input  wire logic        [ 8:0] opmode,
  input  wire logic               cep,
  output wire logic        [47:0] p,
  output wire logic        [47:0] pcout
);

  DSP48E2 #(
    .AREG         (AREG),
    .ACASCREG     (AREG),
    .BREG         (BREG),
    .BCASCREG     (BREG),
    .CREG         (CREG),
    .DREG         (0),
    .ADREG        (0),
    .MREG         (1),
    .PREG         (1),
    .OPMODEREG    (0),
    .ALUMODEREG   (0),
    .INMODEREG    (0),
    .CARRYINREG   (0),
    .CARRYINSELREG(0)
  ) u_dsp (
    .CLK           (clk),
    .A             (30'(a)),
    .B             (b),
    .C             (c),
    .D             ('0),
    .CARRYIN       (1'b0),
    .PCIN          (pcin),
    .ACIN          ('0),
    .BCIN          ('0),
    .CARRYCASCIN   (1'b0),
    .MULTSIGNIN    (1'b0),
    .OPMODE        (opmode),
    .ALUMODE       (4'b0000),
    .INMODE        (5'b00000),
    .CARRYINSEL    (3'b000),
    .CEA1          (1'b1),
    .CEA2          (1'b1),
    .CEB1          (1'b1),
    .CEB2          (1'b1),
    .CEC           (1'b1),
    .CEM           (1'b1),
    .CEP           (cep),
    .CEAD          (1'b0),
    .CED           (1'b0),
    .CEALUMODE     (1'b0),
    .CECARRYIN     (1'b0),
    .CECTRL        (1'b0),
    .CEINMODE      (1'b0),
    .RSTA          (1'b0),
    .RSTB          (1'b0),
    .RSTC          (1'b0),
    .RSTD          (1'b0),
    .RSTM          (1'b0),
    .RSTP          (1'b0),
    .RSTALLCARRYIN (1'b0),
    .RSTALUMODE    (1'b0),
    .RSTCTRL       (1'b0),
    .RSTINMODE     (1'b0),
    .P             (p),
    .PCOUT         (pcout),
    .ACOUT         (),
    .BCOUT         (),
    .CARRYCASCOUT  (),
    .MULTSIGNOUT   (),
    .OVERFLOW      (),
    .PATTERNBDETECT(),
    .PATTERNDETECT (),
    .UNDERFLOW     (),
    .CARRYOUT      (),
    .XOROUT        ()
  );

endmodule

`default_nettype wire
