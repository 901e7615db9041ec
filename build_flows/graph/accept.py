# SPDX-License-Identifier: Apache-2.0
"""What of ONNX the flow takes: everything else is refused in one line before anything is changed.

A line names the layer and the node, the operator or attribute, what is allowed, and what to change
in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.graph.edit import is_a
from host.common.errors import UserError
from hw.ops.layers import layer_of

Check = Callable[[ModelWrapper, NodeProto], None]
INSTEAD = {  # operator -> what to put in its place
    "MaxPool": "a convolution with stride",
    "AveragePool": "a convolution with stride, or AdaptiveAvgPool2d(1) at the end",
    "Resize": "the network without upsampling",
    "Upsample": "the network without upsampling",
    "Pad": "the padding of the convolution behind it",
    "LeakyRelu": "QuantReLU",
    "PRelu": "QuantReLU",
    "Sigmoid": "QuantReLU, and the sigmoid of an output on the host",
    "Tanh": "QuantHardTanh",
    "Softmax": "the network without it, and softmax on the host",
    "BipolarQuant": "weights and activations of 2 bits or more",
    "Trunc": "a quantiser behind the pooling",
}


def accept(model: ModelWrapper) -> None:
    """Raise UserError unless the flow takes every node of a cleaned QONNX model."""
    _check_ends(model)
    for node in model.graph.node:
        check = CHECKS.get(node.op_type)
        if check is None:
            raise UserError(
                f"{_named(node)}: there is no kernel for {node.op_type}; "
                f"use {INSTEAD.get(node.op_type, 'only ' + ', '.join(CHECKS))}"
            )
        check(model, node)


def _named(node: NodeProto) -> str:
    layer = layer_of(node)
    return f"layer {layer}, {node.name}" if layer else str(node.name)


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    found = next((a for a in node.attribute if a.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def _check_ends(model: ModelWrapper) -> None:
    """One image in, one vector out, or the map of a grid head."""
    for kind, ends in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        if len(ends) != 1:
            names = ", ".join(end.name for end in ends)
            raise UserError(
                f"the model has {len(ends)} {kind} ({names}); the accelerator has one: "
                "concatenate the heads, or export one of them"
            )
    source, sink = (ends[0].name for ends in (model.graph.input, model.graph.output))
    shape = model.get_tensor_shape(source)
    if len(shape) != 4 or shape[0] != 1:
        raise UserError(
            f"the input {source} has the shape {shape}; it must be one picture "
            "(1, channels, height, width)"
        )
    shape = model.get_tensor_shape(sink)
    if len(shape) not in (2, 4) or shape[0] != 1:
        raise UserError(
            f"the output {sink} has the shape {shape}; it must be a vector (1, outputs), or the "
            "map of a grid head: end with AdaptiveAvgPool2d(1) and a QuantLinear"
        )


def _conv(model: ModelWrapper, node: NodeProto) -> None:
    shape = model.get_tensor_shape(node.input[0])
    if len(shape) != 4:
        raise UserError(
            f"{_named(node)} takes a tensor of shape {shape}; use a convolution over height and "
            "width, of (1, channels, height, width)"
        )
    channels = shape[1]
    outputs = model.get_tensor_shape(node.output[0])[1]
    groups = _attribute(node, "group", 1)
    if groups != 1 and not groups == channels == outputs:
        raise UserError(
            f"{_named(node)}: group={groups} with {channels} channels in and {outputs} out; use "
            f"group=1, or {channels} groups with as many outputs"
        )
    dilations = list(_attribute(node, "dilations", [1, 1]))
    if any(step != 1 for step in dilations):
        raise UserError(f"{_named(node)}: dilations={dilations}; use 1, or a larger kernel")
    padding = _attribute(node, "auto_pad", b"NOTSET").decode()
    if padding != "NOTSET":
        raise UserError(f"{_named(node)}: auto_pad={padding}; give the padding as numbers")


def _reshape(model: ModelWrapper, node: NodeProto) -> None:
    """A vector of everything; of a map only before a matrix product."""
    source, sink = (model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    if len(sink) != 2 or sink[0] != 1:
        raise UserError(f"{_named(node)}: {source} becomes {sink}; flatten to (1, elements)")
    readers = model.find_consumers(node.output[0])
    while len(readers) == 1 and is_a(readers[0], "Quant"):
        readers = model.find_consumers(readers[0].output[0])
    if source[2:] not in ([], [1, 1]) and not all(is_a(n, "Gemm", "MatMul") for n in readers):
        kinds = ", ".join(reader.op_type for reader in readers)
        raise UserError(
            f"{_named(node)} makes a vector of a map of {source[2]} x {source[3]} pixels before "
            f"{kinds}; put a QuantLinear right behind it"
        )


def _product(model: ModelWrapper, node: NodeProto) -> None:
    """The sums of a pooling are wider than a multiplier takes."""
    before = model.find_producer(node.input[0])
    while is_a(before, "Flatten", "Reshape", "Squeeze"):
        before = model.find_producer(before.input[0])
    if is_a(before, "GlobalAveragePool"):
        raise UserError(
            f"{_named(node)} takes what {before.name} gives without a quantiser; put a "
            "QuantIdentity between them"
        )


def _quant(model: ModelWrapper, node: NodeProto) -> None:
    mode = _attribute(node, "rounding_mode", b"ROUND")
    if mode not in (b"ROUND", b"HALF_EVEN"):
        raise UserError(
            f"{_named(node)}: rounding_mode={mode.decode()}; use ROUND, Brevitas' default"
        )
    readers = len(model.find_consumers(node.output[0]))
    if model.get_initializer(node.input[0]) is not None and readers != 1:
        raise UserError(f"{_named(node)}: {readers} nodes share its weights; give each its own")


def _anything(model: ModelWrapper, node: NodeProto) -> None:
    """Nothing to check here."""


CHECKS: dict[str, Check] = {
    "Quant": _quant,
    "Conv": _conv,
    "Gemm": _product,
    "MatMul": _product,
    "BatchNormalization": _anything,
    "Relu": _anything,
    "Add": _anything,
    "Mul": _anything,
    "Div": _anything,
    "Concat": _anything,
    "GlobalAveragePool": _anything,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Squeeze": _reshape,
}
