// SPDX-License-Identifier: Apache-2.0
// Matrix-vector product; see docs/kernels/dense.md. Twin of hw/rtl/kl_dense.sv, where two pixels
// SHARE each weight and multiplier, and with SHARE = 1 of FINN's MVAU_rtl.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace dense {

constexpr int SPACING = 18; // bits between the pixels in a multiplier
constexpr int CHAIN = 4;    // products summed before the pixels are told apart
constexpr int SUM_WIDTH = 48;

using Sum = lanes::integer<SUM_WIDTH, true>;

/// The inputs of SHARE pixels side by side: one operand of a multiplier.
template <int SHARE, int ACT_WIDTH>
using operand = lanes::integer<ACT_WIDTH + 1 + (SHARE - 1) * SPACING, true>;

/// Products of SIMD operands and the weights from `offset`, summed for each of SHARE pixels.
template <int SHARE, int SIMD, int ACT_WIDTH, int WEIGHT_WIDTH, typename Weight, int LANES>
void dot(const operand<SHARE, ACT_WIDTH> (&x)[SIMD], const Weight (&weights)[LANES], int offset,
         Sum (&sums)[SHARE]) {
#pragma HLS inline
  for (int pixel = 0; pixel < SHARE; pixel++) {
#pragma HLS unroll
    sums[pixel] = 0;
  }
  for (int first = 0; first < SIMD; first += CHAIN) {
#pragma HLS unroll
    Sum chain = 0;
    for (int lane = first; lane < (first + CHAIN < SIMD ? first + CHAIN : SIMD); lane++) {
#pragma HLS unroll
      chain += lanes::multiply(x[lane], lanes::integer<WEIGHT_WIDTH, true>(weights[offset + lane]));
    }
    if constexpr (SHARE == 1) {
      sums[0] += chain;
    } else { // the low field has borrowed from the high one where it is negative
      const Sum low = lanes::trim<SPACING, true>(chain);
      sums[0] += low;
      sums[1] += (chain - low) >> SPACING;
    }
  }
}

/// Multiplies PIXELS vectors of MW inputs by a matrix of MW x MH weights. Entry `m * N + n` of
/// `weights`, with N = MW / SIMD, has those of the outputs m * PE.. and the inputs n * SIMD..: PE
/// times SIMD. While a group of SHARE pixels is multiplied, the next one is read and the sums of
/// the last one leave.
template <int SHARE, int PIXELS, int MW, int MH, int SIMD, int PE, int ACT_WIDTH, bool ACT_SIGNED,
          int WEIGHT_WIDTH, int ACC_WIDTH, typename Weight, int ENTRIES>
void run(hls::stream<lanes::word<SIMD, ACT_WIDTH>> &in,
         hls::stream<lanes::word<PE, ACC_WIDTH>> &out,
         const Weight (&weights)[ENTRIES][PE * SIMD]) {
  static_assert(SHARE == 1 || SHARE == 2, "one or two pixels SHARE a weight");
  static_assert(SIMD >= 1 && MW % SIMD == 0, "SIMD must divide MW");
  static_assert(PE >= 1 && MH % PE == 0, "PE must divide MH");
  static_assert(PIXELS >= 1, "PIXELS must be at least 1");
  static_assert(SHARE == 1 || (ACT_WIDTH <= 8 && WEIGHT_WIDTH <= 8),
                "two pixels share a multiplier with inputs and weights of up to 8 bits");
  static_assert(ACC_WIDTH <= SUM_WIDTH, "ACC_WIDTH must be at most 48");
  static_assert(ENTRIES == (MW / SIMD) * (MH / PE), "weights must have an entry for each fold");
  constexpr int N = MW / SIMD, M = MH / PE;
  constexpr int GROUPS = (PIXELS + SHARE - 1) / SHARE;
  constexpr int PORT = SHARE * (N > M ? N : M);      // cycles that the words of a group take
  constexpr int STEPS = N * M > PORT ? N * M : PORT; // cycles of a group
  operand<SHARE, ACT_WIDTH> inputs[2][N][SIMD];
#pragma HLS array_partition variable = inputs dim = 3 type = complete
#pragma HLS dependence variable = inputs type = inter dependent = false
  lanes::word<PE, ACC_WIDTH> outputs[2][SHARE][M];
#pragma HLS dependence variable = outputs type = inter dependent = false
  Sum sums[PE][SHARE];
#pragma HLS array_partition variable = sums dim = 0 type = complete
  int step = 0;                 // 0..STEPS-1
  int group = 0;                // that is read; the one before is multiplied, and before it leaves
  int n_in = 0, pixel_in = 0;   // of the word that is read
  int n = 0, m = 0;             // folds that are multiplied
  int m_out = 0, pixel_out = 0; // of the word that leaves
  for (int i = 0; i < (GROUPS + 2) * STEPS; i++) {
#pragma HLS pipeline II = 1
    const int side = group & 1;
    if (group < GROUPS && step < SHARE * N && group * SHARE + pixel_in < PIXELS) {
      const lanes::word<SIMD, ACT_WIDTH> word = in.read();
      for (int lane = 0; lane < SIMD; lane++) {
#pragma HLS unroll
        using Operand = operand<SHARE, ACT_WIDTH>;
        const Operand x = lanes::get<ACT_WIDTH, ACT_SIGNED>(word, lane);
        Operand &held = inputs[side][n_in][lane];
        if constexpr (SHARE == 1) held = x;
        else held = pixel_in == 0 ? x : Operand(held + x * (1 << SPACING));
      }
      if (++n_in == N) {
        n_in = 0;
        pixel_in++;
      }
    }
    if (group >= 1 && group <= GROUPS && step < N * M) {
      lanes::word<PE, ACC_WIDTH> result[SHARE];
      for (int pe = 0; pe < PE; pe++) {
#pragma HLS unroll
        Sum products[SHARE];
        dot<SHARE, SIMD, ACT_WIDTH, WEIGHT_WIDTH>(inputs[1 - side][n], weights[m * N + n],
                                                  pe * SIMD, products);
        for (int pixel = 0; pixel < SHARE; pixel++) {
#pragma HLS unroll
          const Sum total = (n == 0 ? Sum(0) : sums[pe][pixel]) + products[pixel];
          sums[pe][pixel] = total;
          lanes::set<ACC_WIDTH>(result[pixel], pe, total);
        }
      }
      for (int pixel = 0; pixel < SHARE; pixel++) {
#pragma HLS unroll
        if (n == N - 1) outputs[1 - side][pixel][m] = result[pixel];
      }
      if (++n == N) {
        n = 0;
        m++;
      }
    }
    if (group >= 2 && step < SHARE * M && (group - 2) * SHARE + pixel_out < PIXELS) {
      out.write(outputs[side][pixel_out][m_out]);
      if (++m_out == M) {
        m_out = 0;
        pixel_out++;
      }
    }
    if (++step == STEPS) {
      step = n_in = pixel_in = n = m = m_out = pixel_out = 0;
      group++;
    }
  }
}

} // namespace dense
