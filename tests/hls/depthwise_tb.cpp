// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "depthwise_top.cpp"

int main() {
  hls::stream<ap_uint<PE * ACT_WIDTH>> in;
  hls::stream<ap_uint<PE * WEIGHT_WIDTH>> weights;
  hls::stream<ap_uint<PE * ACC_WIDTH>> out;
  bench::read("in0.txt", in);
  bench::read("in1.txt", weights);
  while (!in.empty())
    depthwise_top(in, weights, out);
  bench::write("out0.txt", out);
  return weights.empty() ? 0 : 1;
}
