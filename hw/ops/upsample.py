# SPDX-License-Identifier: Apache-2.0
"""Every pixel becomes a block of pixels: itself again and again, or itself and zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp
from hw.ops.fifo import lut_memory_luts
from hw.ops.unit import Resources, Sizes


class Upsample(KernelOp):
    """(1, H, W, C) -> (1, H * SY, W * SX, C), ``Scale`` is (SY, SX).

    A block holds its pixel in all places; with ``zeros`` in the first, and zeros in the others. It
    takes words only while a pixel is given for the first time.
    """

    replaces = "Upsample"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "upsample"
    pauses = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "Scale": ("ints", True, []),
            "zeros": ("i", False, 0, {0, 1}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the type of its data."""
        own = cls(node)
        given = {"Scale": list(own.scale), "zeros": int(own.zeros)}
        return super().attributes_for(model, node) | given

    @property
    def scale(self) -> tuple[int, int]:
        """Rows and columns of a block."""
        down, along = (int(n) for n in self.get_nodeattr("Scale"))
        return down, along

    @property
    def zeros(self) -> bool:
        """Whether a block is zero but for its first pixel."""
        return bool(self.get_nodeattr("zeros"))

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        down, along = self.scale
        blocks = inputs[0].repeat(down, axis=-3).repeat(along, axis=-2)
        if self.zeros:
            first = np.zeros_like(blocks)
            first[..., ::down, ::along, :] = inputs[0]
            return (first,)
        return (blocks,)

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        down, along = self.scale
        if min(down, along) < 1:
            raise UserError(f"Scale={[down, along]} of {self.onnx_node.name} must be 1 or more")
        return {
            "PE": self.pe,
            "WIDTH": self.get_input_datatype().bitwidth(),
            "FOLDS": self.channels // self.pe,
            "COLUMNS": self.vectors[-1],
            "SCALE_Y": down,
            "SCALE_X": along,
            "ZEROS": int(self.zeros),
        }

    def cpp_sizes(self) -> Sizes:
        names = ("PE", "WIDTH", "FOLDS", "COLUMNS", "SCALE_Y", "SCALE_X", "ZEROS")
        return self._cpp(*names, "ROWS", ROWS=self.vectors[-2])

    def get_exp_cycles(self) -> int:
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        """The output register and counters; a row, in whose gates the counters' go, if there is
        one."""
        words = self.vectors[-1] * (self.channels // self.pe)
        bits, address = self.get_outstream_width(), (words - 1).bit_length()
        row = 3 * address if self.zeros else lut_memory_luts(bits, words) + bits
        return Resources(lut=row + bits, ff=2 * bits + 3 * address + 4)

    # -- shapes and types ----------------------------------------------------------------------

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        (batch, height, width), (down, along) = self.vectors, self.scale
        return (batch, height * down, width * along, self.channels)
