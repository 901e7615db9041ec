# SPDX-License-Identifier: Apache-2.0
"""Small edits of an ONNX graph that the transformations share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    RemoveUnusedTensors,
    SortGraph,
)

from hw.ops.unit import Stream


def constant(model: ModelWrapper, values: npt.NDArray[Any]) -> str:
    """Name of a new initializer."""
    name: str = model.make_new_valueinfo_name()
    model.set_initializer(name, np.asarray(values))
    return name


def kernel_node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
) -> NodeProto:
    """A node of one of our kernels, see hw.ops."""
    return helper.make_node(
        op_type, inputs, outputs, domain="hw.ops", backend="fpgadataflow", **attributes
    )


def is_a(node: NodeProto | None, *operators: str) -> TypeGuard[NodeProto]:
    """Whether ``node`` is there and one of these operators of ONNX, QONNX or FINN."""
    return node is not None and node.op_type in operators


def nodes_of(model: ModelWrapper, *operators: str) -> list[NodeProto]:
    """The nodes with one of these operators, as they are now."""
    return [node for node in model.graph.node if is_a(node, *operators)]


def constants_of(model: ModelWrapper, node: NodeProto) -> list[npt.NDArray[np.int64]]:
    """Constant inputs of a node of hardware."""
    values = map(model.get_initializer, node.input)
    return [np.rint(value).astype(np.int64) for value in values if value is not None]


def streams_of(model: ModelWrapper, node: NodeProto) -> list[str]:
    """Tensors that a node reads as streams: all but its constants."""
    return [name for name in node.input if model.get_initializer(name) is None]


def producers(model: ModelWrapper, node: NodeProto) -> list[NodeProto]:
    """Nodes whose outputs a node reads, in the order of its inputs."""
    found = map(model.find_producer, node.input)
    return [producer for producer in found if producer is not None]


def branch_before(model: ModelWrapper, tensor: str) -> Iterator[NodeProto]:
    """Nodes between ``tensor`` and the fork from which its branch comes, the last one first."""
    while (node := model.find_producer(tensor)) is not None and len(node.output) == 1:
        yield node
        tensor = node.input[0]


def bypass(model: ModelWrapper, node: NodeProto) -> None:
    """Remove a node; whoever read its first output reads its first input."""
    source, sink = node.input[0], node.output[0]
    model.graph.node.remove(node)
    if any(end.name == sink for end in model.graph.output):  # keeps its name
        model.find_producer(source).output[0] = sink
        source, sink = sink, source
    for consumer in model.find_consumers(sink):
        for i, name in enumerate(consumer.input):
            if name == sink:
                consumer.input[i] = source


def read_once(model: ModelWrapper) -> None:
    """Put, in place, an Identity before every further reading of a tensor by the same node.

    Where qonnx renames a tensor, it does so at the first of them only.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    for node in list(graph.node):
        for i, name in enumerate(node.input):
            if name and name not in constants and name in node.input[:i]:
                node.input[i] = model.make_new_valueinfo_name()
                copy = helper.make_node("Identity", [name], [node.input[i]])
                graph.node.insert(list(graph.node).index(node), copy)


def splice(
    model: ModelWrapper, tensor: str, op_type: str, given: Stream, taken: Sequence[int],
    **attributes: Any,
) -> None:  # fmt: skip
    """A kernel of ours between the stream ``given`` of ``tensor`` and its reader, which takes the
    shape ``taken``."""
    *vectors, channels = given.shape
    name = model.make_new_valueinfo_name()
    model.set_tensor_shape(name, taken)
    model.set_tensor_datatype(name, given.datatype)
    kernel = kernel_node(
        op_type, [tensor], [name], NumChannels=channels, PE=given.lanes, numInputVectors=vectors,
        inputDataType=given.datatype.name, **attributes,
    )  # fmt: skip
    reader = model.find_consumer(tensor)
    reader.input[list(reader.input).index(tensor)] = name
    model.graph.node.append(kernel)


def renamed(model: ModelWrapper) -> ModelWrapper:
    """In the order of the data, in place, every tensor with the name of the node that gives it.

    What no node reads any more goes first: its type under an old name would be a second one of the
    tensor that takes the name.
    """
    return apply_all(
        model,
        SortGraph(),
        RemoveUnusedTensors(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    )


def apply_all(model: ModelWrapper, *transformations: Transformation) -> ModelWrapper:
    """Apply in order, in place, without the clean-up that qonnx otherwise runs after each."""
    for transformation in transformations:
        model = model.transform(transformation, make_deepcopy=False, cleanup=False)
    return model
