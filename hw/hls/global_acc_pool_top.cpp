// SPDX-License-Identifier: Apache-2.0
// Top function of global_acc_pool. The constants are those of config.hpp, which hw/generate.py writes.
#include "global_acc_pool.hpp"

#include "config.hpp"

void global_acc_pool_top(hls::stream<ap_uint<PE * IN_WIDTH>> &s_axis,
                         hls::stream<ap_uint<PE * ACC_WIDTH>> &m_axis) {
#pragma HLS interface axis port = s_axis
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  global_acc_pool::run<CHANNELS, PE, PIXELS, IN_WIDTH, SIGNED, ACC_WIDTH>(s_axis, m_axis);
}
