// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "stream_fork_top.cpp"

int main() {
  hls::stream<ap_uint<WIDTH>> in, out[COPIES];
  bench::read("in0.txt", in);
  while (!in.empty())
    stream_fork_top(in, out);
  for (int i = 0; i < COPIES; i++)
    bench::write("out" + std::to_string(i) + ".txt", out[i]);
}
