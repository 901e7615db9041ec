# SPDX-License-Identifier: Apache-2.0
"""The best cell of each landmark, and what it says: the answer of a grid head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qonnx.core.datatype import BaseDataType

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, Resources

PARTS = 3  #: channels of a landmark: score, x, y


class GridPeak(KernelOp):
    """(N, H, W, 3 P) -> (N, 1, 1, 3 P): of each landmark the number of its best cell, x and y.

    The best cell has the largest score, the first one in raster order if several have it. Cell
    (row, column) has the number row * W + column.
    """

    rtl_module = "grid_peak"
    rtl_sources = ("stream_fork",)

    @property
    def cells(self) -> int:
        """Cells of a frame."""
        return int(np.prod(self.vectors[1:], dtype=np.int64))

    @property
    def landmarks(self) -> int:
        """Landmarks of a cell."""
        return self.channels // PARTS

    def check_folding(self) -> None:
        """Raise UserError unless a word carries whole landmarks."""
        super().check_folding()
        if self.pe % PARTS or self.channels % PARTS:
            legal = [PARTS * n for n in range(1, self.landmarks + 1) if self.landmarks % n == 0]
            raise UserError(
                f"PE={self.pe} splits the landmarks of {self.onnx_node.name}, which are "
                f"{PARTS} of its {self.channels} channels each; use one of {legal}"
            )

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        cells = inputs[0].reshape(self.vectors[0], self.cells, self.landmarks, PARTS)
        best = cells[..., 0].argmax(axis=1)
        result = np.take_along_axis(cells, best[:, None, :, None], axis=1)[:, 0]
        result[..., 0] = best
        return (result.reshape(self.get_normal_output_shape()),)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        return {
            "LANDMARKS": self.landmarks,
            "LANES": self.pe // PARTS,
            "CELLS": self.cells,
            "WIDTH": self.get_input_datatype().bitwidth(),
        }

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        """That of the input, which must hold the number of every cell."""
        dtype = self.get_input_datatype()
        if not dtype.signed() or dtype.max() < self.cells - 1:
            raise UserError(
                f"{self.onnx_node.name}: inputDataType={dtype.name} is unsigned or does not hold "
                f"the numbers of {self.cells} cells; use a wider signed type"
            )
        return dtype

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.vectors[0], *(1 for _ in self.vectors[1:]), self.channels)

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        width, folds = self.get_outstream_width(), self.channels // self.pe
        lanes, cell_bits = self.pe // PARTS, max(1, (self.cells - 1).bit_length())
        fold_bits, kept = (folds - 1).bit_length(), width + lanes * cell_bits
        memory = 8 * -(-kept // 14) * -(-folds // 32)
        compare = lanes * self.get_input_datatype().bitwidth()
        return Resources(
            lut=compare + kept + width + memory + 2 * (fold_bits + cell_bits) + 4,
            ff=2 * width + 2 + fold_bits + cell_bits,
        )
