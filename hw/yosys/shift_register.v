// SPDX-License-Identifier: Apache-2.0
//
// Techmap of the choice of a word from an array, in the form from which yosys makes shift-register
// LUTs: bit by bit, and the word that was shifted in last in the lowest place. Places above the
// array's depth come as constants and are dropped.
(* techmap_celltype = "$bmux" *)
module choice_of_a_word (A, S, Y);
  parameter WIDTH = 1;
  parameter S_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  localparam ALL = 1 << S_WIDTH;
  input [WIDTH*ALL-1:0] A;
  input [S_WIDTH-1:0] S;
  output [WIDTH-1:0] Y;

  function integer used(input [WIDTH*ALL-1:0] fixed);
    integer k;
    begin
      used = 1;
      for (k = 0; k < ALL; k = k + 1) if (!(&fixed[k*WIDTH +: WIDTH])) used = k + 1;
    end
  endfunction
  localparam DEPTH = used(_TECHMAP_CONSTMSK_A_);

  wire [S_WIDTH-1:0] place = DEPTH - 1 - S;
  genvar i, j;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
      wire [DEPTH-1:0] column;
      for (j = 0; j < DEPTH; j = j + 1) begin : g_word
        assign column[j] = A[(DEPTH-1-j)*WIDTH+i];
      end
      \$shiftx #(
        .A_SIGNED(0), .B_SIGNED(0), .A_WIDTH(DEPTH), .B_WIDTH(S_WIDTH), .Y_WIDTH(1)
      ) choice (.A(column), .B(place), .Y(Y[i]));
    end
  endgenerate
endmodule
