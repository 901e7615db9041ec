// SPDX-License-Identifier: Apache-2.0
// Test bench of C simulation and co-simulation: golden frames in, golden accumulators out.
#include "accelerator.hpp"
#include <fstream>
#include <iostream>

extern "C" int accelerator_frames(const unsigned char *images, int *accumulators, int count);

int main() {
  constexpr int BYTES = INPUT_WORDS * INPUT_LANES, SUMS = OUTPUT_WORDS * OUTPUT_LANES;
  static unsigned char image[BYTES];
  static int found[SUMS];
  std::ifstream images("golden_images.txt"), sums("golden_accumulators.txt");
  int frames = 0;
  for (int value; images >> value; frames++) {
    image[0] = value;
    for (int i = 1; i < BYTES && images >> value; i++) image[i] = value;
    if (accelerator_frames(image, found, 1) != 0) {
      std::cerr << "frame " << frames << ": words are missing or left over\n";
      return 1;
    }
    for (int i = 0; i < SUMS; i++)
      if (int expected; !(sums >> expected) || found[i] != expected) {
        std::cerr << "frame " << frames << ": accumulator " << i << " is " << found[i] << "\n";
        return 1;
      }
  }
  std::cout << frames << " frames exact\n";
  return frames > 0 ? 0 : 1;
}
