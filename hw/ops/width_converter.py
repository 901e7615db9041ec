# SPDX-License-Identifier: Apache-2.0
"""Words of a stream to wider or narrower ones between two units."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import gcd
from typing import Any

from qonnx.core.datatype import BaseDataType

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, divisors
from hw.ops.unit import Resources, Sizes


class WidthConverter(KernelOp):
    """Words of ``PE`` lanes to words of ``outPE``, of ``outShape`` if pixels are joined to vectors.

    Each divides the channels on its side.
    """

    rtl_module = cpp_kernel = "width_converter"
    passes_on = True
    arranges = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "outPE": ("i", True, 1),
            "outShape": ("ints", False, []),
        }

    @property
    def out_pe(self) -> int:
        """Channels in a word given."""
        return int(self.get_nodeattr("outPE"))

    @property
    def narrows(self) -> bool:
        return self.out_pe < self.pe

    @property
    def folds(self) -> dict[str, int]:
        """None: its words are those of its neighbours."""
        return {}

    def check_folding(self) -> None:
        super().check_folding()
        channels = self.get_normal_output_shape()[-1]
        if self.out_pe < 1 or channels % self.out_pe:
            raise UserError(
                f"outPE={self.out_pe} does not divide the {channels} channels of "
                f"{self.onnx_node.name}; use one of {divisors(channels)}"
            )

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return (inputs[0].reshape(self.get_normal_output_shape()),)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        return {"IN": self.pe, "OUT": self.out_pe, "WIDTH": self.get_input_datatype().bitwidth()}

    def cpp_sizes(self) -> Sizes:
        lanes = self.get_exp_cycles() * min(self.pe, self.out_pe)
        return self._cpp("IN", "OUT", "WIDTH", "LANES", LANES=lanes)

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        shape = [int(size) for size in self.get_nodeattr("outShape")]
        return shape or self.get_normal_input_shape()

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        *vectors, channels = self.get_normal_output_shape()
        return (*vectors, channels // self.out_pe, self.out_pe)

    def get_exp_cycles(self) -> int:
        """A word a cycle on the side that has more."""
        return max(self.inputs[0].words, self.outputs[0].words)

    def latency(self) -> int:
        return 2 if self.pe > gcd(self.pe, self.out_pe) else 1

    def resources(self) -> Resources:
        return converter_resources(self.inputs[0].width, self.outputs[0].width)


@cache
def converter_resources(bits_in: int, bits_out: int) -> Resources:
    """The buffer, counters, the choice of a word in it and its register, or a spare place."""
    unit = gcd(bits_in, bits_out)
    taken, given = bits_in // unit, bits_out // unit
    size = taken * given
    counters = sum((count - 1).bit_length() for count in (taken, given, size + 1))
    ff = size * unit + counters
    if taken == 1:
        return Resources(lut=bits_in + given + 2, ff=ff + bits_in + 1)
    choice = 1 + round((taken - 1) / 3)  # a LUT widens it by three, the last has the register too
    return Resources(lut=bits_out * choice + counters + given + 2, ff=ff + 2 * bits_out + 2)
