// SPDX-License-Identifier: Apache-2.0
// Top function of stream_add. The constants are those of config.hpp, which hw/generate.py writes.
#include "stream_add.hpp"

#include "config.hpp"

void stream_add_top(hls::stream<ap_uint<PE * WIDTH>> &s_axis_0,
                    hls::stream<ap_uint<PE * WIDTH>> &s_axis_1,
                    hls::stream<ap_uint<PE *(WIDTH + 1)>> &m_axis) {
#pragma HLS interface axis port = s_axis_0
#pragma HLS interface axis port = s_axis_1
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  stream_add::run<PE, WIDTH, SIGNED, WORDS>(s_axis_0, s_axis_1, m_axis);
}
