// SPDX-License-Identifier: Apache-2.0
// clip((a * scale_a + b * scale_b + bias) >> SHIFT) on PE channels a cycle; see
// docs/kernels/requant_add.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace requant_add {

/// Scales of both operands and bias of one channel.
template <int SCALE_WIDTH, int BIAS_WIDTH>
struct parameter {
  lanes::integer<SCALE_WIDTH, true> scale_a;
  lanes::integer<SCALE_WIDTH, true> scale_b;
  lanes::integer<BIAS_WIDTH, true> bias;
};

/// Adds and requantises WORDS words, a whole number of pixels; `parameters` has one entry for each
/// of CHANNELS, or a single one without PER_CHANNEL.
template <int CHANNELS, int PE, int A_WIDTH, bool A_SIGNED, int B_WIDTH, bool B_SIGNED,
          int OUT_WIDTH, int SHIFT, bool PER_CHANNEL, int LOW, int HIGH, bool TIES_EVEN, int WORDS,
          typename Parameter, int ENTRIES>
void run(hls::stream<lanes::word<PE, A_WIDTH>> &left, hls::stream<lanes::word<PE, B_WIDTH>> &right,
         hls::stream<lanes::word<PE, OUT_WIDTH>> &out, const Parameter (&parameters)[ENTRIES]) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(A_WIDTH + !A_SIGNED <= 27 && B_WIDTH + !B_SIGNED <= 27,
                "an operand with sign must fit 27 bits");
  static_assert(SHIFT >= 0 && SHIFT <= 60, "SHIFT must be 0..60");
  static_assert(LOW < HIGH, "LOW must be below HIGH");
  static_assert(ENTRIES == (PER_CHANNEL ? CHANNELS : 1), "one parameter for each channel");
  static_assert(WORDS % (CHANNELS / PE) == 0, "WORDS must be whole pixels");
  using Sum = lanes::integer<64, true>;
  int fold = 0; // 0..CHANNELS/PE-1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    const lanes::word<PE, A_WIDTH> a = left.read();
    const lanes::word<PE, B_WIDTH> b = right.read();
    lanes::word<PE, OUT_WIDTH> result;
    for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
      const Parameter &parameter = parameters[PER_CHANNEL ? fold * PE + lane : 0];
      const Sum sum =
          Sum(lanes::multiply(lanes::get<A_WIDTH, A_SIGNED>(a, lane), parameter.scale_a)) +
          Sum(lanes::multiply(lanes::get<B_WIDTH, B_SIGNED>(b, lane), parameter.scale_b)) +
          Sum(parameter.bias);
      Sum shifted = sum >> SHIFT;
      if (TIES_EVEN && (shifted & 1) != 0 && (sum & ((Sum(1) << SHIFT) - 1)) == 0) shifted -= 1;
      lanes::set<OUT_WIDTH>(result, lane,
                            shifted > HIGH  ? Sum(HIGH)
                            : shifted < LOW ? Sum(LOW)
                                            : shifted);
    }
    out.write(result);
    fold = fold == CHANNELS / PE - 1 ? 0 : fold + 1;
  }
}

} // namespace requant_add
