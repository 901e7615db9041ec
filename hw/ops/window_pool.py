# SPDX-License-Identifier: Apache-2.0
"""Largest element or sum of every window: maximum and average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp
from hw.ops.depthwise import ABSTRACT_WINDOWS
from hw.ops.unit import Resources, Sizes

MAX_BITS = 48  #: of a result


class WindowPool(KernelOp):
    """(1, OH, OW, K*K*C) -> (1, OH, OW, C) behind ``ConvolutionInputGenerator(depthwise=1)``.

    ``mode`` is "max" or "sum"; the factor 1/(K*K) of an average belongs to the requantisation
    behind. The stream is that of a depthwise convolution: for each pixel, for each fold of PE
    neighbouring channels, the K*K taps of those channels. ``numInputVectors`` is (1, OH, OW).
    """

    replaces = "WindowPool"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "window_pool"

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "Kernel": ("ints", True, []),  # height, width
            "mode": ("s", True, "", {"max", "sum"}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the type of its data."""
        old = cls(node)
        return {
            "NumChannels": old.channels,
            "numInputVectors": list(old.vectors),
            "inputDataType": model.get_tensor_datatype(node.input[0]).name,
            "Kernel": old.get_nodeattr("Kernel"),
            "mode": old.get_nodeattr("mode"),
        }

    @property
    def taps(self) -> int:
        """Elements of a window."""
        return int(np.prod(self.get_nodeattr("Kernel")))

    @property
    def rigid(self) -> bool:
        return self.taps > 1

    @property
    def sums(self) -> bool:
        """Whether it adds."""
        return bool(self.get_nodeattr("mode") == "sum")

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Results of a window in stream order."""
        folds = self.channels // self.pe
        taps = inputs[0].reshape(*self.vectors, folds, self.taps, self.pe)
        found = taps.sum(axis=-2) if self.sums else taps.max(axis=-2)
        return (found.reshape(*self.vectors, -1),)

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """As every kernel, after bringing an abstract window into the order of the stream."""
        name = self.onnx_node.input[0]
        local = dict(context)
        if any(name in n.output and n.op_type in ABSTRACT_WINDOWS for n in graph.node):
            folds = self.channels // self.pe
            taps = context[name].reshape(*self.vectors, self.taps, folds, self.pe)
            local[name] = np.swapaxes(taps, -3, -2).reshape(context[name].shape)
        super().execute_node(local, graph)
        context[self.onnx_node.output[0]] = local[self.onnx_node.output[0]]

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        dtype, out = self.get_input_datatype(), self.get_output_datatype()
        if out.bitwidth() > MAX_BITS:
            raise UserError(
                f"{self.onnx_node.name} adds {self.taps} of {dtype.name}; sums have up to "
                f"{MAX_BITS} bits: narrow the layer before it"
            )
        return {
            "PE": self.pe,
            "TAPS": self.taps,
            "WIDTH": dtype.bitwidth(),
            "SIGNED": int(dtype.signed()),
            "SUMS": int(self.sums),
            "OUT_WIDTH": out.bitwidth(),
        }

    def cpp_sizes(self) -> Sizes:
        words = self.get_exp_cycles() // self.taps
        return self._cpp("PE", "TAPS", "WIDTH", "SIGNED", "SUMS", "OUT_WIDTH", "WORDS", WORDS=words)

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        """The running result, its successor and the output register."""
        bits, out = self.get_outstream_width(), (self.taps - 1).bit_length()
        return Resources(lut=3 * bits + 2 * out + 4, ff=3 * bits + out + 2)

    # -- shapes and types ----------------------------------------------------------------------

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        """The type of the data, or the narrowest that holds every sum."""
        dtype = self.get_input_datatype()
        if not self.sums:
            return dtype
        if dtype.signed():
            return DataType[f"INT{(int(-dtype.min()) * self.taps - 1).bit_length() + 1}"]
        return DataType[f"UINT{(int(dtype.max()) * self.taps).bit_length()}"]

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.taps * self.channels)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.channels)
