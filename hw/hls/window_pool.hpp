// SPDX-License-Identifier: Apache-2.0
// Largest element or sum of every window, lane by lane; see docs/kernels/window_pool.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace window_pool {

/// Makes WORDS result words, each of the TAPS words of its window.
template <int PE, int TAPS, int WIDTH, bool SIGNED, bool SUMS, int OUT_WIDTH, int WORDS>
void run(hls::stream<lanes::word<PE, WIDTH>> &source,
         hls::stream<lanes::word<PE, OUT_WIDTH>> &sink) {
  static_assert(PE >= 1 && TAPS >= 1 && WIDTH >= 1, "PE, TAPS and WIDTH must be at least 1");
  static_assert(OUT_WIDTH >= WIDTH, "a result must hold an element");
  using Result = lanes::integer<OUT_WIDTH, SIGNED>;
  Result kept[PE];
#pragma HLS array_partition variable = kept complete
  int tap = 0; // 0..TAPS-1
  for (int i = 0; i < WORDS * TAPS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, WIDTH> x = source.read();
    lanes::word<PE, OUT_WIDTH> y;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const Result value = lanes::get<WIDTH, SIGNED>(x, lane);
      Result found = value;
      if (tap != 0) {
        if (SUMS) found = Result(kept[lane] + value);
        else if (kept[lane] > value) found = kept[lane];
      }
      kept[lane] = found;
      lanes::set<OUT_WIDTH>(y, lane, found);
    }
    if (tap == TAPS - 1) sink.write(y);
    tap = tap == TAPS - 1 ? 0 : tap + 1;
  }
}

} // namespace window_pool
