// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"
#include "global_acc_pool_top.cpp"

int main() {
  hls::stream<ap_uint<PE * IN_WIDTH>> in;
  hls::stream<ap_uint<PE * ACC_WIDTH>> out;
  bench::read("in0.txt", in);
  while (!in.empty())
    global_acc_pool_top(in, out);
  bench::write("out0.txt", out);
}
