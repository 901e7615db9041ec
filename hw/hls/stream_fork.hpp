// SPDX-License-Identifier: Apache-2.0
// One stream to COPIES streams; see docs/kernels/stream_fork.md.
//
// A write to one output waits for room in it, so outputs of unequal speed need streams of some depth.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>

namespace stream_fork {

/// Copies WORDS words.
template <int WIDTH, int COPIES, int WORDS>
void run(hls::stream<ap_uint<WIDTH>> &in, hls::stream<ap_uint<WIDTH>> (&out)[COPIES]) {
  static_assert(WIDTH >= 1, "WIDTH must be at least 1");
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const ap_uint<WIDTH> word = in.read();
    for (int copy = 0; copy < COPIES; copy++) {
#pragma HLS unroll
      out[copy].write(word);
    }
  }
}

} // namespace stream_fork
