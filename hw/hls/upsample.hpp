// SPDX-License-Identifier: Apache-2.0
// Every pixel becomes a block, of itself or of itself and zeros; see docs/kernels/upsample.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace upsample {

/// Makes of ROWS rows of COLUMNS pixels, FOLDS words each, SCALE_Y times SCALE_X as many pixels.
template <int PE, int WIDTH, int FOLDS, int COLUMNS, int SCALE_Y, int SCALE_X, int ZEROS, int ROWS>
void run(hls::stream<lanes::word<PE, WIDTH>> &source, hls::stream<lanes::word<PE, WIDTH>> &sink) {
  static_assert(PE >= 1 && FOLDS >= 1 && COLUMNS >= 1, "PE, FOLDS and COLUMNS must be at least 1");
  static_assert(SCALE_Y >= 1 && SCALE_X >= 1, "scales must be at least 1");
  lanes::word<PE, WIDTH> row[COLUMNS * FOLDS];
  int fold = 0, again_x = 0, column = 0, again_y = 0;
  for (int i = 0; i < ROWS * SCALE_Y * COLUMNS * SCALE_X * FOLDS; i++) {
#pragma HLS pipeline II = 1
    const int address = column * FOLDS + fold;
    lanes::word<PE, WIDTH> word;
    if (again_x == 0 && again_y == 0) {
      word = source.read();
      row[address] = word;
    } else if (ZEROS) {
      for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
        lanes::set<WIDTH>(word, lane, 0);
      }
    } else {
      word = row[address];
    }
    sink.write(word);
    if (++fold == FOLDS) {
      fold = 0;
      if (++again_x == SCALE_X) {
        again_x = 0;
        if (++column == COLUMNS) {
          column = 0;
          again_y = again_y == SCALE_Y - 1 ? 0 : again_y + 1;
        }
      }
    }
  }
}

} // namespace upsample
