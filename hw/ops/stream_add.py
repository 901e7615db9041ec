# SPDX-License-Identifier: Apache-2.0
"""Sum of two streams, one bit wider: the end of a residual branch."""

from __future__ import annotations

from qonnx.core.datatype import BaseDataType, DataType

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, Resources


class StreamAdd(KernelOp):
    """``a + b`` of two tensors of the same shape and type; the sum never overflows."""

    rtl_module = "stream_add"
    rtl_sources = ("stream_fork",)
    stream_inputs = 2

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

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        dtype = self.get_input_datatype()
        return DataType[f"{'INT' if dtype.signed() else 'UINT'}{dtype.bitwidth() + 1}"]

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        out_bits = self.get_outstream_width()
        return Resources(lut=2 * out_bits + 4, ff=2 * out_bits + 2)
