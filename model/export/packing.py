# SPDX-License-Identifier: Apache-2.0
"""QONNX files of hardly more than one byte a weight, for any reader of QONNX.

QONNX keeps quantised weights as float32 in front of their Quant node, and exporters write every
vector, name and default once more for each node. Here

- weights are stored as INT8 and offsets of normalisations as INT16, where that is exact, with a
  Cast to float32 and a Mul by their scale in front of the reader;
- vectors of one repeated number become a ConstantOfShape, equal constants are stored once;
- nodes have no names, tensors have numbers as names, and attributes that say what the operator's
  definition says are left out.

qonnx's constant folding, the first thing that its clean-up does, gives back the same float32
numbers, and the clean-up names everything again.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import F64Array
from hw.ops.requant import BIAS_FRACTION
from model.export.qonnx import quant_info

DEFAULTS: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"momentum": 0.9, "training_mode": 0},
    "Conv": {"dilations": [1, 1]},
    "Quant": {"rounding_mode": "ROUND"},
}
"""Attributes that are left out where they have these values, which the definitions give them."""


def pack(model: ModelWrapper) -> ModelWrapper:
    """Rewrite ``model``, a snapped network, in place; see the module's text."""
    made: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "Quant" and model.get_initializer(node.input[0]) is not None:
            made += _as_integers(model, node.input[0], quant_info(model, node).scale, np.int8)
        elif node.op_type == "BatchNormalization":
            step = _offset_step(model, node)
            made += _as_integers(model, node.input[2], step, np.int16)
    made += _repeated(model)
    for place, node in enumerate(made):
        model.graph.node.insert(place, node)
    _share_constants(model)
    _forget_names(model)
    return model


def _offset_step(model: ModelWrapper, node: NodeProto) -> F64Array:
    """Grid of the offsets of a normalisation: 2**-6 steps of the quantiser behind it."""
    while node.op_type != "Quant":
        node = model.find_consumers(node.output[0])[0]
    return quant_info(model, node).scale / 2.0**BIAS_FRACTION


def _as_integers(
    model: ModelWrapper, name: str, step: F64Array, kind: type[np.signedinteger]
) -> list[NodeProto]:
    """Store constant ``name`` as integers times ``step``; the nodes that give back its float32.

    No nodes, and nothing changed, where that would not be the same numbers.
    """
    values, scale = model.get_initializer(name), step.astype(np.float32)
    steps = np.rint(values / step)
    limits = np.iinfo(kind)
    inside = np.all((steps >= limits.min) & (steps <= limits.max))
    if not inside or not np.array_equal(steps.astype(np.float32) * scale, values):
        return []
    _remove_constant(model, name)
    integers, floats = f"{name}_{limits.dtype}", f"{name}_steps"
    model.set_initializer(integers, steps.astype(kind))
    if np.all(scale == 1):
        return [helper.make_node("Cast", [integers], [name], to=TensorProto.FLOAT)]
    model.set_initializer(f"{name}_scale", scale)
    return [
        helper.make_node("Cast", [integers], [floats], to=TensorProto.FLOAT),
        helper.make_node("Mul", [floats, f"{name}_scale"], [name]),
    ]


def _remove_constant(model: ModelWrapper, name: str) -> None:
    constants = model.graph.initializer
    constants.remove(next(tensor for tensor in constants if tensor.name == name))


def _repeated(model: ModelWrapper) -> list[NodeProto]:
    """Nodes that make the vectors of one repeated float32, whose constants are removed."""
    made: dict[tuple[int, bytes], str] = {}
    nodes = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim != 1 or np.ptp(values) or values.size == 1:
            continue
        key = (values.size, values[:1].tobytes())
        if key not in made:
            made[key] = tensor.name
            length = f"{tensor.name}_length"
            model.set_initializer(length, np.array(values.shape, np.int64))
            value = numpy_helper.from_array(values[:1])
            nodes.append(helper.make_node("ConstantOfShape", [length], [tensor.name], value=value))
        _rename_inputs(model, {tensor.name: made[key]})
        model.graph.initializer.remove(tensor)
    return nodes


def _share_constants(model: ModelWrapper) -> None:
    """Keep one of the constants that are equal."""
    kept: dict[tuple[object, ...], str] = {}
    names = {}
    for tensor in list(model.graph.initializer):
        key = (tensor.data_type, tuple(tensor.dims), numpy_helper.to_array(tensor).tobytes())
        names[tensor.name] = kept.setdefault(key, tensor.name)
        if names[tensor.name] != tensor.name:
            model.graph.initializer.remove(tensor)
    _rename_inputs(model, names)


def _forget_names(model: ModelWrapper) -> None:
    """Number the tensors, and drop what every reader infers or names again."""
    graph = model.graph
    names = {entry.name: entry.name for entry in (*graph.input, *graph.output)}
    numbers = itertools.count()
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        for name, value in DEFAULTS.get(node.op_type, {}).items():
            if (usual := helper.make_attribute(name, value)) in node.attribute:
                node.attribute.remove(usual)
        for name in (*node.input, *node.output):
            if name not in names:
                names[name] = str(next(numbers))
        node.output[:] = [names[name] for name in node.output]
    _rename_inputs(model, names)
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    del graph.value_info[:], graph.quantization_annotation[:]


def _rename_inputs(model: ModelWrapper, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
