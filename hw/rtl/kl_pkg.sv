// SPDX-License-Identifier: Apache-2.0
//
// Types and functions that the modules share.
`default_nettype none

package kl_pkg;

  // What a memory is made of: LUTs as shift registers or as RAM, block RAM, UltraRAM
  typedef enum logic [1:0] {
    RAM_SRL,
    RAM_DISTRIBUTED,
    RAM_BLOCK,
    RAM_ULTRA
  } ram_style_e;

  // A packet on the chain of weight memories, see kl_weight_stream
  typedef enum logic [1:0] {
    CHAIN_SELECT,
    CHAIN_WRITE,
    CHAIN_READ
  } chain_kind_e;

  typedef struct packed {
    logic        run;    // the memories stream; beside the packets
    logic        valid;  // there is a packet
    chain_kind_e kind;
    logic        taken;  // a memory has followed it
    logic [31:0] data;
  } chain_t;

  // Bits of an index that runs over 0..count-1
  function automatic int unsigned idx_width(int unsigned count);
    return count > 1 ? $clog2(count) : 1;
  endfunction

  // Greatest common divisor
  function automatic int unsigned gcd(int unsigned a, int unsigned b);
    return b == 0 ? a : gcd(b, a % b);
  endfunction

  // Sum of the first count of up to eight numbers, the first one rightmost
  function automatic int unsigned sum_of_first(int unsigned count, logic [7:0][31:0] numbers);
    sum_of_first = 0;
    for (int unsigned i = 0; i < 8; i++) begin
      if (i < count) sum_of_first += numbers[i];
    end
  endfunction

  // Whether a product of such signed widths takes two DSP48E2, whose operands have 27 and 18 bits
  function automatic bit two_dsps(int unsigned a_width, int unsigned b_width);
    return b_width > 18 && (a_width > 18 || b_width > 27);
  endfunction

  // Shape of kl_dense_array for simd lanes: chains of DSPs, DSPs in a chain, and the cycles from
  // the acceptance of a word to the sums with it
  function automatic int unsigned dense_chains(int unsigned simd);
    return (simd + 3) / 4;
  endfunction

  function automatic int unsigned dense_length(int unsigned simd);
    return (simd + dense_chains(simd) - 1) / dense_chains(simd);
  endfunction

  // How the DSPs of kl_dense_array are used: with two pixels beside one weight, the same at twice
  // the clock, or with three narrow weights beside one pixel
  typedef enum logic [1:0] {
    DENSE_PAIR,
    DENSE_PUMPED,
    DENSE_TRIPLE
  } dense_kind_e;

  // Cycles from the acceptance of a word to the ends of the chains, see kl_dense_products and those
  // of the other kinds
  function automatic int unsigned dense_product_stages(int unsigned simd, dense_kind_e kind);
    if (kind == DENSE_TRIPLE) return 6;
    return kind == DENSE_PUMPED ? dense_length(simd) / 2 + 4 : dense_length(simd) + 3;
  endfunction

  function automatic int unsigned dense_stages(int unsigned simd, dense_kind_e kind);
    return dense_product_stages(simd, kind) + $clog2(dense_chains(simd)) + 1;
  endfunction

  // Two pixels of one lane as an operand of a DSP, x1 * 2**18 + x0, see kl_dense_array
  function automatic logic signed [26:0] dense_operand(logic signed [8:0] x1,
                                                       logic signed [8:0] x0);
    return {x1 - 9'(x0[8]), 18'(x0)};
  endfunction

  // Three weights of one lane as an operand of a DSP, w2 * 2**22 + w1 * 2**11 + w0, see
  // kl_dense_products_triple
  function automatic logic signed [26:0] dense_triple(logic signed [3:0] w2, logic signed [3:0] w1,
                                                      logic signed [3:0] w0);
    automatic logic signed [4:0] v1 = 5'(w1) - 5'({1'b0, w0[3]});
    automatic logic signed [4:0] v2 = 5'(w2) - 5'({1'b0, v1[4]});
    return {v2, 11'(v1), 11'(w0)};
  endfunction

endpackage

`default_nettype wire
