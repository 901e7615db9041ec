// SPDX-License-Identifier: Apache-2.0
// One stream to several; see docs/kernels/stream_fork.md.
//
// A write to one output waits for room in it, so outputs of unequal speed need streams of some
// depth.
#pragma once

#include <hls_stream.h>

namespace stream_fork {

/// Copies WORDS words to every output.
template <int WORDS, typename Word, typename... Outputs>
void run(hls::stream<Word> &in, Outputs &...out) {
  static_assert(sizeof...(Outputs) >= 1, "a fork needs an output");
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const Word word = in.read();
    (out.write(word), ...);
  }
}

} // namespace stream_fork
