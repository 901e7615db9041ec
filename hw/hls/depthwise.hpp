// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on PE channels a cycle; see docs/kernels/depthwise.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace depthwise {

/// Takes WORDS words of activations and of weights, gives a word of sums after every TAPS words.
template <int PE, int TAPS, int ACT_WIDTH, bool ACT_SIGNED, int WEIGHT_WIDTH, int ACC_WIDTH,
          int WORDS>
void run(hls::stream<ap_uint<PE * ACT_WIDTH>> &in, hls::stream<ap_uint<PE * WEIGHT_WIDTH>> &weights,
         hls::stream<ap_uint<PE * ACC_WIDTH>> &out) {
  static_assert(PE >= 1 && TAPS >= 1, "PE and TAPS must be at least 1");
  static_assert(WORDS % TAPS == 0, "WORDS must be whole windows");
  ap_int<ACC_WIDTH> sums[PE];
#pragma HLS array_partition variable = sums type = complete
  int tap = 0; // 0..TAPS-1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const ap_uint<PE *ACT_WIDTH> x = in.read();
    const ap_uint<PE *WEIGHT_WIDTH> w = weights.read();
    ap_uint<PE * ACC_WIDTH> result;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const ap_int<ACC_WIDTH> old = tap == 0 ? ap_int<ACC_WIDTH>(0) : sums[lane];
      sums[lane] = old + lanes::get<ACT_WIDTH, ACT_SIGNED>(x, lane) *
                             lanes::get<WEIGHT_WIDTH, true>(w, lane);
      lanes::set<ACC_WIDTH>(result, lane, sums[lane]);
    }
    if (++tap == TAPS) {
      tap = 0;
      out.write(result);
    }
  }
}

} // namespace depthwise
