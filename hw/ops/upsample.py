# SPDX-License-Identifier: Apache-2.0
"""Nearest upsampling: every pixel becomes a block of pixels."""

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

    It takes words only while a pixel is given for the first time.
    """

    replaces = "Upsample"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "upsample"
    pauses = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {"Scale": ("ints", True, [])}

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the type of its data."""
        scale = list(cls(node).get_nodeattr("Scale"))
        return super().attributes_for(model, node) | {"Scale": scale}

    @property
    def scale(self) -> tuple[int, int]:
        """Rows and columns of a block."""
        down, along = (int(n) for n in self.get_nodeattr("Scale"))
        return down, along

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        down, along = self.scale
        return (inputs[0].repeat(down, axis=-3).repeat(along, axis=-2),)

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
        }

    def cpp_sizes(self) -> Sizes:
        names = ("PE", "WIDTH", "FOLDS", "COLUMNS", "SCALE_Y", "SCALE_X")
        return self._cpp(*names, "ROWS", ROWS=self.vectors[-2])

    def get_exp_cycles(self) -> int:
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        """The row and the output register, into whose gates the counters go; counters."""
        words = self.vectors[-1] * (self.channels // self.pe)
        bits, address = self.get_outstream_width(), (words - 1).bit_length()
        row = lut_memory_luts(bits, words)
        return Resources(lut=row + 2 * bits, ff=2 * bits + 3 * address + 4)

    # -- shapes and types ----------------------------------------------------------------------

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        (batch, height, width), (down, along) = self.vectors, self.scale
        return (batch, height * down, width * along, self.channels)
