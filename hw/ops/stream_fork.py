# SPDX-License-Identifier: Apache-2.0
"""One stream to several, each with its own handshake: the start of a residual branch."""

from __future__ import annotations

from qonnx.core.datatype import BaseDataType

from host.common.arrays import IntArray
from hw.ops.base import KernelOp
from hw.ops.unit import Resources, Sizes


class StreamFork(KernelOp):
    """Copies its input to every output of the ONNX node."""

    rtl_module = cpp_kernel = "stream_fork"
    passes_on = True
    in_step = True

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return (inputs[0],) * len(self.onnx_node.output)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        return {"WIDTH": self.get_instream_width(), "COPIES": len(self.onnx_node.output)}

    def cpp_sizes(self) -> Sizes:
        self.check_folding()
        return {"WORDS": self.get_exp_cycles()}

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        width, copies = self.get_instream_width(), len(self.onnx_node.output)
        return Resources(lut=width + 2 * copies + 2, ff=2 * width + copies + 1)
