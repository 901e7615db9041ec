# SPDX-License-Identifier: Apache-2.0
"""FINN's sliding window: the taps of each place of a kernel, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from host.common.errors import UserError
from hw.ops.fifo import auto_style, lut_memory_luts, memory_cost
from hw.ops.unit import Resources, Sizes
from hw.units.finn import ORIGIN, FinnUnit

NO_TWIN = (("Dilation", [1, 1]), ("parallel_window", 0))  #: attribute, the value that has one


class Window(FinnUnit):
    """ConvolutionInputGenerator_rtl; its buffer is in the memory that ``ram_style`` names."""

    cpp_kernel = "window"
    arranges = True
    channels_of: ClassVar[Mapping[str, str]] = {"SIMD": "IFMChannels"}

    def _pair(self, attribute: str) -> tuple[int, int]:
        """Value of an attribute for height and width."""
        height, width = (int(n) for n in self.op.get_nodeattr(attribute))
        return height, width

    @property
    def has_memory(self) -> bool:
        return True

    @property
    def held_pixels(self) -> int:
        (k_height, k_width), (_, width) = self._pair("ConvKernelDim"), self._pair("IFMDim")
        return (k_height - 1) * width + k_width

    @property
    def memory(self) -> str:
        """Memory of the buffer, "distributed", "block" or "ultra"; "auto" is resolved."""
        if self.ram_style != "auto":
            return self.ram_style
        found = auto_style(self.inputs[0].width, self.op.get_buffer_depth())
        return "distributed" if found == "srl" else found

    def resources(self) -> Resources:
        """The buffer; addresses in it and counters of the frame's words, which are compared."""
        width, depth, style = self.inputs[0].width, int(self.op.get_buffer_depth()), self.memory
        words = int(self.op.get_number_input_values())
        place, word = ((n - 1).bit_length() for n in (depth, words))
        lut, ff = 12 + 8 * (place + word), 35 + 2 * place + 3 * word
        if style == "distributed":
            lut += lut_memory_luts(width, depth)
            return Resources(lut=lut, ff=ff + width, origin=ORIGIN)
        memory = memory_cost(style, width, depth)
        return Resources(lut=lut, ff=ff, bram18=memory.bram18, uram=memory.uram, origin=ORIGIN)

    def cpp_sizes(self) -> Sizes:
        for attribute, legal in NO_TWIN:
            if (value := self.op.get_nodeattr(attribute)) != legal:
                raise UserError(f"{attribute}={value} of {self.name} has no HLS twin; use {legal}")
        (height, width), stream = self._pair("IFMDim"), self.inputs[0]
        k_height, k_width = self._pair("ConvKernelDim")
        stride_y, stride_x = self._pair("Stride")
        return {
            "HEIGHT": height,
            "WIDTH": width,
            "FOLDS": stream.pixel_words,
            "K_HEIGHT": k_height,
            "K_WIDTH": k_width,
            "STRIDE_Y": stride_y,
            "STRIDE_X": stride_x,
            "DEPTHWISE": int(self.op.get_nodeattr("depthwise")),
            "SIMD": stream.lanes,
            "ACT_WIDTH": stream.bits,
        }
