// SPDX-License-Identifier: Apache-2.0
// Words between files and streams: one hexadecimal word a line, as many digits as the width needs.
#pragma once

#include <ap_int.h>
#include <cstdlib>
#include <fstream>
#include <hls_stream.h>
#include <iostream>
#include <string>

namespace bench {

/// All words of the file into the stream.
template <int WIDTH> void read(const std::string &file, hls::stream<ap_uint<WIDTH>> &stream) {
  std::ifstream input(file);
  if (!input) {
    std::cerr << file << " cannot be read\n";
    std::exit(1);
  }
  for (std::string line; std::getline(input, line);) {
    ap_uint<WIDTH + 4> word = 0;
    for (const char digit : line)
      word = (word << 4) | ap_uint<WIDTH + 4>(std::stoi(std::string(1, digit), nullptr, 16));
    stream.write(ap_uint<WIDTH>(word));
  }
}

/// All words of the stream into the file.
template <int WIDTH> void write(const std::string &file, hls::stream<ap_uint<WIDTH>> &stream) {
  std::ofstream output(file);
  while (!stream.empty()) {
    const ap_uint<WIDTH + 4> word = stream.read();
    for (int digit = (WIDTH + 3) / 4 - 1; digit >= 0; digit--)
      output << "0123456789abcdef"[((word >> (4 * digit)) & 15).to_uint()];
    output << '\n';
  }
}

} // namespace bench
