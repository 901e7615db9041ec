// SPDX-License-Identifier: Apache-2.0
// Sum of two streams lane by lane, one bit wider than its operands; see docs/kernels/stream_add.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace stream_add {

/// Adds WORDS words of PE lanes.
template <int PE, int WIDTH, bool SIGNED, int WORDS>
void run(hls::stream<lanes::word<PE, WIDTH>> &a, hls::stream<lanes::word<PE, WIDTH>> &b,
         hls::stream<lanes::word<PE, WIDTH + 1>> &sum) {
  static_assert(PE >= 1 && WIDTH >= 1, "PE and WIDTH must be at least 1");
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, WIDTH> x = a.read();
    const lanes::word<PE, WIDTH> y = b.read();
    lanes::word<PE, WIDTH + 1> z;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      using Sum = lanes::integer<WIDTH + 1, SIGNED>;
      const Sum total =
          Sum(lanes::get<WIDTH, SIGNED>(x, lane)) + Sum(lanes::get<WIDTH, SIGNED>(y, lane));
      lanes::set<WIDTH + 1>(z, lane, total);
    }
    sum.write(z);
  }
}

} // namespace stream_add
