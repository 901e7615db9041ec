// SPDX-License-Identifier: Apache-2.0
// clip((acc * scale + bias) >> SHIFT) on PE channels a cycle; see docs/kernels/requant.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace requant {

/// Scale and bias of one channel.
template <int SCALE_WIDTH, int BIAS_WIDTH>
struct parameter {
  lanes::integer<SCALE_WIDTH, true> scale;
  lanes::integer<BIAS_WIDTH, true> bias;
};

constexpr int SUM_WIDTH = 64;

/// `acc * scale + bias`, shifted down and clipped to LOW..HIGH; with TIES_EVEN halves to the even
/// side.
template <int OUT_WIDTH, bool OUT_SIGNED, int SHIFT, int LOW, int HIGH, bool TIES_EVEN,
          typename Acc, typename Parameter>
lanes::integer<OUT_WIDTH, OUT_SIGNED> apply(const Acc &acc, const Parameter &parameter) {
#pragma HLS inline
  using Sum = lanes::integer<SUM_WIDTH, true>;
  const Sum sum = Sum(lanes::multiply(acc, parameter.scale)) + Sum(parameter.bias);
  Sum shifted = sum >> SHIFT;
  if (TIES_EVEN && (shifted & 1) != 0 && (sum & ((Sum(1) << SHIFT) - 1)) == 0) shifted -= 1;
  return shifted > HIGH ? Sum(HIGH) : shifted < LOW ? Sum(LOW) : shifted;
}

/// Requantises WORDS words, a whole number of pixels; `parameters` has one entry for each of
/// CHANNELS, or a single one without PER_CHANNEL.
template <int CHANNELS, int PE, int ACC_WIDTH, bool ACC_SIGNED, int OUT_WIDTH, bool OUT_SIGNED,
          int SHIFT, bool PER_CHANNEL, int LOW, int HIGH, bool TIES_EVEN, int WORDS,
          typename Parameter, int ENTRIES>
void run(hls::stream<lanes::word<PE, ACC_WIDTH>> &in, hls::stream<lanes::word<PE, OUT_WIDTH>> &out,
         const Parameter (&parameters)[ENTRIES]) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(ACC_WIDTH + !ACC_SIGNED <= 27, "an accumulator with sign must fit 27 bits");
  static_assert(SHIFT >= 0 && SHIFT <= 60, "SHIFT must be 0..60");
  static_assert(LOW < HIGH, "LOW must be below HIGH");
  static_assert(ENTRIES == (PER_CHANNEL ? CHANNELS : 1), "one parameter for each channel");
  static_assert(WORDS % (CHANNELS / PE) == 0, "WORDS must be whole pixels");
  int fold = 0; // 0..CHANNELS/PE-1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, ACC_WIDTH> word = in.read();
    lanes::word<PE, OUT_WIDTH> result;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const Parameter &parameter = parameters[PER_CHANNEL ? fold * PE + lane : 0];
      lanes::set<OUT_WIDTH>(result, lane,
                            apply<OUT_WIDTH, OUT_SIGNED, SHIFT, LOW, HIGH, TIES_EVEN>(
                                lanes::get<ACC_WIDTH, ACC_SIGNED>(word, lane), parameter));
    }
    out.write(result);
    fold = fold == CHANNELS / PE - 1 ? 0 : fold + 1;
  }
}

} // namespace requant
