// SPDX-License-Identifier: Apache-2.0
// Zeros around a frame; twin of FINN's FMPadding_rtl, see docs/kernels/padding.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace padding {

/// Pads a frame of HEIGHT x WIDTH pixels, FOLDS words each, with that many pixels at each edge.
template <int HEIGHT, int WIDTH, int FOLDS, int TOP, int LEFT, int BOTTOM, int RIGHT, int SIMD,
          int ACT_WIDTH>
void run(hls::stream<lanes::word<SIMD, ACT_WIDTH>> &in,
         hls::stream<lanes::word<SIMD, ACT_WIDTH>> &out) {
  static_assert(HEIGHT >= 1 && WIDTH >= 1 && FOLDS >= 1, "a frame must have words");
  static_assert(TOP >= 0 && LEFT >= 0 && BOTTOM >= 0 && RIGHT >= 0, "padding cannot be negative");
  constexpr int ROWS = TOP + HEIGHT + BOTTOM, COLUMNS = LEFT + WIDTH + RIGHT;
  int fold = 0;   // 0..FOLDS-1
  int column = 0; // 0..COLUMNS-1
  int row = 0;    // 0..ROWS-1
  for (int i = 0; i < ROWS * COLUMNS * FOLDS; i++) {
#pragma HLS pipeline II = 1
    const bool inside = row >= TOP && row < TOP + HEIGHT && column >= LEFT && column < LEFT + WIDTH;
    lanes::word<SIMD, ACT_WIDTH> word;
    for (int lane = 0; lane < SIMD; lane++) {
#pragma HLS unroll
      lanes::set<ACT_WIDTH>(word, lane, lanes::integer<ACT_WIDTH, false>(0));
    }
    if (inside) word = in.read();
    out.write(word);
    if (++fold == FOLDS) {
      fold = 0;
      if (++column == COLUMNS) {
        column = 0;
        row++;
      }
    }
  }
}

} // namespace padding
