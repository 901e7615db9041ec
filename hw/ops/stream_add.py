# SPDX-License-Identifier: Apache-2.0
"""Sum of two streams, one bit wider: the end of a residual branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp
from hw.ops.unit import Resources, Sizes

SLACK_PIXELS = 4  #: what the pipelines of a branch hold besides its windows


class StreamAdd(KernelOp):
    """``a + b`` of two tensors of the same shape and type; the sum never overflows."""

    replaces = "Add"
    rtl_module = cpp_kernel = "stream_add"
    stream_inputs = 2
    joins = True
    in_step = True

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """As every kernel; UserError unless both inputs have one type."""
        a, b = (model.get_tensor_datatype(name) for name in node.input)
        if a != b:
            raise UserError(
                f"{node.name} adds {a.name} and {b.name}; share one quantiser between its branches"
            )
        return super().attributes_for(model, node)

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        a, b = inputs
        if a.shape != b.shape:
            raise UserError(
                f"{self.onnx_node.name} adds tensors of shape {a.shape} and {b.shape}; "
                "both must be equal, there is no broadcast"
            )
        return (a + b,)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        dtype = self.get_input_datatype()
        return {"PE": self.pe, "WIDTH": dtype.bitwidth(), "SIGNED": int(dtype.signed())}

    def cpp_sizes(self) -> Sizes:
        return self._cpp("PE", "WIDTH", "SIGNED", "WORDS", WORDS=self.get_exp_cycles())

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """A short branch holds what the windows of the long one keep back."""
        words = self.channels // self.pe
        return [(max(held) - pixels + SLACK_PIXELS) * words for pixels in held]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        dtype = self.get_input_datatype()
        return DataType[f"{'INT' if dtype.signed() else 'UINT'}{dtype.bitwidth() + 1}"]

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        out_bits = self.get_outstream_width()
        return Resources(lut=2 * out_bits + 4, ff=2 * out_bits + 2)
