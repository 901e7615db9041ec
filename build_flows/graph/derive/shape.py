# SPDX-License-Identifier: Apache-2.0
"""What joins, pads or moves elements and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from build_flows.graph.derive.walk import ZERO, Walk, Weights, attribute, named
from build_flows.graph.value import Value
from host.common.arrays import IntArray
from host.common.errors import UserError, first_line

MOVES = (  #: operators that put elements in other places, or leave some away
    "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather",
    "DepthToSpace", "SpaceToDepth",
)  # fmt: skip


def concat(walk: Walk, node: NodeProto) -> Value:
    """Maps or vectors joined along their channels; elements of one tensor along any axis."""
    axis, inputs = int(attribute(node, "axis", 1)), range(len(node.input))
    moved = [walk.moved(node, i) for i in inputs]
    if any(value.moved is not None for value in moved) and _of_one(moved):
        return moved[0].rearranged(np.concatenate([value.elements for value in moved], axis))
    values = [walk.value(node, i) for i in inputs]
    first = values[0]
    sizes = {(v.shape[1:], v.rank, v.pads) for v in values}
    flat = first.vector and first.shape[1:] != (1, 1)
    if axis % first.rank != 1 or len(sizes) > 1 or flat:
        raise UserError(f"{named(node)}: axis={axis}; join maps of one size along the channels")
    return walk.beside(values)


def _of_one(values: Sequence[Value]) -> bool:
    """Whether all have elements of one tensor, and nothing else has become of it."""
    first, names = values[0], ("terms", "parts", "offset", "curve")
    return all(
        all(getattr(value, name) is getattr(first, name) for name in names)
        and (value.limits, value.mean_of, value.pads) == (first.limits, first.mean_of, first.pads)
        for value in values
    )


def pad(walk: Walk, node: NodeProto) -> Value:
    """Zeros around height and width, which the next operator adds."""
    value = walk.value(node)
    mode = attribute(node, "mode", b"constant").decode()
    amounts = attribute(node, "pads", None)
    if amounts is None and len(node.input) > 1:
        amounts = walk.constant(node, 1)
    fill = attribute(node, "value", 0.0)
    if len(node.input) > 2 and node.input[2]:
        found = walk.constant(node, 2)
        fill = 1.0 if found is None or found.size != 1 else float(found.item())
    numbers = [] if amounts is None else [int(n) for n in np.asarray(amounts).reshape(-1)]
    if len(node.input) > 3 and node.input[3]:
        numbers = _of_all_axes(walk, node, numbers, value.rank)
    if mode != "constant" or fill or len(numbers) != 2 * value.rank or min(numbers) < 0:
        raise UserError(
            f"{named(node)}: mode={mode!r}, pads={numbers}, value={fill:g}; use constant zeros "
            "around height and width"
        )
    before, after = numbers[: value.rank], numbers[value.rank :]
    if any(before[:2] + after[:2]) or value.vector:
        raise UserError(f"{named(node)} pads channels; pad height and width only")
    if value.waiting(ZERO).any():
        walk.settled(node, value)
    added = value.sides([*before[2:], *after[2:]], 0)
    return replace(value, pads=tuple(a + b for a, b in zip(value.pads, added, strict=True)))


def _of_all_axes(walk: Walk, node: NodeProto, numbers: list[int], rank: int) -> list[int]:
    """Amounts of a padding before and after each axis, of those that its fourth input names."""
    found = walk.constant(node, 3)
    axes = [] if found is None else [int(n) for n in found.reshape(-1)]
    places = [axis % rank for axis in axes if -rank <= axis < rank]
    if len(set(places)) != len(axes) or not axes or len(numbers) != 2 * len(axes):
        raise UserError(f"{named(node)}: pads={numbers} of axes={axes}; give two for each axis")
    spread = np.zeros((2, rank), np.int64)
    spread[:, places] = np.reshape(numbers, (2, -1))
    return [int(n) for n in spread.reshape(-1)]


def move(walk: Walk, node: NodeProto) -> tuple[Value, ...]:
    """Elements in other places, those of weights too."""
    if node.input[0] in walk.weights:
        _move_weights(walk, node, walk.weights[node.input[0]])
        return ()
    value = walk.unpadded(node, walk.moved(node))
    return tuple(value.rearranged(elements) for elements in _places(walk, node, value.elements))


def _move_weights(walk: Walk, node: NodeProto, weights: Weights) -> None:
    shape, integers = weights.integers.shape, weights.integers.reshape(-1)
    scales = np.broadcast_to(weights.scale, shape).reshape(-1)
    places = np.arange(integers.size).reshape(shape)
    for name, elements in zip(node.output, _places(walk, node, places), strict=True):
        scale = scales[elements]
        for axis in range(scale.ndim):
            first = scale.take([0], axis)
            scale = first if (scale == first).all() else scale
        walk.weights[name] = Weights(integers[elements], scale, weights.datatype)


def _places(walk: Walk, node: NodeProto, elements: IntArray) -> list[IntArray]:
    """Numbers of elements as onnx itself puts them into the outputs of a node."""
    constants = {name: walk.model.get_initializer(name) for name in node.input[1:] if name}
    for name, given in constants.items():
        if given is None:
            raise UserError(f"{named(node)}: {name} is computed at run time; make it constant")
    ends = [
        [helper.make_value_info(name, helper.make_tensor_type_proto(TensorProto.INT64, None))
         for name in names]
        for names in (node.input[:1], node.output)
    ]  # fmt: skip
    tensors = [numpy_helper.from_array(given, name) for name, given in constants.items()]
    graph = helper.make_graph([node], "elements", *ends, tensors)
    model = helper.make_model(graph, opset_imports=walk.model.model.opset_import)
    try:
        found = ReferenceEvaluator(model).run(None, {node.input[0]: elements})
    except Exception as error:  # whatever onnx finds wrong with a node
        raise UserError(f"{named(node)}: {first_line(error)}; export the network again") from error
    if not all(places.size for places in found):
        raise UserError(f"{named(node)} leaves no element of {node.input[0]}; look at its sizes")
    return [np.asarray(places) for places in found]


def identity(walk: Walk, node: NodeProto) -> Value:
    """What changes nothing at run time."""
    return walk.moved(node)
