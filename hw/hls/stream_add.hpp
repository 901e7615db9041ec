// SPDX-License-Identifier: Apache-2.0
// Sum of two streams lane by lane, one bit wider than its operands; see docs/kernels/stream_add.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace stream_add {

/// Adds WORDS words of PE lanes.
template <int PE, int WIDTH, bool SIGNED, int WORDS>
void run(hls::stream<ap_uint<PE * WIDTH>> &a, hls::stream<ap_uint<PE * WIDTH>> &b,
         hls::stream<ap_uint<PE *(WIDTH + 1)>> &sum) {
  static_assert(PE >= 1 && WIDTH >= 1, "PE and WIDTH must be at least 1");
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const ap_uint<PE *WIDTH> x = a.read();
    const ap_uint<PE *WIDTH> y = b.read();
    ap_uint<PE *(WIDTH + 1)> z;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const lanes::integer<WIDTH + 1, SIGNED> total =
          lanes::get<WIDTH, SIGNED>(x, lane) + lanes::get<WIDTH, SIGNED>(y, lane);
      lanes::set<WIDTH + 1>(z, lane, total);
    }
    sum.write(z);
  }
}

} // namespace stream_add
