// SPDX-License-Identifier: Apache-2.0
// Top function of stream_concat. The constants are those of config.hpp, which hw/generate.py writes.
#include "stream_concat.hpp"

#include "config.hpp"

void stream_concat_top(hls::stream<ap_uint<PE * WIDTH>> (&s_axis)[INPUTS],
                       hls::stream<ap_uint<PE * WIDTH>> &m_axis) {
#pragma HLS interface axis port = s_axis
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  stream_concat::run<PE, WIDTH, WORDS>(CHANNELS{}, s_axis, m_axis);
}
