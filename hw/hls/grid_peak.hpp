// SPDX-License-Identifier: Apache-2.0
// The place of each landmark from its two best cells; see docs/kernels/grid_peak.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace grid_peak {

/// Most halvings of the way from the best cell's place to that of the second best.
constexpr int HALVINGS = 15;

/// `place` moved half way towards `other`, half of that for each unit that their scores are
/// `apart`.
template <int OUT_WIDTH, int WIDTH>
lanes::integer<OUT_WIDTH, true> between(const lanes::integer<OUT_WIDTH, true> &place,
                                        const lanes::integer<OUT_WIDTH, true> &other,
                                        const lanes::integer<WIDTH + 1, false> &apart, int shift) {
#pragma HLS inline
  using Way = lanes::integer<OUT_WIDTH + 1, true>;
  const lanes::integer<WIDTH + 1, false> units = apart >> shift;
  const int halvings = units < HALVINGS ? int(units) : HALVINGS;
  const Way way = Way(other) - Way(place);
  return lanes::integer<OUT_WIDTH, true>(place + (way >> (1 + halvings)));
}

/// One frame: ROWS x COLUMNS x LANDMARKS/PE words in, LANDMARKS/PE words out with the last
/// cell. `steps` has an entry for each word of a cell: step in x, in y and the shift of each
/// landmark.
template <int LANDMARKS, int PE, int ROWS, int COLUMNS, int WIDTH, int STEP_WIDTH, int OUT_WIDTH,
          typename Step, int ENTRIES>
void run(hls::stream<lanes::word<3 * PE, WIDTH>> &in,
         hls::stream<lanes::word<2 * PE, OUT_WIDTH>> &out, const Step (&steps)[ENTRIES][3 * PE]) {
  static_assert(PE >= 1 && LANDMARKS % PE == 0, "PE must divide LANDMARKS");
  static_assert(ENTRIES == LANDMARKS / PE, "one entry for each word of a cell");
  static_assert(((ROWS > COLUMNS ? ROWS : COLUMNS) - 1) * ((1LL << STEP_WIDTH) - 1) +
                        (1LL << (WIDTH - 1)) - 1 <=
                    (1LL << (OUT_WIDTH - 1)) - 1,
                "OUT_WIDTH must hold every place");
  using Place = lanes::integer<OUT_WIDTH, true>;
  using Score = lanes::integer<WIDTH, true>;
  using Apart = lanes::integer<WIDTH + 1, false>;
  lanes::word<2 * PE, OUT_WIDTH> places[ENTRIES], others[ENTRIES];
  lanes::word<PE, WIDTH> scores[ENTRIES], seconds[ENTRIES];
#pragma HLS array_partition variable = places type = complete
#pragma HLS array_partition variable = others type = complete
#pragma HLS array_partition variable = scores type = complete
#pragma HLS array_partition variable = seconds type = complete
  int fold = 0;   // 0..ENTRIES-1
  int column = 0; // 0..COLUMNS-1
  int row = 0;    // 0..ROWS-1
  for (int n = 0; n < ROWS * COLUMNS * ENTRIES; n++) {
#pragma HLS pipeline II = 1
    const lanes::word<3 * PE, WIDTH> word = in.read();
    const bool first = n < ENTRIES, begin = n < 2 * ENTRIES;
    const bool last = row == ROWS - 1 && column == COLUMNS - 1;
    lanes::word<2 * PE, OUT_WIDTH> place = places[fold], other = others[fold], answer;
    lanes::word<PE, WIDTH> score = scores[fold], second = seconds[fold];
    for (int i = 0; i < PE; i++) {
#pragma HLS unroll
      const Score seen = lanes::get<WIDTH, true>(word, 3 * i);
      Score most = lanes::get<WIDTH, true>(score, i), more = lanes::get<WIDTH, true>(second, i);
      const bool better = first || seen > most;
      const bool next = begin || seen > more;
      more = better && !first ? most : next ? seen : more;
      most = better ? seen : most;
      const Apart apart =
          Apart(lanes::integer<WIDTH + 1, true>(most) - lanes::integer<WIDTH + 1, true>(more));
      for (int axis = 0; axis < 2; axis++) {
        const int lane = 2 * i + axis;
        const Place corner = Place(axis ? row : column) * Place(steps[fold][3 * i + axis]);
        const Place offset = lanes::get<WIDTH, true>(word, 3 * i + 1 + axis);
        const Place here = corner + offset;
        Place best = lanes::get<OUT_WIDTH, true>(place, lane);
        Place beside = lanes::get<OUT_WIDTH, true>(other, lane);
        beside = better && !first ? best : next ? here : beside;
        best = better ? here : best;
        lanes::set<OUT_WIDTH>(place, lane, best);
        lanes::set<OUT_WIDTH>(other, lane, beside);
        lanes::set<OUT_WIDTH>(
            answer, lane,
            between<OUT_WIDTH, WIDTH>(best, beside, apart, int(steps[fold][3 * i + 2])));
      }
      lanes::set<WIDTH>(score, i, most);
      lanes::set<WIDTH>(second, i, more);
    }
    places[fold] = place;
    others[fold] = other;
    scores[fold] = score;
    seconds[fold] = second;
    if (last) out.write(answer);
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
