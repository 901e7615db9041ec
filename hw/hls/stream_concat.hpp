// SPDX-License-Identifier: Apache-2.0
// Joins the vectors of several streams along the channels; see docs/kernels/stream_concat.md.
#pragma once

#include <hls_stream.h>

namespace stream_concat {

/// Joins PIXELS pixels; input i gives BEATS[i] words of each, in the order of the inputs.
template <int PIXELS, int... BEATS, typename Word, typename... Inputs>
void run(hls::stream<Word> &out, Inputs &...in) {
  static_assert(sizeof...(BEATS) == sizeof...(Inputs), "BEATS must have a number for each input");
  static_assert(((BEATS >= 1) && ...), "every input must give a word of each pixel");
  constexpr int LENGTH[] = {BEATS...};
  int source = 0; // 0..number of inputs - 1
  int beat = 0;   // 0..LENGTH[source] - 1
  for (int i = 0; i < PIXELS * (BEATS + ...); i++) {
#pragma HLS pipeline II = 1
    int input = 0;
    ((input++ == source ? out.write(in.read()) : void()), ...);
    if (++beat == LENGTH[source]) {
      beat = 0;
      source = source + 1 == sizeof...(BEATS) ? 0 : source + 1;
    }
  }
}

} // namespace stream_concat
