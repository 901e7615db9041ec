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

constexpr int SUM_WIDTH = 48;

/// `acc * scale + bias`, shifted down and clipped to OUT_WIDTH bits.
template <int OUT_WIDTH, bool OUT_SIGNED, int SHIFT, typename Acc, typename Parameter>
lanes::integer<OUT_WIDTH, OUT_SIGNED> apply(const Acc &acc, const Parameter &parameter) {
#pragma HLS inline
  using Sum = lanes::integer<SUM_WIDTH, true>;
  const Sum high = (Sum(1) << (OUT_WIDTH - OUT_SIGNED)) - 1;
  const Sum low = OUT_SIGNED ? Sum(-high - 1) : Sum(0);
  const Sum sum = lanes::multiply(acc, parameter.scale) + parameter.bias;
  const Sum shifted = sum >> SHIFT;
  return shifted > high ? high : shifted < low ? low : shifted;
}

/// Requantises WORDS words, a whole number of pixels; `parameters` has one entry for each of
/// CHANNELS, or a single one without PER_CHANNEL.
template <int CHANNELS, int PE, int ACC_WIDTH, bool ACC_SIGNED, int OUT_WIDTH, bool OUT_SIGNED,
          int SHIFT, bool PER_CHANNEL, int WORDS, typename Parameter, int ENTRIES>
void run(hls::stream<lanes::word<PE, ACC_WIDTH>> &in, hls::stream<lanes::word<PE, OUT_WIDTH>> &out,
         const Parameter (&parameters)[ENTRIES]) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(ACC_WIDTH + !ACC_SIGNED <= 27, "an accumulator with sign must fit 27 bits");
  static_assert(SHIFT >= 0 && SHIFT < SUM_WIDTH, "SHIFT must be 0..47");
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
                            apply<OUT_WIDTH, OUT_SIGNED, SHIFT>(
                                lanes::get<ACC_WIDTH, ACC_SIGNED>(word, lane), parameter));
    }
    out.write(result);
    fold = fold == CHANNELS / PE - 1 ? 0 : fold + 1;
  }
}

} // namespace requant
