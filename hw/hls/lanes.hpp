// SPDX-License-Identifier: Apache-2.0
// Words of a stream and their lanes; lane 0 in the least significant bits.
//
// With LANES_NATIVE a word is an array of the machine's own integers instead of one ap_uint: the
// same values, a hundred times faster in g++. Synthesis and co-simulation never set it.
#pragma once

#include <cstdint>
#include <type_traits>
#ifndef LANES_NATIVE
#include <ap_int.h>
#endif

namespace lanes {

/// Smallest integer of C++ with WIDTH bits or more. Tables of constants have it as their type, so
/// that the compiler need not construct an object for each.
template <int WIDTH, bool SIGNED>
using native = std::conditional_t<
    SIGNED,
    std::conditional_t<
        (WIDTH <= 8), std::int8_t,
        std::conditional_t<(WIDTH <= 16), std::int16_t,
                           std::conditional_t<(WIDTH <= 32), std::int32_t, std::int64_t>>>,
    std::conditional_t<
        (WIDTH <= 8), std::uint8_t,
        std::conditional_t<(WIDTH <= 16), std::uint16_t,
                           std::conditional_t<(WIDTH <= 32), std::uint32_t, std::uint64_t>>>>;

#ifdef LANES_NATIVE

/// Integer of WIDTH bits; what goes beyond is cut off by `trim` alone.
template <int WIDTH, bool SIGNED>
using integer = native<WIDTH, SIGNED>;

/// `value` modulo 2^WIDTH.
template <int WIDTH, bool SIGNED, typename T>
integer<WIDTH, SIGNED> trim(const T &value) {
  using Wide = std::conditional_t<SIGNED, std::int64_t, std::uint64_t>;
  static_assert(WIDTH >= 1 && WIDTH <= 64, "an integer has 1 to 64 bits");
  if constexpr (WIDTH == 8 * sizeof(integer<WIDTH, SIGNED>)) return integer<WIDTH, SIGNED>(value);
  else return integer<WIDTH, SIGNED>(Wide(std::uint64_t(value) << (64 - WIDTH)) >> (64 - WIDTH));
}

/// The whole product.
template <typename A, typename B>
auto multiply(const A &a, const B &b) {
  if constexpr (sizeof(A) + sizeof(B) <= 3) return std::int32_t(a) * std::int32_t(b);
  else return std::int64_t(a) * std::int64_t(b);
}

/// LANES integers of WIDTH bits.
template <int LANES, int WIDTH>
struct word {
  static_assert(LANES >= 1 && WIDTH >= 1, "a word has at least one lane of one bit");
  native<WIDTH, false> lane[LANES];
};

template <int WIDTH, bool SIGNED, int LANES>
integer<WIDTH, SIGNED> get(const word<LANES, WIDTH> &word, int index) {
  return trim<WIDTH, SIGNED>(word.lane[index]);
}

template <int WIDTH, int LANES, typename T>
void set(word<LANES, WIDTH> &word, int index, const T &value) {
  word.lane[index] = native<WIDTH, false>(value);
}

#else

/// Integer of WIDTH bits.
template <int WIDTH, bool SIGNED>
using integer = std::conditional_t<SIGNED, ap_int<WIDTH>, ap_uint<WIDTH>>;

/// `value` modulo 2^WIDTH.
template <int WIDTH, bool SIGNED, typename T>
integer<WIDTH, SIGNED> trim(const T &value) {
#pragma HLS inline
  return integer<WIDTH, SIGNED>(value);
}

/// The whole product.
template <typename A, typename B>
auto multiply(const A &a, const B &b) {
#pragma HLS inline
  return a * b;
}

/// LANES integers of WIDTH bits.
template <int LANES, int WIDTH>
using word = ap_uint<LANES * WIDTH>;

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

#endif

} // namespace lanes
