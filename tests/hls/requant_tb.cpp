// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "requant_top.cpp"

int main() {
  hls::stream<ap_uint<PE * ACC_WIDTH>> in;
  hls::stream<ap_uint<PE * OUT_WIDTH>> out;
  bench::read("in0.txt", in);
  while (!in.empty())
    requant_top(in, out);
  bench::write("out0.txt", out);
}
