// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on PE channels a cycle; see docs/kernels/depthwise.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace depthwise {

/// Takes for each pixel and fold of PE channels TAPS words, gives a word of sums. Entry
/// `fold * TAPS + tap` of `weights` has the PE weights of a fold and tap.
template <int CHANNELS, int PE, int TAPS, int ACT_WIDTH, bool ACT_SIGNED, int WEIGHT_WIDTH,
          int ACC_WIDTH, int PIXELS, typename Weight, int ENTRIES>
void run(hls::stream<lanes::word<PE, ACT_WIDTH>> &in, hls::stream<lanes::word<PE, ACC_WIDTH>> &out,
         const Weight (&weights)[ENTRIES][PE]) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(TAPS >= 1 && PIXELS >= 1, "TAPS and PIXELS must be at least 1");
  static_assert(ACT_WIDTH + !ACT_SIGNED <= 27, "an activation with sign must fit 27 bits");
  static_assert(WEIGHT_WIDTH >= 2 && WEIGHT_WIDTH <= 18, "WEIGHT_WIDTH must be 2..18");
  static_assert(ENTRIES == CHANNELS / PE * TAPS, "weights must have a word for each fold and tap");
  using Sum = lanes::integer<ACC_WIDTH, true>;
  Sum sums[PE];
#pragma HLS array_partition variable = sums type = complete
  int tap = 0;   // 0..TAPS-1
  int entry = 0; // 0..ENTRIES-1
  for (int i = 0; i < PIXELS * ENTRIES; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, ACT_WIDTH> x = in.read();
    lanes::word<PE, ACC_WIDTH> result;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const lanes::integer<WEIGHT_WIDTH, true> weight = weights[entry][lane];
      const Sum old = tap == 0 ? Sum(0) : sums[lane];
      sums[lane] = old + lanes::multiply(lanes::get<ACT_WIDTH, ACT_SIGNED>(x, lane), weight);
      lanes::set<ACC_WIDTH>(result, lane, sums[lane]);
    }
    if (++tap == TAPS) {
      tap = 0;
      out.write(result);
    }
    if (++entry == ENTRIES) entry = 0;
  }
}

} // namespace depthwise
