# SPDX-License-Identifier: Apache-2.0
"""The place of each landmark from the best cell of a grid head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import OUTPUT_BITS, KernelOp, divisors, pack
from hw.ops.cost import rom_luts
from hw.ops.unit import Resources, Sizes, Table

PARTS = 3  #: channels of a landmark in a cell: score, x, y
MAX_STEP_BITS = 24


class GridPeak(KernelOp):
    """(N, H, W, 3 P) -> (N, 1, 1, 2 P): the place x, y of each landmark.

    ONNX inputs: the cells and ``steps`` (P, 2), positive integers. A place is the column of the
    landmark's best cell times its first step plus that cell's x, and the row times the second step
    plus y. The best cell has the largest score, the first in raster order if several have it.
    A word carries ``PE`` whole landmarks. ``stepBits`` is the width of a step in the memory,
    ``outputDataType`` the type of a place, "" for the narrowest.
    """

    replaces = "GridPeak"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "grid_peak"

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "stepBits": ("i", True, 0),
            "outputDataType": ("s", False, ""),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the widths."""
        inner = model.find_consumers(node.output[0])
        return super().attributes_for(model, node) | {
            "stepBits": cls(node).step_bits,
            "outputDataType": "" if inner else f"INT{OUTPUT_BITS}",
        }

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        rows, columns = self.vectors[-2:]
        return rows, columns

    @property
    def landmarks(self) -> int:
        """Landmarks of a cell."""
        return self.channels // PARTS

    @property
    def folds(self) -> dict[str, int]:
        return {"PE": self.landmarks}

    def check_folding(self) -> None:
        """Raise UserError unless PE divides the landmarks, of three channels each."""
        name = self.onnx_node.name
        if self.channels % PARTS:
            raise UserError(
                f"{name} takes {self.channels} channels; each landmark has {PARTS}: score, x, y"
            )
        if self.pe < 1 or self.landmarks % self.pe:
            raise UserError(
                f"PE={self.pe} does not divide the {self.landmarks} landmarks of {name}; use one "
                f"of {divisors(self.landmarks)}"
            )

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        tensor, steps = inputs
        columns = self.grid[1]
        cells = tensor.reshape(self.vectors[0], -1, self.landmarks, PARTS)
        best = cells[..., 0].argmax(axis=1)
        offsets = np.take_along_axis(cells, best[:, None, :, None], axis=1)[:, 0, :, 1:]
        corners = np.stack([best % columns, best // columns], axis=2)
        return ((corners * steps + offsets).reshape(self.get_normal_output_shape()),)

    def check_steps(self, steps: IntArray) -> None:
        """Raise UserError unless there are two steps a landmark that fit their memory."""
        bits = self.step_bits
        if steps.shape != (self.landmarks, 2) or steps.min() < 1 or steps.max() >> bits:
            raise UserError(
                f"steps of {self.onnx_node.name} have the shape {steps.shape} and are "
                f"{steps.min()}..{steps.max()}; there must be two for each of its "
                f"{self.landmarks} landmarks, from 1 to {(1 << bits) - 1} (stepBits={bits})"
            )

    # -- hardware ------------------------------------------------------------------------------

    @property
    def step_bits(self) -> int:
        """Width of a step. UserError outside of 1..MAX_STEP_BITS."""
        bits = int(self.get_nodeattr("stepBits"))
        if not 1 <= bits <= MAX_STEP_BITS:
            raise UserError(
                f"stepBits={bits} of {self.onnx_node.name} is not in 1..{MAX_STEP_BITS}"
            )
        return bits

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        rows, columns = self.grid
        return {
            "LANDMARKS": self.landmarks,
            "PE": self.pe,
            "ROWS": rows,
            "COLUMNS": columns,
            "WIDTH": self.get_input_datatype().bitwidth(),
            "STEP_WIDTH": self.step_bits,
            "OUT_WIDTH": self.get_output_datatype().bitwidth(),
        }

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """A word for each word of a cell, per landmark {step_y, step_x}."""
        (steps,) = constants
        self.check_steps(steps)
        bits, words = self.step_bits, steps.reshape(-1, 2 * self.pe)
        return {"STEP_FILE": (2 * self.pe * bits, [pack(word, bits) for word in words])}

    def cpp_sizes(self) -> Sizes:
        return self._cpp("LANDMARKS", "PE", "ROWS", "COLUMNS", "WIDTH", "STEP_WIDTH", "OUT_WIDTH")

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        (steps,) = constants
        self.check_steps(steps)
        rows = steps.reshape(-1, 2 * self.pe)
        return Table("steps", f"lanes::native<{self.step_bits}, false>", rows)

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        """Type of a place. UserError if it is too narrow or the input is unsigned."""
        dtype, name = self.get_input_datatype(), self.onnx_node.name
        if not dtype.signed():
            raise UserError(
                f"{name}: inputDataType={dtype.name} is unsigned; scores and offsets have a sign"
            )
        peak = (max(self.grid) - 1) * ((1 << self.step_bits) - 1) + int(dtype.max())
        least = DataType[f"INT{peak.bit_length() + 1}"]
        wanted = DataType[self.get_nodeattr("outputDataType") or least.name]
        if not wanted.signed() or wanted.bitwidth() < least.bitwidth():
            raise UserError(
                f"outputDataType={wanted.name} of {name} does not hold every place; use at least "
                f"{least.name}"
            )
        return wanted

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.vectors[0], *(1 for _ in self.vectors[1:]), 2 * self.landmarks)

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.landmarks // self.pe, PARTS * self.pe)

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        shape = self.get_normal_output_shape()
        return (*shape[:-1], self.landmarks // self.pe, 2 * self.pe)

    def latency(self) -> int:
        return 3

    def resources(self) -> Resources:
        """Memory of the best cells, comparison, product by sums of shifted steps, registers."""
        folds, lanes = self.landmarks // self.pe, self.pe
        bits = int(self.get_input_datatype().bitwidth())
        out = 2 * lanes * (max(bits, self.step_bits + max(self.grid).bit_length()) + 1)
        cell = sum(max(1, (side - 1).bit_length()) for side in self.grid)
        answer = lanes * (2 * bits + cell)
        kept, sides = answer + lanes * bits, out + 2 * lanes * bits
        memory = 8 * -(-kept // 14) * -(-folds // 32)
        products = lanes * cell * self.step_bits
        registers = 2 * (answer + sides + out)
        counters = 2 * (folds - 1).bit_length() + cell
        return Resources(
            lut=memory + kept + lanes * bits + products + out
            + rom_luts(2 * lanes * self.step_bits, folds) + registers // 4 + 2 * counters + 12,
            ff=registers + 6 + counters,
        )  # fmt: skip
