# SPDX-License-Identifier: Apache-2.0
"""Integer graph -> kernels: FINN's RTL for windows and padding, ours for the rest.

Every node that is left is hardware with AXI-Stream ports; a tensor with several readers passes
through a fork, so that each stream has one source and one sink.
"""

from __future__ import annotations

from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
    InferQuantizedMatrixVectorActivation,
)
from finn.transformation.fpgadataflow.convert_to_hw.vector_vector_activation import (
    InferVectorVectorActivation,
)
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from build_flows.graph.edit import apply_all, bypass, is_a, kernel_node, nodes_of, renamed
from build_flows.graph.layers import keep_layers, name_layers
from host.common.errors import UserError
from hw.ops import operators
from hw.ops.base import KernelOp
from hw.ops.layers import layer_of, set_layer
from hw.units import units_of

FINN_HARDWARE = ("FMPadding", "ConvolutionInputGenerator")  #: has a unit as it is


def map_to_kernels(model: ModelWrapper, part: str) -> ModelWrapper:
    """Graph of kernels for ``part``; UserError names a node for which there is none."""
    model = keep_layers(
        model, InferQuantizedMatrixVectorActivation(), InferVectorVectorActivation()
    )
    model = apply_all(
        model,
        InferConvInpGen(),
        SortGraph(),
        DropCopies(),
        OurKernels(),
        ForkStreams(),
        InferShapes(),
        InferDataTypes(),
        SpecializeLayers(part),
    )
    model = renamed(model)
    for unit in units_of(model):
        unit.run_in_python()
        for attribute in unit.folds:  # FINN begins with all lanes
            unit.set_fold(attribute, 1)
    return name_layers(model)


class DropCopies(Transformation):
    """Maps that become one pixel, and tensors that are read twice, are the same stream."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in nodes_of(model, "Reshape", "Identity"):
            bypass(model, node)
        return model, False


class OurKernels(Transformation):
    """The kernel that takes the place of each node, with attributes from the graph."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        kernels = {k.replaces: k for k in operators().values() if k.replaces}
        for index, node in enumerate(list(model.graph.node)):
            if is_a(node, *FINN_HARDWARE):  # the kernel behind it asks for the width of its words
                getCustomOp(node).infer_node_datatype(model)
                continue
            if node.op_type not in kernels:
                raise UserError(f"{node.name}: no kernel for the operator {node.op_type}")
            self._replace(model, index, node, kernels[node.op_type])
        return model, False

    @staticmethod
    def _replace(model: ModelWrapper, index: int, node: NodeProto, kernel: type[KernelOp]) -> None:
        inputs, attributes = kernel.inputs_for(node), kernel.attributes_for(model, node)
        new = kernel_node(kernel.__name__, inputs, list(node.output), **attributes)
        set_layer(new, layer_of(node))
        model.graph.node.remove(node)
        model.graph.node.insert(index, new)
        model.set_tensor_datatype(new.output[0], getCustomOp(new).get_output_datatype())


class ForkStreams(Transformation):
    """A tensor with several readers, be it the image, gets a fork with one output for each."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        names = [model.graph.input[0].name, *(node.output[0] for node in model.graph.node)]
        for name in names:
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
