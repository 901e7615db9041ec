# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution: one multiply-accumulate lane a channel of the word.

The stream in is that of FINN's sliding window with ``depthwise=1`` and ``SIMD=PE``: for each pixel,
for each fold of PE neighbouring channels, the K*K taps (row by row) of those PE channels. Weights
arrive on a stream of their own in the same order of folds and taps, once a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import RAM_STYLE, KernelOp, check_weight_type
from hw.ops.cost import output_fifo_cost
from hw.ops.unit import Resources, Sizes, Table
from hw.ops.weight_stream import weight_table
from hw.ops.widths import sum_of_products

MAX_ACT_BITS, MAX_WEIGHT_BITS, MAX_ACC_BITS = 27, 18, 48  #: operands of a DSP48E2, signed
ABSTRACT_WINDOWS = ("ConvolutionInputGenerator", "Im2Col")  #: give taps first, all channels last


class Depthwise(KernelOp):
    """Takes the place of a VVAU behind ``ConvolutionInputGenerator(depthwise=1, SIMD=PE)``.

    ONNX inputs: the window (1, OH, OW, K*K*C) and the weights (C, 1, KH, KW), whose words a
    WeightStream feeds to the port ``s_weight``. Output: accumulators (1, OH, OW, C) of accDataType.
    ``numInputVectors`` is (1, OH, OW), ``NumChannels`` is C.
    """

    replaces = "VVAU"
    rtl_module = cpp_kernel = "depthwise"
    stream_inputs = 2
    takes_weights = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "Kernel": ("ints", True, []),  # height, width
            "weightDataType": ("s", True, ""),
            "accDataType": ("s", True, ""),
            "ramStyle": RAM_STYLE,
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Accumulators just wide enough."""
        old, common = getCustomOp(node), super().attributes_for(model, node)
        channels = old.get_nodeattr("Channels")
        weights = model.get_initializer(node.input[1]).reshape(channels, -1)
        activation = model.get_tensor_datatype(node.input[0])
        return common | {
            "NumChannels": channels,
            "Kernel": old.get_nodeattr("Kernel"),
            "weightDataType": old.get_nodeattr("weightDataType"),
            "accDataType": sum_of_products(weights, activation).name,
        }

    @classmethod
    def inputs_for(cls, node: NodeProto) -> list[str]:
        """Window and weights."""
        return list(node.input[:2])

    @property
    def taps(self) -> int:
        """Products summed for one output."""
        return int(np.prod(self.get_nodeattr("Kernel")))

    @property
    def rigid(self) -> bool:
        return self.taps > 1

    @property
    def channel_words(self) -> int:
        """Words in which the channels of one pixel leave."""
        return self.channels // self.pe

    @property
    def weight_passes(self) -> int:
        """How often the weight stream runs through its words in a frame: once a pixel."""
        return int(np.prod(self.vectors))

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Accumulators of a window in stream order; UserError if one leaves accDataType."""
        window, weights = inputs
        taps = window.reshape(*self.vectors, self.channel_words, self.taps, self.pe)
        acc = (taps * self._stream_order(weights)).sum(axis=-2).reshape(*self.vectors, -1)
        self.check_accumulators(acc)
        return (acc,)

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """As every kernel, after bringing an abstract window into the order of the stream."""
        name = self.onnx_node.input[0]
        local = dict(context)
        if any(name in n.output and n.op_type in ABSTRACT_WINDOWS for n in graph.node):
            local[name] = self.fold_window(context[name])
        super().execute_node(local, graph)
        context[self.onnx_node.output[0]] = local[self.onnx_node.output[0]]

    def fold_window(self, window: IntArray) -> IntArray:
        """A window with the channels fastest (Im2Col) in the order of the stream, same shape."""
        taps = window.reshape(*self.vectors, self.taps, self.channel_words, self.pe)
        return np.swapaxes(taps, -3, -2).reshape(window.shape)

    def _stream_order(self, weights: IntArray) -> IntArray:
        """Weights (C, 1, KH, KW) as (words, taps, PE)."""
        self.check_weights(weights, (self.channels, 1, *self.get_nodeattr("Kernel")))
        return weights.reshape(self.channel_words, self.pe, self.taps).transpose(0, 2, 1)

    def weight_lanes(self, weights: IntArray) -> IntArray:
        """Weights (C, 1, KH, KW) as the lanes (words, PE) of the stream of one pixel."""
        return self._stream_order(weights).reshape(-1, self.pe)

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        self._check_widths()
        act, weight = self.get_input_datatype(0), self.get_input_datatype(1)
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "TAPS": self.taps,
            "ACT_WIDTH": act.bitwidth(),
            "ACT_SIGNED": int(act.signed()),
            "WEIGHT_WIDTH": weight.bitwidth(),
            "ACC_WIDTH": self.get_output_datatype().bitwidth(),
        }

    def _check_widths(self) -> None:
        """Raise UserError unless a DSP48E2 takes the operands."""
        name, acc = self.onnx_node.name, self.get_output_datatype()
        act, weight = self.get_input_datatype(0), self.get_input_datatype(1)
        check_weight_type(name, weight, MAX_WEIGHT_BITS)
        if act.bitwidth() + (not act.signed()) > MAX_ACT_BITS:
            raise UserError(
                f"{name} takes {act.name}; the multiplier takes activations of up to "
                f"{MAX_ACT_BITS} bits with sign"
            )
        if acc.bitwidth() > MAX_ACC_BITS:
            raise UserError(
                f"accDataType={acc.name} of {name} is wider than the sum, which has up to "
                f"{MAX_ACC_BITS} bits"
            )

    def rtl_ports(self) -> tuple[list[str], list[str]]:
        return ["s_axis", "s_weight"], ["m_axis"]

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "TAPS", "ACT_WIDTH", "ACT_SIGNED", "WEIGHT_WIDTH", "ACC_WIDTH")
        return self._cpp(*names, "PIXELS", PIXELS=self.weight_passes)

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        (weights,) = constants
        return weight_table(self.weight_lanes(weights), self.get_input_datatype(1).bitwidth())

    @property
    def multiplications(self) -> int:
        return self.weight_passes * self.taps * self.channels

    def latency(self) -> int:
        return 5

    def resources(self) -> Resources:
        """Control and output fifo; multiplier, accumulator and their registers are in the DSPs."""
        fifo = output_fifo_cost(self.pe * int(self.get_output_datatype().bitwidth()))
        return Resources(lut=10 + fifo.lut, ff=11 + fifo.ff, dsp=self.pe)

    # -- shapes and types ----------------------------------------------------------------------

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("weightDataType" if ind else "inputDataType")]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("accDataType")]

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        if ind:
            return (self.channels, 1, *self.get_nodeattr("Kernel"))
        return (*self.vectors, self.taps * self.channels)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.channels)

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        if ind:
            return (1, self.channel_words * self.taps, self.pe)
        return super().get_folded_input_shape(ind)
