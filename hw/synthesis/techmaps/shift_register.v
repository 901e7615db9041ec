// SPDX-License-Identifier: Apache-2.0
//
// Techmap of the choice of a bit of a vector whose length is a power of two, in the form from which
// yosys makes shift-register LUTs. Vectors of other lengths have that form already.
(* techmap_celltype = "$bmux" *)
module choice_of_a_bit (A, S, Y);
  parameter WIDTH = 1;
  parameter S_WIDTH = 1;
  input [(WIDTH << S_WIDTH)-1:0] A;
  input [S_WIDTH-1:0] S;
  output [WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = WIDTH != 1;

  \$shiftx #(
    .A_SIGNED(0), .B_SIGNED(0), .A_WIDTH(WIDTH << S_WIDTH), .B_WIDTH(S_WIDTH), .Y_WIDTH(WIDTH)
  ) choice (.A(A), .B(S), .Y(Y));
endmodule
