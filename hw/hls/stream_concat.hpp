// SPDX-License-Identifier: Apache-2.0
// Joins the vectors of several streams along the channels; see docs/kernels/stream_concat.md.
#pragma once

#include <ap_int.h>
#include <hls_stream.h>
#include <utility>

namespace stream_concat {

/// Joins WORDS output words, a whole number of pixels; the sequence lists the channels of each input.
template <int PE, int WIDTH, int WORDS, int... CHANNELS>
void run(std::integer_sequence<int, CHANNELS...>,
         hls::stream<ap_uint<PE * WIDTH>> (&in)[sizeof...(CHANNELS)],
         hls::stream<ap_uint<PE * WIDTH>> &out) {
  constexpr int BEATS[] = {CHANNELS / PE...};
  static_assert(PE >= 1 && WIDTH >= 1, "PE and WIDTH must be at least 1");
  static_assert(((CHANNELS % PE == 0 && CHANNELS > 0) && ...), "PE must divide all CHANNELS");
  static_assert(WORDS % ((CHANNELS / PE) + ...) == 0, "WORDS must be whole pixels");
  int source = 0; // 0..number of inputs - 1
  int beat = 0;   // 0..BEATS[source] - 1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    out.write(in[source].read());
    if (++beat == BEATS[source]) {
      beat = 0;
      source = source + 1 == sizeof...(CHANNELS) ? 0 : source + 1;
    }
  }
}

} // namespace stream_concat
