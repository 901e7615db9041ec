# SPDX-License-Identifier: Apache-2.0
"""The place of each landmark from the two best cells of a grid head."""

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
HALVINGS = 15  #: most of the way from the best cell's place to that of the second best
MAX_SHIFT = 31  #: of a difference of scores, in 5 bits
MAX_STEP_BITS = 24


class GridPeak(KernelOp):
    """(N, H, W, 3 P) -> (N, 1, 1, 2 P): the place x, y of each landmark.

    ONNX inputs: the cells and ``steps`` (P, 3): steps in x and in y, positive integers, and a
    shift. A cell's place is its column times the first step plus its x, and its row times the
    second step plus its y. The answer is

        place + ((other - place) >> (1 + min(HALVINGS, (score - second) >> shift)))

    with place and score of the best cell, and other and second those of the second best. The best
    cell has the largest score; of equal scores the first in raster order is the larger one. A
    single cell is its own second.
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
        cells = tensor.reshape(self.vectors[0], -1, self.landmarks, PARTS)
        order = np.argsort(-cells[..., 0], axis=1, kind="stable")
        numbers = order[:, [0, min(1, order.shape[1] - 1)]]  # of the best and the second, (N, 2, P)
        found = np.take_along_axis(cells, numbers[..., None], 1)
        rows, columns = np.divmod(numbers, self.grid[1])
        places = np.stack([columns, rows], 3) * steps[:, :2] + found[..., 1:]
        halvings = (found[:, 0, :, 0] - found[:, 1, :, 0]) >> steps[:, 2]
        way = (places[:, 1] - places[:, 0]) >> (1 + halvings.clip(max=HALVINGS))[..., None]
        return ((places[:, 0] + way).reshape(self.get_normal_output_shape()),)

    def check_steps(self, steps: IntArray) -> None:
        """Raise UserError unless each landmark has two steps and a shift that fit their memory."""
        bits, name = self.step_bits, self.onnx_node.name
        if steps.shape != (self.landmarks, PARTS):
            raise UserError(
                f"steps of {name} have the shape {steps.shape}; there must be two and a shift for "
                f"each of its {self.landmarks} landmarks"
            )
        sides, shifts = steps[:, :2], steps[:, 2]
        if sides.min() < 1 or sides.max() >> bits:
            raise UserError(
                f"steps of {name} are {sides.min()}..{sides.max()}; use 1 to {(1 << bits) - 1} "
                f"(stepBits={bits})"
            )
        most = min(MAX_SHIFT, (1 << bits) - 1)
        if shifts.min() < 0 or shifts.max() > most:
            raise UserError(
                f"shifts of {name} are {shifts.min()}..{shifts.max()}; use 0 to {most} "
                f"(stepBits={bits})"
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
        """A word for each word of a cell, per landmark {shift, step_y, step_x}."""
        (steps,) = constants
        self.check_steps(steps)
        bits, words = self.step_bits, steps.reshape(-1, PARTS * self.pe)
        return {"STEP_FILE": (PARTS * self.pe * bits, [pack(word, bits) for word in words])}

    def cpp_sizes(self) -> Sizes:
        return self._cpp("LANDMARKS", "PE", "ROWS", "COLUMNS", "WIDTH", "STEP_WIDTH", "OUT_WIDTH")

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        (steps,) = constants
        self.check_steps(steps)
        rows = steps.reshape(-1, PARTS * self.pe)
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
        return 5

    def resources(self) -> Resources:
        """Memory of the best cells, comparisons, products by sums of shifted terms, registers."""
        folds, lanes = self.landmarks // self.pe, self.pe
        bits = int(self.get_input_datatype().bitwidth())
        place = max(bits, self.step_bits + max(self.grid).bit_length()) + 1
        cell = sum(max(1, (side - 1).bit_length()) for side in self.grid)
        kept = 2 * lanes * (3 * bits + cell)
        memory = 8 * -(-kept // 14) * -(-folds // 32)
        corners = 2 * lanes * cell * self.step_bits
        sides = lanes * (5 * bits + 4 * place + 5)
        pairs, ways, out = (lanes * (n * place + 5) for n in (4, 4, 2))
        shifters = lanes * (6 * bits + 12 * place)
        registers = 2 * (kept + sides + pairs + ways + out)
        counters = 2 * (folds - 1).bit_length() + cell
        return Resources(
            lut=memory + kept + 2 * lanes * bits + corners + pairs + shifters + 4 * lanes * place
            + rom_luts(PARTS * lanes * self.step_bits, folds) + registers // 4 + 2 * counters + 12,
            ff=registers + 12 + counters,
        )  # fmt: skip
