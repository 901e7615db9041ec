// SPDX-License-Identifier: Apache-2.0
// Top function of requant. The constants are those of config.hpp, which hw/generate.py writes.
// parameters.inc holds a line "{scale, bias}," for each channel.
#include "requant.hpp"

#include "config.hpp"

void requant_top(hls::stream<ap_uint<PE * ACC_WIDTH>> &s_axis,
                 hls::stream<ap_uint<PE * OUT_WIDTH>> &m_axis) {
#pragma HLS interface axis port = s_axis
#pragma HLS interface axis port = m_axis
#pragma HLS interface ap_ctrl_none port = return
  static const requant::parameter<SCALE_WIDTH, BIAS_WIDTH> parameters[] = {
#include "parameters.inc"
  };
#pragma HLS array_partition variable = parameters type = cyclic factor = PE
  requant::run<CHANNELS, PE, ACC_WIDTH, ACC_SIGNED, OUT_WIDTH, OUT_SIGNED, SHIFT, PER_CHANNEL,
               WORDS>(s_axis, m_axis, parameters);
}
