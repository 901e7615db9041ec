// SPDX-License-Identifier: Apache-2.0
// Words between files and streams: one hexadecimal word a line, as many digits as the width needs.
#pragma once

#include "lanes.hpp"
#include <cstdlib>
#include <fstream>
#include <hls_stream.h>
#include <iostream>
#include <string>

namespace bench {

/// All words of the file into the stream.
template <int LANES, int WIDTH>
void read(const std::string &file, hls::stream<lanes::word<LANES, WIDTH>> &stream) {
  std::ifstream input(file);
  if (!input) {
    std::cerr << file << " cannot be read\n";
    std::exit(1);
  }
  for (std::string line; std::getline(input, line);) {
    const auto bit = [&](int index) -> unsigned long long {
      const int digit = int(line.size()) - 1 - index / 4;
      return digit < 0 ? 0 : std::stoi(std::string(1, line[digit]), nullptr, 16) >> index % 4 & 1;
    };
    lanes::word<LANES, WIDTH> word = {};
    for (int lane = 0; lane < LANES; lane++) {
      unsigned long long value = 0;
      for (int i = 0; i < WIDTH; i++) value |= bit(lane * WIDTH + i) << i;
      lanes::set<WIDTH>(word, lane, lanes::integer<WIDTH, false>(value));
    }
    stream.write(word);
  }
}

/// All words of the stream into the file.
template <int LANES, int WIDTH>
void write(const std::string &file, hls::stream<lanes::word<LANES, WIDTH>> &stream) {
  std::ofstream output(file);
  while (!stream.empty()) {
    const auto word = stream.read();
    const auto bit = [&](int index) -> unsigned {
      if (index >= LANES * WIDTH) return 0;
      const auto lane = lanes::get<WIDTH, false>(word, index / WIDTH);
      return unsigned((lane >> index % WIDTH) & 1);
    };
    for (int digit = (LANES * WIDTH + 3) / 4 - 1; digit >= 0; digit--) {
      unsigned value = 0;
      for (int i = 0; i < 4; i++) value |= bit(4 * digit + i) << i;
      output << "0123456789abcdef"[value];
    }
    output << '\n';
  }
}

} // namespace bench
