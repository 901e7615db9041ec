// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "stream_concat_top.cpp"

int main() {
  hls::stream<ap_uint<PE * WIDTH>> in[INPUTS], out;
  for (int i = 0; i < INPUTS; i++)
    bench::read("in" + std::to_string(i) + ".txt", in[i]);
  while (!in[0].empty())
    stream_concat_top(in, out);
  bench::write("out0.txt", out);
  for (auto &stream : in)
    if (!stream.empty())
      return 1;
}
