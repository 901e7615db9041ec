// SPDX-License-Identifier: Apache-2.0
// Top function of depthwise. The constants are those of config.hpp, which hw/generate.py writes.
#include "depthwise.hpp"

#include "config.hpp"

void depthwise_top(hls::stream<ap_uint<PE * ACT_WIDTH>> &s_axis,
                   hls::stream<ap_uint<PE * WEIGHT_WIDTH>> &s_weight,
                   hls::stream<ap_uint<PE * ACC_WIDTH>> &m_axis) {
#pragma HLS interface axis port = s_axis
#pragma HLS interface axis port = s_weight
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  depthwise::run<PE, TAPS, ACT_WIDTH, ACT_SIGNED, WEIGHT_WIDTH, ACC_WIDTH, WORDS>(s_axis, s_weight,
                                                                                  m_axis);
}
