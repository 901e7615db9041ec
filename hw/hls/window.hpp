// SPDX-License-Identifier: Apache-2.0
// Sliding window over a frame; twin of FINN's ConvolutionInputGenerator_rtl, see
// docs/kernels/window.md.
#pragma once

#include "lanes.hpp"
#include <hls_stream.h>

namespace window {

/// Takes a frame of HEIGHT x WIDTH pixels, FOLDS words each; gives for each place of a window of
/// K_HEIGHT x K_WIDTH pixels its words: tap by tap the folds, or with DEPTHWISE fold by fold the
/// taps. Rows lie in a circle. Windows leave as soon as the words of the first are there, and a
/// word is read for each that the next windows will need, spread over the time in which a row of
/// windows leaves: the kernel holds no more of a frame than its RTL.
template <int HEIGHT, int WIDTH, int FOLDS, int K_HEIGHT, int K_WIDTH, int STRIDE_Y, int STRIDE_X,
          bool DEPTHWISE, int SIMD, int ACT_WIDTH>
void run(hls::stream<lanes::word<SIMD, ACT_WIDTH>> &in,
         hls::stream<lanes::word<SIMD, ACT_WIDTH>> &out) {
  static_assert(FOLDS >= 1 && SIMD >= 1, "FOLDS and SIMD must be at least 1");
  static_assert(K_HEIGHT >= 1 && K_WIDTH >= 1, "a window must have pixels");
  static_assert(K_HEIGHT <= HEIGHT && K_WIDTH <= WIDTH, "a window must fit the frame");
  static_assert(STRIDE_Y >= 1 && STRIDE_X >= 1, "strides must be at least 1");
  constexpr int ROWS = (HEIGHT - K_HEIGHT) / STRIDE_Y + 1;
  constexpr int COLUMNS = (WIDTH - K_WIDTH) / STRIDE_X + 1;
  constexpr int ROW_WORDS = WIDTH * FOLDS; // of the frame
  constexpr int TAPS = K_HEIGHT * K_WIDTH;
  constexpr int NEXT = STRIDE_Y * ROW_WORDS;                            // read for a row of windows
  constexpr int LEAVING = COLUMNS * TAPS * FOLDS;                       // written for it
  constexpr int STEPS = LEAVING > NEXT ? LEAVING : NEXT;                // it takes
  constexpr bool IN_TIME = 1LL * TAPS * NEXT >= 1LL * STRIDE_X * STEPS; // within a row
  constexpr int FIRST = IN_TIME ? (K_HEIGHT - 1) * ROW_WORDS + K_WIDTH * FOLDS
                                : K_HEIGHT * ROW_WORDS; // read before the first window
  constexpr int HELD = K_HEIGHT + STRIDE_Y;             // rows in the circle
  lanes::word<SIMD, ACT_WIDTH> rows[HELD][ROW_WORDS];
#pragma HLS dependence variable = rows type = inter dependent = false
  int taken = 0;                          // words of the frame, 0..HEIGHT*ROW_WORDS
  int row_in = 0, word_in = 0;            // where the next one goes
  int step = -FIRST;                      // -FIRST..STEPS-1
  int due = 0;                            // NEXT * step modulo STEPS: a word is due at its overflow
  int top = 0;                            // row of the circle at the window's top
  int column = 0, fold = 0, y = 0, x = 0; // of the word that leaves
  for (int i = 0; i < FIRST + ROWS * STEPS; i++) {
#pragma HLS pipeline II = 1
    if (step >= 0 && step < LEAVING) {
      const int row = top + y < HELD ? top + y : top + y - HELD;
      out.write(rows[row][(column * STRIDE_X + x) * FOLDS + fold]);
      const bool last_fold = fold == FOLDS - 1;
      const bool last_x = x == K_WIDTH - 1, last_y = y == K_HEIGHT - 1;
      const bool next_x = DEPTHWISE || last_fold, next_y = next_x && last_x;
      const bool taps_end = next_y && last_y;
      if (DEPTHWISE ? taps_end : true) fold = last_fold ? 0 : fold + 1;
      if (next_x) x = last_x ? 0 : x + 1;
      if (next_y) y = last_y ? 0 : y + 1;
      if (taps_end && last_fold) column = column == COLUMNS - 1 ? 0 : column + 1;
    }
    bool read = step < 0;
    if (!read) {
      due += NEXT;
      read = due >= STEPS;
      due = read ? due - STEPS : due;
    }
    if (read && taken < HEIGHT * ROW_WORDS) {
      rows[row_in][word_in] = in.read();
      taken++;
      if (++word_in == ROW_WORDS) {
        word_in = 0;
        row_in = row_in == HELD - 1 ? 0 : row_in + 1;
      }
    }
    if (++step == STEPS) {
      step = 0;
      top = top + STRIDE_Y < HELD ? top + STRIDE_Y : top + STRIDE_Y - HELD;
    }
  }
}

} // namespace window
