// SPDX-License-Identifier: Apache-2.0
// The best cell of each landmark and what it says; see docs/kernels/grid_peak.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace grid_peak {

/// One frame: CELLS x LANDMARKS/LANES words in, LANDMARKS/LANES words out with the last cell.
template <int LANDMARKS, int LANES, int CELLS, int WIDTH>
void run(hls::stream<lanes::word<3 * LANES, WIDTH>> &in,
         hls::stream<lanes::word<3 * LANES, WIDTH>> &out) {
  static_assert(LANES >= 1 && LANDMARKS % LANES == 0, "LANES must divide LANDMARKS");
  static_assert(CELLS >= 1 && CELLS <= (1LL << (WIDTH - 1)),
                "WIDTH must hold the number of every cell");
  constexpr int FOLDS = LANDMARKS / LANES;
  using Number = lanes::integer<WIDTH, true>;
  lanes::word<3 * LANES, WIDTH> bests[FOLDS];
  lanes::word<LANES, WIDTH> scores[FOLDS];
#pragma HLS array_partition variable = bests type = complete
#pragma HLS array_partition variable = scores type = complete
  int fold = 0; // 0..FOLDS-1
  int cell = 0; // 0..CELLS-1
  for (int i = 0; i < CELLS * FOLDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<3 * LANES, WIDTH> word = in.read();
    lanes::word<3 * LANES, WIDTH> best = bests[fold];
    lanes::word<LANES, WIDTH> score = scores[fold];
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS unroll
      const Number seen = lanes::get<WIDTH, true>(word, 3 * lane);
      if (cell == 0 || seen > lanes::get<WIDTH, true>(score, lane)) {
        lanes::set<WIDTH>(score, lane, seen);
        lanes::set<WIDTH>(best, 3 * lane, Number(cell));
        for (int part = 1; part < 3; part++)
          lanes::set<WIDTH>(best, 3 * lane + part, lanes::get<WIDTH, true>(word, 3 * lane + part));
      }
    }
    bests[fold] = best;
    scores[fold] = score;
    if (cell == CELLS - 1)
      out.write(best);
    if (++fold == FOLDS) {
      fold = 0;
      cell++;
    }
  }
}

} // namespace grid_peak
