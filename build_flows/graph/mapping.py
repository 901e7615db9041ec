# SPDX-License-Identifier: Apache-2.0
"""Integer graph -> kernels: FINN's RTL for windows and padding, ours for the rest.

Every node that is left is hardware with AXI-Stream ports; a tensor with several readers passes
through a fork, so that each stream has one source and one sink.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
    InferQuantizedMatrixVectorActivation,
)
from finn.transformation.fpgadataflow.convert_to_hw.vector_vector_activation import (
    InferVectorVectorActivation,
)
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from build_flows.graph.edit import apply_all, kernel_node
from host.common.arrays import IntArray
from host.common.errors import UserError

FINN_KERNELS = ("FMPadding", "ConvolutionInputGenerator")
OUTPUT_BITS = 32  #: accumulators leave the accelerator in words the host reads without unpacking


def map_to_kernels(model: ModelWrapper, part: str) -> ModelWrapper:
    """Graph of kernels for ``part``; UserError names a node for which there is none."""
    model = apply_all(
        model,
        InferQuantizedMatrixVectorActivation(),
        InferVectorVectorActivation(),
        InferConvInpGen(),
        SortGraph(),
        OurKernels(),
        ForkStreams(),
        InferShapes(),
        InferDataTypes(),
        SpecializeLayers(part),
        SortGraph(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    )
    for node in model.graph.node:
        if node.op_type.removesuffix("_rtl") in FINN_KERNELS:
            getCustomOp(node).set_nodeattr("exec_mode", "cppsim")
            getCustomOp(node).set_nodeattr("SIMD", 1)  # as every other kernel before folding
    return model


class OurKernels(Transformation):
    """Attributes of our kernels from the graph; standard operators become kernels."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        rules = {
            "Requant": self._requant,
            "MVAU": self._dense,
            "VVAU": self._depthwise,
            "Add": self._add,
            "ReduceSum": self._pool,
            "Concat": self._concat,
        }
        for index, node in enumerate(list(model.graph.node)):
            if node.op_type not in (*rules, *FINN_KERNELS):
                raise UserError(f"{node.name}: no kernel for the operator {node.op_type}")
            if node.op_type in rules:
                new = rules[node.op_type](model, node)
                model.graph.node.remove(node)
                model.graph.node.insert(index, new)
                output = getCustomOp(new).get_output_datatype()
                model.set_tensor_datatype(new.output[0], output)
        return model, False

    @staticmethod
    def _kernel(
        model: ModelWrapper, node: NodeProto, op_type: str, n_inputs: int, **attributes: object
    ) -> NodeProto:
        *vectors, channels = model.get_tensor_shape(node.input[0])
        common = {
            "NumChannels": channels,
            "numInputVectors": vectors,
            "inputDataType": model.get_tensor_datatype(node.input[0]).name,
        }
        inputs = list(node.input[:n_inputs])
        return kernel_node(op_type, inputs, list(node.output), **(common | attributes))

    def _requant(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        old = getCustomOp(node)
        scale, bias = (model.get_initializer(name) for name in node.input[1:])
        return self._kernel(
            model,
            node,
            "Requant",
            3,
            shift=old.get_nodeattr("shift"),
            outputDataType=old.get_nodeattr("outputDataType"),
            perChannel=int(scale.size > 1),
            biasBits=signed_bits(bias),
        )

    def _dense(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        old = getCustomOp(node)
        activation = model.get_tensor_datatype(node.input[0])
        sums = sum_of_products(model.get_initializer(node.input[1]).T, activation).name
        return kernel_node(
            "Dense",
            list(node.input[:2]),
            list(node.output),
            **{name: old.get_nodeattr(name) for name in ("MW", "MH", "weightDataType")},
            numInputVectors=model.get_tensor_shape(node.input[0])[:-1],
            inputDataType=activation.name,
            accDataType=sums if model.find_consumers(node.output[0]) else f"INT{OUTPUT_BITS}",
        )

    def _depthwise(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        old = getCustomOp(node)
        activation = model.get_tensor_datatype(node.input[0])
        weights = model.get_initializer(node.input[1]).reshape(old.get_nodeattr("Channels"), -1)
        return self._kernel(
            model,
            node,
            "Depthwise",
            2,
            NumChannels=old.get_nodeattr("Channels"),
            Kernel=old.get_nodeattr("Kernel"),
            weightDataType=old.get_nodeattr("weightDataType"),
            accDataType=sum_of_products(weights, activation).name,
        )

    def _add(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        a, b = (model.get_tensor_datatype(name) for name in node.input)
        if a != b:
            raise UserError(
                f"{node.name} adds {a.name} and {b.name}; share one quantiser between its branches"
            )
        return self._kernel(model, node, "StreamAdd", 2)

    def _pool(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        return self._kernel(model, node, "GlobalAccPool", 1)

    def _concat(self, model: ModelWrapper, node: NodeProto) -> NodeProto:
        shapes = [model.get_tensor_shape(name) for name in node.input]
        channels = [shape[-1] for shape in shapes]
        return self._kernel(
            model, node, "StreamConcat", len(channels), NumChannels=0, ChannelsPerInput=channels
        )


class ForkStreams(Transformation):
    """A tensor with several readers gets a fork with one output for each."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in list(model.graph.node):
            name = node.output[0]
            consumers = model.find_consumers(name)
            if len(consumers) < 2:
                continue
            *vectors, channels = model.get_tensor_shape(name)
            datatype = model.get_tensor_datatype(name)
            copies = [self._copy(model, name, consumer) for consumer in consumers]
            fork = kernel_node(
                "StreamFork",
                [name],
                copies,
                NumChannels=channels,
                numInputVectors=vectors,
                inputDataType=datatype.name,
            )
            model.graph.node.append(fork)
        return apply_all(model, SortGraph()), False

    @staticmethod
    def _copy(model: ModelWrapper, name: str, consumer: NodeProto) -> str:
        new: str = model.make_new_valueinfo_name()
        model.set_tensor_shape(new, model.get_tensor_shape(name))
        model.set_tensor_datatype(new, model.get_tensor_datatype(name))
        consumer.input[list(consumer.input).index(name)] = new
        return new


def signed_bits(values: IntArray) -> int:
    """Bits of the narrowest two's complement that holds every value."""
    low, high = int(values.min()), int(values.max())
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


def sum_of_products(weights: npt.NDArray[Any], activation: BaseDataType) -> BaseDataType:
    """Narrowest signed type for ``activation . weights[c]``, weights of shape (outputs, taps)."""
    positive = np.where(weights > 0, weights, 0).sum(axis=1)
    negative = np.where(weights < 0, weights, 0).sum(axis=1)
    ends = [p * hi + n * lo for p, n in ((positive, negative), (negative, positive))
            for hi, lo in ((activation.max(), activation.min()),)]  # fmt: skip
    bound = np.rint(np.concatenate(ends)).astype(np.int64)
    return DataType[f"INT{signed_bits(bound)}"]
