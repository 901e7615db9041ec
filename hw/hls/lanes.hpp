// SPDX-License-Identifier: Apache-2.0
// Lanes of a stream word; lane 0 in the least significant bits.
#pragma once

#include <ap_int.h>
#include <type_traits>

namespace lanes {

/// Integer of WIDTH bits.
template <int WIDTH, bool SIGNED>
using integer = std::conditional_t<SIGNED, ap_int<WIDTH>, ap_uint<WIDTH>>;

/// Lane `index` of `word`, each WIDTH bits.
template <int WIDTH, bool SIGNED, int BITS>
integer<WIDTH, SIGNED> get(const ap_uint<BITS> &word, int index) {
#pragma HLS inline
  static_assert(BITS % WIDTH == 0, "a word must be a whole number of lanes");
  const ap_uint<WIDTH> bits = word.range((index + 1) * WIDTH - 1, index * WIDTH);
  return integer<WIDTH, SIGNED>(bits);
}

/// Make `value` lane `index` of `word`, each WIDTH bits.
template <int WIDTH, int BITS, typename T>
void set(ap_uint<BITS> &word, int index, const T &value) {
#pragma HLS inline
  static_assert(BITS % WIDTH == 0, "a word must be a whole number of lanes");
  word.range((index + 1) * WIDTH - 1, index * WIDTH) = ap_uint<WIDTH>(value);
}

} // namespace lanes
