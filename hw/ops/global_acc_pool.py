# SPDX-License-Identifier: Apache-2.0
"""Sum of each channel over all pixels of a frame: global average pooling without the division."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from host.common.arrays import IntArray
from hw.ops.base import KernelOp, Resources


class GlobalAccPool(KernelOp):
    """(N, H, W, C) -> (N, 1, 1, C); the factor 1/(H*W) belongs to the requantisation behind."""

    rtl_module = "global_acc_pool"
    rtl_sources = ("stream_fork",)

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
