// SPDX-License-Identifier: Apache-2.0
// The place of each landmark from its best cell; see docs/kernels/grid_peak.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace grid_peak {

/// One frame: ROWS x COLUMNS x LANDMARKS/PE words in, LANDMARKS/PE words out with the last
/// cell. `steps` has an entry for each word of a cell: x and y of each landmark.
template <int LANDMARKS, int PE, int ROWS, int COLUMNS, int WIDTH, int STEP_WIDTH, int OUT_WIDTH,
          typename Step, int ENTRIES>
void run(hls::stream<lanes::word<3 * PE, WIDTH>> &in,
         hls::stream<lanes::word<2 * PE, OUT_WIDTH>> &out, const Step (&steps)[ENTRIES][2 * PE]) {
  static_assert(PE >= 1 && LANDMARKS % PE == 0, "PE must divide LANDMARKS");
  static_assert(ENTRIES == LANDMARKS / PE, "one entry for each word of a cell");
  static_assert(((ROWS > COLUMNS ? ROWS : COLUMNS) - 1) * ((1LL << STEP_WIDTH) - 1) +
                        (1LL << (WIDTH - 1)) - 1 <=
                    (1LL << (OUT_WIDTH - 1)) - 1,
                "OUT_WIDTH must hold every place");
  using Place = lanes::integer<OUT_WIDTH, true>;
  lanes::word<2 * PE, OUT_WIDTH> places[ENTRIES];
  lanes::word<PE, WIDTH> scores[ENTRIES];
#pragma HLS array_partition variable = places type = complete
#pragma HLS array_partition variable = scores type = complete
  int fold = 0;   // 0..ENTRIES-1
  int column = 0; // 0..COLUMNS-1
  int row = 0;    // 0..ROWS-1
  for (int n = 0; n < ROWS * COLUMNS * ENTRIES; n++) {
#pragma HLS pipeline II = 1
    const lanes::word<3 * PE, WIDTH> word = in.read();
    lanes::word<2 * PE, OUT_WIDTH> place = places[fold];
    lanes::word<PE, WIDTH> score = scores[fold];
    for (int i = 0; i < PE; i++) {
#pragma HLS unroll
      const lanes::integer<WIDTH, true> seen = lanes::get<WIDTH, true>(word, 3 * i);
      if ((row == 0 && column == 0) || seen > lanes::get<WIDTH, true>(score, i)) {
        lanes::set<WIDTH>(score, i, seen);
        for (int axis = 0; axis < 2; axis++) {
          const Place corner = Place(axis ? row : column) * Place(steps[fold][2 * i + axis]);
          const Place offset = lanes::get<WIDTH, true>(word, 3 * i + 1 + axis);
          lanes::set<OUT_WIDTH>(place, 2 * i + axis, Place(corner + offset));
        }
      }
    }
    places[fold] = place;
    scores[fold] = score;
    if (row == ROWS - 1 && column == COLUMNS - 1) out.write(place);
    if (++fold == ENTRIES) {
      fold = 0;
      if (++column == COLUMNS) {
        column = 0;
        row++;
      }
    }
  }
}

} // namespace grid_peak
