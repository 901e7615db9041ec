// SPDX-License-Identifier: Apache-2.0
// The place of each landmark from its best cell; see docs/kernels/grid_peak.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace grid_peak {

/// One frame: ROWS x COLUMNS x LANDMARKS/LANES words in, LANDMARKS/LANES words out with the last
/// cell. `steps` has an entry for each word of a cell: x and y of each landmark.
template <int LANDMARKS, int LANES, int ROWS, int COLUMNS, int WIDTH, int STEP_WIDTH,
          int OUT_WIDTH, typename Step, int ENTRIES>
void run(hls::stream<lanes::word<3 * LANES, WIDTH>> &in,
         hls::stream<lanes::word<2 * LANES, OUT_WIDTH>> &out,
         const Step (&steps)[ENTRIES][2 * LANES]) {
  static_assert(LANES >= 1 && LANDMARKS % LANES == 0, "LANES must divide LANDMARKS");
  static_assert(ENTRIES == LANDMARKS / LANES, "one entry for each word of a cell");
  static_assert(((ROWS > COLUMNS ? ROWS : COLUMNS) - 1) * ((1LL << STEP_WIDTH) - 1) +
                        (1LL << (WIDTH - 1)) - 1 <=
                    (1LL << (OUT_WIDTH - 1)) - 1,
                "OUT_WIDTH must hold every place");
  using Place = lanes::integer<OUT_WIDTH, true>;
  lanes::word<2 * LANES, OUT_WIDTH> places[ENTRIES];
  lanes::word<LANES, WIDTH> scores[ENTRIES];
#pragma HLS array_partition variable = places type = complete
#pragma HLS array_partition variable = scores type = complete
  int fold = 0;   // 0..ENTRIES-1
  int column = 0; // 0..COLUMNS-1
  int row = 0;    // 0..ROWS-1
  for (int i = 0; i < ROWS * COLUMNS * ENTRIES; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<3 * LANES, WIDTH> word = in.read();
    lanes::word<2 * LANES, OUT_WIDTH> place = places[fold];
    lanes::word<LANES, WIDTH> score = scores[fold];
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS unroll
      const lanes::integer<WIDTH, true> seen = lanes::get<WIDTH, true>(word, 3 * lane);
      if ((row == 0 && column == 0) || seen > lanes::get<WIDTH, true>(score, lane)) {
        lanes::set<WIDTH>(score, lane, seen);
        for (int axis = 0; axis < 2; axis++) {
          const Place corner = Place(axis ? row : column) * Place(steps[fold][2 * lane + axis]);
          const Place offset = lanes::get<WIDTH, true>(word, 3 * lane + 1 + axis);
          lanes::set<OUT_WIDTH>(place, 2 * lane + axis, Place(corner + offset));
        }
      }
    }
    places[fold] = place;
    scores[fold] = score;
    if (row == ROWS - 1 && column == COLUMNS - 1)
      out.write(place);
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
