// SPDX-License-Identifier: Apache-2.0
// Any function of an accumulator by a table of its steps; see docs/kernels/lookup.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace lookup {

/// Looks up WORDS words, a whole number of pixels; `steps` has one row for each of CHANNELS, or a
/// single one without PER_CHANNEL: the 2**LEVELS - 1 starts in ascending order, then the codes.
template <int CHANNELS, int PE, int ACC_WIDTH, bool ACC_SIGNED, int OUT_WIDTH, int LEVELS,
          bool PER_CHANNEL, int WORDS, typename Step, int ROWS, int COLUMNS>
void run(hls::stream<lanes::word<PE, ACC_WIDTH>> &source,
         hls::stream<lanes::word<PE, OUT_WIDTH>> &sink, const Step (&steps)[ROWS][COLUMNS]) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(LEVELS >= 1 && LEVELS <= 9, "LEVELS must be 1..9");
  static_assert(ROWS == (PER_CHANNEL ? CHANNELS : 1), "one row for each channel");
  static_assert(COLUMNS == (2 << LEVELS) - 1, "a row must hold the starts and the codes");
  static_assert(WORDS % (CHANNELS / PE) == 0, "WORDS must be whole pixels");
  int fold = 0; // 0..CHANNELS/PE-1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, ACC_WIDTH> word = source.read();
    lanes::word<PE, OUT_WIDTH> result;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const Step(&row)[COLUMNS] = steps[PER_CHANNEL ? fold * PE + lane : 0];
      const auto acc = lanes::get<ACC_WIDTH, ACC_SIGNED>(word, lane);
      int index = 0; // 0..2**LEVELS-1
      for (int level = 0; level < LEVELS; level++) {
#pragma HLS unroll
        const int middle = ((2 * index + 1) << (LEVELS - 1 - level)) - 1;
        index = 2 * index + (acc >= row[middle] ? 1 : 0);
      }
      lanes::set<OUT_WIDTH>(result, lane, row[(1 << LEVELS) - 1 + index]);
    }
    sink.write(result);
    fold = fold == CHANNELS / PE - 1 ? 0 : fold + 1;
  }
}

} // namespace lookup
