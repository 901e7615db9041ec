// SPDX-License-Identifier: Apache-2.0
//
// What this project uses of the DSP48E2, written from UG579 (UltraScale Architecture DSP Slice):
// 27x18 multiplier, pre-adder with A or B, 48-bit ALU with W, X, Y and Z multiplexers, all
// registers, A, B and P cascades. Left out, and refused: SIMD modes, wide XOR, logic modes of the
// ALU, carries other than CARRYIN, pattern detector, 96-bit MACC. Names are those of the primitive.
`default_nettype none

module DSP48E2 #(
  parameter              AMULTSEL           = "A",
  parameter              A_INPUT            = "DIRECT",
  parameter              BMULTSEL           = "B",
  parameter              B_INPUT            = "DIRECT",
  parameter              PREADDINSEL        = "A",
  parameter bit [47:0]   RND                = '0,
  parameter              USE_MULT           = "MULTIPLY",
  parameter              USE_SIMD           = "ONE48",
  parameter              USE_WIDEXOR        = "FALSE",
  parameter              XORSIMD            = "XOR24_48_96",
  parameter              AUTORESET_PATDET   = "NO_RESET",
  parameter              AUTORESET_PRIORITY = "RESET",
  parameter bit [47:0]   MASK               = '1,
  parameter bit [47:0]   PATTERN            = '0,
  parameter              SEL_MASK           = "MASK",
  parameter              SEL_PATTERN        = "PATTERN",
  parameter              USE_PATTERN_DETECT = "NO_PATDET",
  parameter bit [3:0]    IS_ALUMODE_INVERTED       = '0,
  parameter bit          IS_CARRYIN_INVERTED       = '0,
  parameter bit          IS_CLK_INVERTED           = '0,
  parameter bit [4:0]    IS_INMODE_INVERTED        = '0,
  parameter bit [8:0]    IS_OPMODE_INVERTED        = '0,
  parameter bit          IS_RSTALLCARRYIN_INVERTED = '0,
  parameter bit          IS_RSTALUMODE_INVERTED    = '0,
  parameter bit          IS_RSTA_INVERTED          = '0,
  parameter bit          IS_RSTB_INVERTED          = '0,
  parameter bit          IS_RSTCTRL_INVERTED       = '0,
  parameter bit          IS_RSTC_INVERTED          = '0,
  parameter bit          IS_RSTD_INVERTED          = '0,
  parameter bit          IS_RSTINMODE_INVERTED     = '0,
  parameter bit          IS_RSTM_INVERTED          = '0,
  parameter bit          IS_RSTP_INVERTED          = '0,
  parameter int          ACASCREG      = 1,
  parameter int          ADREG         = 1,
  parameter int          ALUMODEREG    = 1,
  parameter int          AREG          = 1,
  parameter int          BCASCREG      = 1,
  parameter int          BREG          = 1,
  parameter int          CARRYINREG    = 1,
  parameter int          CARRYINSELREG = 1,
  parameter int          CREG          = 1,
  parameter int          DREG          = 1,
  parameter int          INMODEREG     = 1,
  parameter int          MREG          = 1,
  parameter int          OPMODEREG     = 1,
  parameter int          PREG          = 1
) (
  output wire logic [29:0] ACOUT,
  output wire logic [17:0] BCOUT,
  output wire logic        CARRYCASCOUT,
  output wire logic        MULTSIGNOUT,
  output wire logic [47:0] PCOUT,
  output wire logic        OVERFLOW,
  output wire logic        PATTERNBDETECT,
  output wire logic        PATTERNDETECT,
  output wire logic        UNDERFLOW,
  output wire logic [3:0]  CARRYOUT,
  output wire logic [47:0] P,
  output wire logic [7:0]  XOROUT,

  input wire logic [29:0] ACIN,
  input wire logic [17:0] BCIN,
  input wire logic        CARRYCASCIN,
  input wire logic        MULTSIGNIN,
  input wire logic [47:0] PCIN,

  input wire logic        CLK,
  input wire logic [3:0]  ALUMODE,
  input wire logic [2:0]  CARRYINSEL,
  input wire logic [4:0]  INMODE,
  input wire logic [8:0]  OPMODE,

  input wire logic [29:0] A,
  input wire logic [17:0] B,
  input wire logic [47:0] C,
  input wire logic        CARRYIN,
  input wire logic [26:0] D,

  input wire logic CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED,
  input wire logic CEINMODE, CEM, CEP,
  input wire logic RSTA, RSTB, RSTC, RSTD, RSTALLCARRYIN, RSTALUMODE, RSTCTRL, RSTINMODE,
  input wire logic RSTM, RSTP
);

  if (USE_SIMD != "ONE48" || USE_WIDEXOR != "FALSE" || USE_PATTERN_DETECT != "NO_PATDET"
      || AUTORESET_PATDET != "NO_RESET" || IS_CLK_INVERTED) begin : g_left_out
    $fatal(1, "DSP48E2: USE_SIMD, USE_WIDEXOR, pattern detector and an inverted clock are not modelled");
  end
  if (AREG > 2 || BREG > 2 || ACASCREG > AREG || BCASCREG > BREG
      || (AREG == 2 && ACASCREG == 0) || (BREG == 2 && BCASCREG == 0)) begin : g_registers
    $fatal(1, "DSP48E2: AREG=%0d, ACASCREG=%0d, BREG=%0d, BCASCREG=%0d is no legal pair of pairs",
           AREG, ACASCREG, BREG, BCASCREG);
  end
  if (USE_MULT != "MULTIPLY" && USE_MULT != "NONE") begin : g_mult
    $fatal(1, "DSP48E2: USE_MULT is neither MULTIPLY nor NONE");
  end

  // -- controls -------------------------------------------------------------------------------

  wire logic [3:0] alumode;
  wire logic [8:0] opmode;
  wire logic [4:0] inmode;
  wire logic       carry;
  wire logic [2:0] carryinsel;
  dsp48e2_register #(.WIDTH(4), .STAGES(ALUMODEREG)) u_alumode (
    .CLK, .CE(CEALUMODE), .RST(RSTALUMODE ^ IS_RSTALUMODE_INVERTED),
    .d(ALUMODE ^ IS_ALUMODE_INVERTED), .q(alumode));
  dsp48e2_register #(.WIDTH(9), .STAGES(OPMODEREG)) u_opmode (
    .CLK, .CE(CECTRL), .RST(RSTCTRL ^ IS_RSTCTRL_INVERTED),
    .d(OPMODE ^ IS_OPMODE_INVERTED), .q(opmode));
  dsp48e2_register #(.WIDTH(5), .STAGES(INMODEREG)) u_inmode (
    .CLK, .CE(CEINMODE), .RST(RSTINMODE ^ IS_RSTINMODE_INVERTED),
    .d(INMODE ^ IS_INMODE_INVERTED), .q(inmode));
  dsp48e2_register #(.WIDTH(1), .STAGES(CARRYINREG)) u_carry (
    .CLK, .CE(CECARRYIN), .RST(RSTALLCARRYIN ^ IS_RSTALLCARRYIN_INVERTED),
    .d(CARRYIN ^ IS_CARRYIN_INVERTED), .q(carry));
  dsp48e2_register #(.WIDTH(3), .STAGES(CARRYINSELREG)) u_carryinsel (
    .CLK, .CE(CECTRL), .RST(RSTCTRL ^ IS_RSTCTRL_INVERTED), .d(CARRYINSEL), .q(carryinsel));

  // -- operands: A1 and A2 with AREG=2, A2 alone with AREG=1; B alike ---------------------------

  wire logic [29:0] a_in = A_INPUT == "CASCADE" ? ACIN : A;
  wire logic [17:0] b_in = B_INPUT == "CASCADE" ? BCIN : B;
  wire logic [29:0] a1, a2;
  wire logic [17:0] b1, b2;
  dsp48e2_register #(.WIDTH(30), .STAGES(AREG == 2)) u_a1 (
    .CLK, .CE(CEA1), .RST(RSTA ^ IS_RSTA_INVERTED), .d(a_in), .q(a1));
  dsp48e2_register #(.WIDTH(30), .STAGES(AREG >= 1)) u_a2 (
    .CLK, .CE(CEA2), .RST(RSTA ^ IS_RSTA_INVERTED), .d(a1), .q(a2));
  dsp48e2_register #(.WIDTH(18), .STAGES(BREG == 2)) u_b1 (
    .CLK, .CE(CEB1), .RST(RSTB ^ IS_RSTB_INVERTED), .d(b_in), .q(b1));
  dsp48e2_register #(.WIDTH(18), .STAGES(BREG >= 1)) u_b2 (
    .CLK, .CE(CEB2), .RST(RSTB ^ IS_RSTB_INVERTED), .d(b1), .q(b2));
  assign ACOUT = ACASCREG == AREG ? a2 : a1;
  assign BCOUT = BCASCREG == BREG ? b2 : b1;

  wire logic [26:0] d;
  dsp48e2_register #(.WIDTH(27), .STAGES(DREG)) u_d (
    .CLK, .CE(CED), .RST(RSTD ^ IS_RSTD_INVERTED), .d(D), .q(d));

  // -- pre-adder: INMODE[0] A1, [1] no A (or B), [2] with D, [3] subtract, [4] B1 ---------------

  wire logic signed [26:0] a_seen = inmode[0] ? a1[26:0] : a2[26:0];
  wire logic signed [17:0] b_seen = inmode[4] ? b1 : b2;
  wire logic a_gone = PREADDINSEL == "A" && inmode[1];
  wire logic b_gone = PREADDINSEL == "B" && inmode[1];
  wire logic signed [26:0] a_path = a_gone ? '0 : a_seen;
  wire logic signed [17:0] b_path = b_gone ? '0 : b_seen;
  wire logic signed [26:0] d_path = inmode[2] ? d : '0;
  wire logic signed [26:0] addend = PREADDINSEL == "A" ? a_path : 27'(b_path);
  wire logic signed [26:0] ad;
  dsp48e2_register #(.WIDTH(27), .STAGES(ADREG)) u_ad (
    .CLK, .CE(CEAD), .RST(RSTD ^ IS_RSTD_INVERTED),
    .d(inmode[3] ? d_path - addend : d_path + addend), .q(ad));

  // -- multiplier -------------------------------------------------------------------------------

  wire logic signed [26:0] left  = AMULTSEL == "AD" ? ad : a_path;
  wire logic signed [17:0] right = BMULTSEL == "AD" ? ad[17:0] : b_path;
  wire logic signed [44:0] product;
  dsp48e2_register #(.WIDTH(45), .STAGES(MREG)) u_m (
    .CLK, .CE(CEM), .RST(RSTM ^ IS_RSTM_INVERTED), .d(45'(left) * 45'(right)), .q(product));

  // -- ALU --------------------------------------------------------------------------------------

  wire logic [47:0] c;
  dsp48e2_register #(.WIDTH(48), .STAGES(CREG)) u_c (
    .CLK, .CE(CEC), .RST(RSTC ^ IS_RSTC_INVERTED), .d(C), .q(c));

  logic [47:0] w, x, y, z, sum;
  always_comb begin
    case (opmode[8:7])
      2'b00: w = '0;
      2'b01: w = P;
      2'b10: w = RND;
      2'b11: w = c;
    endcase
    case (opmode[1:0])
      2'b00: x = '0;
      2'b01: x = 48'(product); // both partial products, Y must take M too
      2'b10: x = P;
      2'b11: x = {a2, b2};
    endcase
    case (opmode[3:2])
      2'b00: y = '0;
      2'b01: y = '0;
      2'b10: y = '1;
      2'b11: y = c;
    endcase
    case (opmode[6:4])
      3'b000:  z = '0;
      3'b001:  z = PCIN;
      3'b010:  z = P;
      3'b011:  z = c;
      3'b101:  z = 48'(signed'(PCIN) >>> 17);
      3'b110:  z = 48'(signed'(P) >>> 17);
      default: z = '0;
    endcase
    case (alumode)
      4'b0000: sum = z + (w + x + y + 48'(carry));
      4'b0001: sum = ~z + (w + x + y + 48'(carry));
      4'b0010: sum = ~(z + w + x + y + 48'(carry));
      default: sum = z - (w + x + y + 48'(carry)); // 0011
    endcase
  end

  dsp48e2_register #(.WIDTH(48), .STAGES(PREG)) u_p (
    .CLK, .CE(CEP), .RST(RSTP ^ IS_RSTP_INVERTED), .d(sum), .q(P));
  assign PCOUT = P;

  assign {CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, PATTERNBDETECT, PATTERNDETECT, UNDERFLOW} = '0;
  assign CARRYOUT = '0;
  assign XOROUT   = '0;

  always_ff @(posedge CLK) begin
    assert ((opmode[1:0] == 2'b01) == (opmode[3:2] == 2'b01))
      else $fatal(1, "DSP48E2: OPMODE=%b takes one partial product only", opmode);
    assert (opmode[1:0] != 2'b01 || USE_MULT == "MULTIPLY")
      else $fatal(1, "DSP48E2: OPMODE=%b with USE_MULT=NONE", opmode);
    assert (opmode[6:4] != 3'b100 && opmode[6:4] != 3'b111 && alumode[3:2] == '0 && carryinsel == '0)
      else $fatal(1, "DSP48E2: OPMODE=%b, ALUMODE=%b, CARRYINSEL=%b is not modelled",
                  opmode, alumode, carryinsel);
    assert (PREG == 1 || (opmode[8:7] != 2'b01 && opmode[1:0] != 2'b10 && opmode[6:4] != 3'b010
                          && opmode[6:4] != 3'b110))
      else $fatal(1, "DSP48E2: OPMODE=%b feeds P back without PREG", opmode);
  end

endmodule

// A register of the slice, or a wire: synchronous reset before clock enable.
module dsp48e2_register #(
  parameter int WIDTH  = 1,
  parameter int STAGES = 1 // 0 or 1
) (
  input  wire logic             CLK,
  input  wire logic             CE,
  input  wire logic             RST,
  input  wire logic [WIDTH-1:0] d,
  output wire logic [WIDTH-1:0] q
);
  if (STAGES == 0) begin : g_wire
    assign q = d;
  end else begin : g_register
    logic [WIDTH-1:0] value = '0;
    always_ff @(posedge CLK)
      if (RST) value <= '0;
      else if (CE) value <= d;
    assign q = value;
  end
endmodule

// Two functions of one look-up table (UG974): O5 of the lower half, O6 of all six inputs.
module LUT6_2 #(
  parameter bit [63:0] INIT = '0
) (
  output wire logic O5, O6,
  input  wire logic I0, I1, I2, I3, I4, I5
);
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule

`default_nettype wire
