# SPDX-License-Identifier: Apache-2.0
"""First-in first-out buffer in the memory that suits its size."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from qonnx.core.datatype import BaseDataType

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.generate import ram_symbol
from hw.ops.base import KernelOp
from hw.ops.unit import Resources

STYLES = ("srl", "distributed", "block", "ultra")
MIN_DEPTH = 2
BLOCK_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
ULTRA_SHAPE = (4096, 72)
SRL_WORDS = 32  #: words that one LUT shifts
# The K26 has 57600 LUTs that can be memory; for each block and UltraRAM it has so many of them:
LUT_PER_BRAM18 = 57_600 // 288
LUT_PER_URAM = 57_600 // 64


@dataclass(frozen=True)
class _Timing:
    latency: int  #: cycles from a word's acceptance by an empty fifo to its offer
    registers: int  #: words held behind the memory, beyond the depth


TIMING = {
    "srl": _Timing(2, 1),
    "distributed": _Timing(2, 1),
    "block": _Timing(3, 2),
    "ultra": _Timing(3, 2),
}


class Fifo(KernelOp):
    """Buffer of at least ``depth`` words; ``style`` names its memory, "auto" lets auto_style."""

    rtl_module = "fifo"
    passes_on = True
    arranges = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "depth": ("i", True, 0),
            "style": ("s", False, "auto", {"auto", *STYLES}),
        }

    @property
    def depth(self) -> int:
        """Words of memory; UserError below MIN_DEPTH."""
        depth = int(self.get_nodeattr("depth"))
        if depth < MIN_DEPTH:
            raise UserError(
                f"depth={depth} of {self.onnx_node.name} is too small for full rate; "
                f"use {MIN_DEPTH} or more"
            )
        return depth

    @property
    def style(self) -> str:
        """Memory style with "auto" resolved."""
        style = str(self.get_nodeattr("style"))
        return auto_style(self.get_instream_width(), self.depth) if style == "auto" else style

    @property
    def fifo_depth(self) -> int:
        return self.depth

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return (inputs[0],)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        width, style = self.get_instream_width(), ram_symbol(self.style)
        return {"WIDTH": width, "DEPTH": self.depth, "STYLE": style}

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def latency(self) -> int:
        return TIMING[self.style].latency

    def resources(self) -> Resources:
        return memory_cost(self.style, self.get_instream_width(), self.depth)


def auto_style(width: int, depth: int, ultra: bool = True) -> str:
    """Style for ``depth`` words of ``width`` bits that takes the least share of the K26's memory.

    A block RAM (18 kb) counts as 200 LUTs and an UltraRAM as 900, the memory LUTs that the part has
    for each. Of the two styles in LUTs, "srl" serves up to SRL_WORDS words, "distributed" above.
    ``ultra`` says whether the part has UltraRAM.
    """

    def share(style: str) -> int:
        cost = memory_cost(style, width, depth)
        return cost.lut + LUT_PER_BRAM18 * cost.bram18 + LUT_PER_URAM * cost.uram

    in_luts = "srl" if depth <= SRL_WORDS else "distributed"
    return min(in_luts, "block", *(["ultra"] if ultra else []), key=share)


def lut_memory_luts(width: int, depth: int) -> int:
    """LUTs of a memory of ``depth`` words of ``width`` bits with a port to write, one to read."""
    # RAM64M8: 7 bits of 64 words, RAM32M16: 14 bits of 32 words, in 8 LUTs each
    whole, rest = divmod(depth, 64)
    half = 0 < rest <= 32
    banks = whole + (rest > 0)
    ram = 8 * (ceil(width / 7) * (banks - half) + ceil(width / 14) * half)
    return ram + width * ceil((banks - 1) / 3)  # a LUT widens the choice of a bank by three


def memory_cost(style: str, width: int, depth: int) -> Resources:
    """Cost of a fifo of ``depth`` words of ``width`` bits in one of STYLES."""
    pointer = (depth - 1).bit_length()
    if style == "srl":
        # an SRLC32E is a LUT, an SRL16E half of one; longer ones are chained
        lut = ceil(width / 2) if depth <= 16 else width * ceil(depth / SRL_WORDS)
        return Resources(lut=lut + 2 * pointer + 2, ff=width + pointer + 2)
    # the counter of words, and pointers that turn back to 0 at the depth
    turn = ceil(pointer / 2) if depth == 1 << pointer else 2 * pointer
    lut, ff = pointer + turn + 4, 3 * pointer + 2
    if style == "distributed":
        return Resources(lut=lut + lut_memory_luts(width, depth), ff=ff + width)
    if style == "block":
        blocks = min(ceil(width / bits) * ceil(depth / words) for words, bits in BLOCK_SHAPES)
        return Resources(lut=lut, ff=ff + 1, bram18=blocks)
    words, bits = ULTRA_SHAPE
    return Resources(lut=lut, ff=ff + 1, uram=ceil(width / bits) * ceil(depth / words))
