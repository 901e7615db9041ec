// SPDX-License-Identifier: Apache-2.0
// Words of IN lanes to words of OUT lanes; see docs/kernels/width_converter.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace width_converter {

/// Converts a frame of LANES lanes of WIDTH bits; neither side need be a multiple of the other.
template <int IN, int OUT, int WIDTH, int LANES>
void run(hls::stream<lanes::word<IN, WIDTH>> &in, hls::stream<lanes::word<OUT, WIDTH>> &out) {
  static_assert(IN >= 1 && OUT >= 1 && WIDTH >= 1, "IN, OUT and WIDTH must be at least 1");
  static_assert(LANES % IN == 0 && LANES % OUT == 0, "LANES must be whole words of both sides");
  lanes::integer<WIDTH, false> held[IN + OUT] = {};
#pragma HLS array_partition variable = held type = complete
  int count = 0; // lanes held, 0..IN+OUT-1
  for (int i = 0; i < (IN < OUT ? LANES / IN : LANES / OUT); i++) {
#pragma HLS pipeline II = 1
    if (count < OUT) {
      const lanes::word<IN, WIDTH> word = in.read();
      for (int lane = 0; lane < IN; lane++) {
#pragma HLS unroll
        held[count + lane] = lanes::get<WIDTH, false>(word, lane);
      }
      count += IN;
    }
    if (count >= OUT) {
      lanes::word<OUT, WIDTH> word;
      for (int lane = 0; lane < OUT; lane++) {
#pragma HLS unroll
        lanes::set<WIDTH>(word, lane, held[lane]);
      }
      out.write(word);
      count -= OUT;
      for (int lane = 0; lane < IN; lane++) {
#pragma HLS unroll
        held[lane] = held[lane + OUT];
      }
    }
  }
}

} // namespace width_converter
