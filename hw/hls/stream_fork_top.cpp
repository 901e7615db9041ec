// SPDX-License-Identifier: Apache-2.0
// Top function of stream_fork. The constants are those of config.hpp, which hw/generate.py writes.
#include "stream_fork.hpp"

#include "config.hpp"

void stream_fork_top(hls::stream<ap_uint<WIDTH>> &s_axis,
                     hls::stream<ap_uint<WIDTH>> (&m_axis)[COPIES]) {
#pragma HLS interface axis port = s_axis
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  stream_fork::run<WIDTH, COPIES, WORDS>(s_axis, m_axis);
}
