// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "stream_add_top.cpp"

int main() {
  hls::stream<ap_uint<PE * WIDTH>> a, b;
  hls::stream<ap_uint<PE *(WIDTH + 1)>> sum;
  bench::read("in0.txt", a);
  bench::read("in1.txt", b);
  while (!a.empty())
    stream_add_top(a, b, sum);
  bench::write("out0.txt", sum);
  return b.empty() ? 0 : 1;
}
