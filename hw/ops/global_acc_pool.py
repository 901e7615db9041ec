# SPDX-License-Identifier: Apache-2.0
"""Sum of each channel over all pixels of a frame: global average pooling without the division."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType

from host.common.arrays import IntArray
from hw.ops.base import KernelOp
from hw.ops.unit import Resources, Sizes


class GlobalAccPool(KernelOp):
    """(N, H, W, C) -> (N, 1, 1, C); the factor 1/(H*W) belongs to the requantisation behind."""

    replaces = "ReduceSum"
    rtl_module = cpp_kernel = "global_acc_pool"

    @classmethod
    def inputs_for(cls, node: NodeProto) -> list[str]:
        """The data; the axes are known."""
        return list(node.input[:1])

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return int(np.prod(self.vectors[1:], dtype=np.int64))

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        frames = inputs[0].reshape(self.vectors[0], self.pixels, self.channels)
        return (frames.sum(axis=1).reshape(self.get_normal_output_shape()),)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        dtype = self.get_input_datatype()
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "PIXELS": self.pixels,
            "IN_WIDTH": dtype.bitwidth(),
            "SIGNED": int(dtype.signed()),
            "ACC_WIDTH": self.get_output_datatype().bitwidth(),
        }

    def cpp_sizes(self) -> Sizes:
        return self._cpp("CHANNELS", "PE", "PIXELS", "IN_WIDTH", "SIGNED", "ACC_WIDTH")

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        """Narrowest type that holds every sum."""
        dtype = self.get_input_datatype()
        if dtype.signed():
            return DataType[f"INT{(int(-dtype.min()) * self.pixels - 1).bit_length() + 1}"]
        return DataType[f"UINT{(int(dtype.max()) * self.pixels).bit_length()}"]

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.vectors[0], *(1 for _ in self.vectors[1:]), self.channels)

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        sums, folds = self.get_outstream_width(), self.channels // self.pe
        fold_bits, pixel_bits = (folds - 1).bit_length(), (self.pixels - 1).bit_length()
        memory = 0 if self.pixels == 1 else 8 * -(-sums // 14) * -(-folds // 32)
        return Resources(
            lut=2 * sums + memory + 2 * (fold_bits + pixel_bits) + 4,
            ff=2 * sums + 2 + fold_bits + pixel_bits,
        )
