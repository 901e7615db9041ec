// SPDX-License-Identifier: Apache-2.0
// clip((a * scale_0 + b * scale_1 + .. + bias) >> SHIFT) on PE channels a cycle; see
// docs/kernels/requant_add.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>
#include <utility>

namespace requant_add {

/// Scale of each input and bias of one channel.
template <int INPUTS, int SCALE_WIDTH, int BIAS_WIDTH>
struct parameter {
  lanes::integer<SCALE_WIDTH, true> scale[INPUTS];
  lanes::integer<BIAS_WIDTH, true> bias;
};

using Sum = lanes::integer<64, true>;

/// Products of one lane of all words with their scales, and the bias.
template <int SIGNED, int... WIDTHS, std::size_t... INPUT, typename Parameter, typename... Words>
Sum sum_of(std::index_sequence<INPUT...>, const Parameter &parameter, int lane,
           const Words &...words) {
#pragma HLS inline
  static_assert(((WIDTHS + !(SIGNED >> INPUT & 1) <= 27) && ...),
                "an operand with sign must fit 27 bits");
  return (Sum(lanes::multiply(lanes::get<WIDTHS, (SIGNED >> INPUT & 1) != 0>(words, lane),
                              parameter.scale[INPUT])) +
          ... + Sum(parameter.bias));
}

/// The word of results from the words of all inputs, those of fold `fold` of a pixel.
template <int PE, int OUT_WIDTH, int SHIFT, bool PER_CHANNEL, int LOW, int HIGH, bool TIES_EVEN,
          int SIGNED, int... WIDTHS, typename Parameter, int ENTRIES, typename... Words>
lanes::word<PE, OUT_WIDTH> apply(const Parameter (&parameters)[ENTRIES], int fold,
                                 const Words &...words) {
#pragma HLS inline
  lanes::word<PE, OUT_WIDTH> result;
  for (int lane = 0; lane < PE; lane++) {
#pragma HLS unroll
    const Parameter &parameter = parameters[PER_CHANNEL ? fold * PE + lane : 0];
    const Sum sum =
        sum_of<SIGNED, WIDTHS...>(std::index_sequence_for<Words...>(), parameter, lane, words...);
    Sum shifted = sum >> SHIFT;
    if (TIES_EVEN && (shifted & 1) != 0 && (sum & ((Sum(1) << SHIFT) - 1)) == 0) shifted -= 1;
    lanes::set<OUT_WIDTH>(result, lane,
                          shifted > HIGH  ? Sum(HIGH)
                          : shifted < LOW ? Sum(LOW)
                                          : shifted);
  }
  return result;
}

/// Adds and requantises WORDS words, a whole number of pixels; `parameters` has one entry for each
/// of CHANNELS, or a single one without PER_CHANNEL. WIDTHS are the bits of an operand of each
/// input, bit i of SIGNED says whether those of input i have a sign.
template <int CHANNELS, int PE, int OUT_WIDTH, int SHIFT, bool PER_CHANNEL, int LOW, int HIGH,
          bool TIES_EVEN, int WORDS, int SIGNED, int... WIDTHS, typename Parameter, int ENTRIES,
          typename... Words>
void run(hls::stream<lanes::word<PE, OUT_WIDTH>> &out, const Parameter (&parameters)[ENTRIES],
         hls::stream<Words> &...in) {
  static_assert(PE >= 1 && CHANNELS % PE == 0, "PE must divide CHANNELS");
  static_assert(sizeof...(Words) == sizeof...(WIDTHS), "WIDTHS must have a number for each input");
  static_assert(sizeof...(Words) >= 2 && sizeof...(Words) <= 8, "there must be 2 to 8 inputs");
  static_assert(SHIFT >= 0 && SHIFT <= 60, "SHIFT must be 0..60");
  static_assert(LOW < HIGH, "LOW must be below HIGH");
  static_assert(ENTRIES == (PER_CHANNEL ? CHANNELS : 1), "one parameter for each channel");
  static_assert(WORDS % (CHANNELS / PE) == 0, "WORDS must be whole pixels");
  int fold = 0; // 0..CHANNELS/PE-1
  for (int i = 0; i < WORDS; i++) {
#pragma HLS pipeline II = 1
    out.write(apply<PE, OUT_WIDTH, SHIFT, PER_CHANNEL, LOW, HIGH, TIES_EVEN, SIGNED, WIDTHS...>(
        parameters, fold, in.read()...));
    fold = fold == CHANNELS / PE - 1 ? 0 : fold + 1;
  }
}

} // namespace requant_add
