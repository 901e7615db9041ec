# SPDX-License-Identifier: Apache-2.0
"""Weight memory that streams its words in a circle, one a cycle, to the port of a compute kernel.

The words come as a matrix of lanes (words, lanes); lane 0 is least significant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from onnx import helper
from qonnx.core.datatype import BaseDataType

from host.errors import UserError
from hw.ops.base import IntArray, KernelOp, Resources, pack
from hw.ops.cost import rom_luts
from hw.ops.fifo import memory_cost

RAM_STYLES = ("distributed", "block", "ultra")


class WeightStream(KernelOp):
    """A memory of ``numInputVectors[0]`` words of ``NumChannels`` (= PE) lanes of inputDataType.

    Its one ONNX input is the constant matrix of lanes; it has no stream input. ``Repeats`` says how
    often a frame passes through the memory: the hardware does not stop at a frame's end.
    """

    rtl_module = "weight_stream"
    stream_inputs = 0

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "ramStyle": ("s", False, "block", set(RAM_STYLES)),
            "Repeats": ("i", False, 1),
        }

    @classmethod
    def from_lanes(
        cls, name: str, lanes: IntArray, dtype: str, ram_style: str = "block", repeats: int = 1
    ) -> Self:
        """The op for a matrix of lanes (words, lanes) of FINN data type ``dtype``."""
        node = helper.make_node(
            cls.__name__, [f"{name}_lanes"], [f"{name}_stream"], name, domain="hw.ops",
            backend="fpgadataflow", NumChannels=lanes.shape[1], PE=lanes.shape[1],
            numInputVectors=[lanes.shape[0]], inputDataType=dtype, ramStyle=ram_style,
            Repeats=repeats,
        )  # fmt: skip
        return cls(node)

    @property
    def depth(self) -> int:
        """Words in the memory."""
        return self.vectors[0]

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.channels * int(self.get_input_datatype().bitwidth())

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """The lanes in a circle, ``Repeats`` times."""
        return (np.tile(inputs[0], (int(self.get_nodeattr("Repeats")), 1)),)

    def rtl_parameters(self) -> dict[str, int | str]:
        if self.channels != self.pe:
            raise UserError(
                f"PE={self.pe} of {self.onnx_node.name} is not its {self.channels} lanes; "
                "a weight memory gives whole words"
            )
        return {"WIDTH": self.width, "DEPTH": self.depth, "RAM_STYLE": self._ram_style()}

    def _ram_style(self) -> str:
        style = str(self.get_nodeattr("ramStyle"))
        if style not in RAM_STYLES:
            raise UserError(
                f"ramStyle={style} of {self.onnx_node.name} is unknown; use {', '.join(RAM_STYLES)}"
            )
        return style

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        (lanes,) = constants
        dtype = self.get_input_datatype()
        if lanes.shape != (self.depth, self.channels):
            raise UserError(
                f"{self.onnx_node.name} is {self.depth} words of {self.channels} lanes, "
                f"its weights come as {lanes.shape}"
            )
        if lanes.min() < dtype.min() or lanes.max() > dtype.max():
            raise UserError(
                f"weights {lanes.min()}..{lanes.max()} of {self.onnx_node.name} do not fit "
                f"{dtype.name}"
            )
        return {"FILE": (self.width, [pack(word, dtype.bitwidth()) for word in lanes])}

    def latency(self) -> int:
        """Clock cycles from the end of reset to the first word."""
        return 2

    def resources(self) -> Resources:
        style = self._ram_style()
        if style != "distributed":
            return memory_cost(style, self.width, self.depth)
        return Resources(lut=rom_luts(self.width, self.depth) + 15, ff=2 * self.width + 10)

    # -- shapes and types ----------------------------------------------------------------------

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.depth * int(self.get_nodeattr("Repeats")), self.channels)

    def get_exp_cycles(self) -> int:
        return self.get_normal_output_shape()[0]


def mvau_weight_lanes(weights: IntArray, pe: int, simd: int) -> IntArray:
    """Lanes (words, PE*SIMD) of FINN's dense unit from its weights (MW, MH).

    One word a cycle: folds of PE outputs outermost, folds of SIMD inputs inside; in a word the SIMD
    lanes of the first output come first.
    """
    mw, mh = weights.shape
    if mw % simd or mh % pe:
        raise UserError(f"SIMD={simd}, PE={pe} do not divide a weight matrix of {mw} x {mh}")
    folds = weights.T.reshape(mh // pe, pe, mw // simd, simd)
    return folds.transpose(0, 2, 1, 3).reshape(-1, pe * simd)


def mvau_weight_words(weights: IntArray, pe: int, simd: int, bits: int) -> list[int]:
    """Memory words of FINN's dense unit: :func:`mvau_weight_lanes`, packed to ``bits`` a weight."""
    return [pack(lanes, bits) for lanes in mvau_weight_lanes(weights, pe, simd)]
