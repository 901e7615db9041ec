# SPDX-License-Identifier: Apache-2.0
"""Our kernels: SystemVerilog in rtl/, C++ in hls/, their FINN operators and goldens in ops/."""
