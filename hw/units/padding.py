# SPDX-License-Identifier: Apache-2.0
"""FINN's padding: zeros around a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hw.ops.unit import Resources, Sizes
from hw.units.finn import ORIGIN, FinnUnit

AXI_LITE = ("AWVALID", "AWADDR", "WVALID", "WDATA", "WSTRB", "ARVALID", "ARADDR")


class Padding(FinnUnit):
    """FMPadding_rtl; takes no input while it writes the edge of a frame."""

    pauses = True
    arranges = True
    cpp_kernel = "padding"
    channels_of: ClassVar[Mapping[str, str]] = {"SIMD": "NumChannels"}
    tied: ClassVar[Mapping[str, str]] = {  # its AXI-Lite port sets sizes at run time: unused
        **{f"s_axilite_{name}": "'0" for name in AXI_LITE},
        **{f"s_axilite_{name}": "1'b1" for name in ("BREADY", "RREADY")},
    }

    @property
    def _edges(self) -> tuple[int, int, int, int]:
        top, left, bottom, right = (int(n) for n in self.op.get_nodeattr("Padding"))
        return top, left, bottom, right

    @property
    def _size(self) -> tuple[int, int]:
        height, width = (int(n) for n in self.op.get_nodeattr("ImgDim"))
        return height, width

    @property
    def least_cycles(self) -> int:
        """More than its own.

        Between two frames the units behind it wait while it writes the last row of one and the
        first of the next before the next row of pixels. So that this takes no longer than a row
        does otherwise, it must be as many times faster, unless it has all lanes already.
        """
        if self.get_fold("SIMD") == self.folds["SIMD"]:
            return self.cycles
        top, _, bottom, _ = self._edges
        return self.cycles * (top + 1 + bottom)

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """All that comes while it adds the pixels around the end of a frame."""
        top, left, bottom, right = self._edges
        width = self._size[1] + left + right
        return [((top + bottom) * width + left + right) * self.inputs[0].pixel_words]

    def resources(self) -> Resources:
        """A register and its overflow, counters of the two edges."""
        width = self.inputs[0].width
        return Resources(lut=20 + width, ff=17 + 2 * width, origin=ORIGIN)

    def cpp_sizes(self) -> Sizes:
        (height, width), stream = self._size, self.inputs[0]
        edges = dict(zip(("TOP", "LEFT", "BOTTOM", "RIGHT"), self._edges, strict=True))
        frame = {"HEIGHT": height, "WIDTH": width, "FOLDS": stream.pixel_words, **edges}
        return frame | {"SIMD": stream.lanes, "ACT_WIDTH": stream.bits}
