// SPDX-License-Identifier: Apache-2.0
// Whole frames through the accelerator in C simulation; the library's one function.
#include "accelerator.hpp"

/// `count` frames of INPUT_WORDS x INPUT_LANES bytes to OUTPUT_WORDS x OUTPUT_LANES accumulators.
/// Returns the number of words that are missing or left over, 0 for a sound design.
extern "C" int accelerator_frames(const unsigned char *images, int *accumulators, int count) {
  hls::stream<lanes::word<INPUT_LANES, 8>> source("source");
  hls::stream<lanes::word<OUTPUT_LANES, OUTPUT_WIDTH>> sink("sink");
  for (int frame = 0; frame < count; frame++) {
    for (int i = 0; i < INPUT_WORDS; i++) {
      lanes::word<INPUT_LANES, 8> word;
      for (int lane = 0; lane < INPUT_LANES; lane++)
        lanes::set<8>(word, lane, lanes::integer<8, false>(*images++));
      source.write(word);
    }
    accelerator(source, sink);
    int wrong = int(source.size()) + OUTPUT_WORDS - int(sink.size());
    if (wrong != 0) return wrong;
    for (int i = 0; i < OUTPUT_WORDS; i++) {
      const lanes::word<OUTPUT_LANES, OUTPUT_WIDTH> word = sink.read();
      for (int lane = 0; lane < OUTPUT_LANES; lane++)
        *accumulators++ = int(lanes::get<OUTPUT_WIDTH, true>(word, lane));
    }
  }
  return 0;
}
