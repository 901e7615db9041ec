// SPDX-License-Identifier: Apache-2.0
// Sum of each channel over the pixels of a frame; see docs/kernels/global_acc_pool.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace global_acc_pool {

/// Sums one frame: PIXELS x CHANNELS/PE words in, CHANNELS/PE words out with the last pixel.
template <int CHANNELS, int PE, int PIXELS, int IN_WIDTH, bool SIGNED, int ACC_WIDTH>
void run(hls::stream<lanes::word<PE, IN_WIDTH>> &in, hls::stream<lanes::word<PE, ACC_WIDTH>> &out) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(PIXELS >= 1 && IN_WIDTH >= 1, "PIXELS and IN_WIDTH must be at least 1");
  static_assert(((1LL << (IN_WIDTH - SIGNED)) - !SIGNED) * PIXELS <=
                    (1LL << (ACC_WIDTH - SIGNED)) - !SIGNED,
                "ACC_WIDTH must hold the sum of PIXELS values");
  constexpr int FOLDS = CHANNELS / PE;
  lanes::word<PE, ACC_WIDTH> sums[FOLDS];
#pragma HLS array_partition variable = sums type = complete
  int fold = 0;  // 0..FOLDS-1
  int pixel = 0; // 0..PIXELS-1
  for (int i = 0; i < PIXELS * FOLDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, IN_WIDTH> word = in.read();
    const lanes::word<PE, ACC_WIDTH> old = sums[fold];
    lanes::word<PE, ACC_WIDTH> sum;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      using Sum = lanes::integer<ACC_WIDTH, SIGNED>;
      const Sum before = pixel == 0 ? Sum(0) : lanes::get<ACC_WIDTH, SIGNED>(old, lane);
      const Sum total = before + lanes::get<IN_WIDTH, SIGNED>(word, lane);
      lanes::set<ACC_WIDTH>(sum, lane, total);
    }
    sums[fold] = sum;
    if (pixel == PIXELS - 1) out.write(sum);
    if (++fold == FOLDS) {
      fold = 0;
      pixel++;
    }
  }
}

} // namespace global_acc_pool
