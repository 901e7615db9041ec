# SPDX-License-Identifier: Apache-2.0
"""Cost of the parts that several kernels share, on UltraScale+."""

from __future__ import annotations

from math import ceil

from hw.ops.fifo import memory_cost
from hw.ops.unit import Resources

OUTPUT_FIFO_DEPTH = 16  #: of the cell output_fifo in our pipelines


def output_fifo_cost(width: int) -> Resources:
    """Cost of the cell output_fifo with words of ``width`` bits: a fifo and its account."""
    fifo = memory_cost("srl", width, OUTPUT_FIFO_DEPTH)
    return Resources(lut=fifo.lut + 4, ff=fifo.ff + 6)


def rom_luts(width: int, depth: int) -> int:
    """LUTs of a constant memory: 64 words of one bit in each, or 32 words of two bits."""
    if depth == 1:
        return 0  # constants
    return ceil(width / 2) if depth <= 32 else width * ceil(depth / 64)
