# SPDX-License-Identifier: Apache-2.0
"""What is affine on every channel, and sums of branches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from build_flows.graph.derive.activation import gated
from build_flows.graph.derive.walk import ZERO, Walk, attribute, by_channel, named, no_product
from build_flows.graph.edit import is_a
from build_flows.graph.value import Value
from host.common.arrays import F64Array
from host.common.errors import UserError

ONE = np.ones(1)


def batch_norm(walk: Walk, node: NodeProto) -> Value:
    """Batch normalisation with the statistics of the file."""
    if attribute(node, "training_mode", 0):
        raise UserError(f"{named(node)} has training_mode=1; export the network after net.eval()")
    value = walk.settled(node, walk.pending(node))
    gamma, beta, mean, variance = (walk.constant(node, i) for i in range(1, 5))
    if gamma is None or beta is None or mean is None or variance is None:
        raise UserError(f"{named(node)} has parameters that are computed at run time")
    sizes = {array.size for array in (gamma, beta, mean, variance)}
    if sizes != {value.channels}:
        raise UserError(f"{named(node)}: {sorted(sizes)} parameters for {value.channels} channels")
    factor = gamma / np.sqrt(variance + epsilon_of(node))
    return _affine(walk, node, value, factor, beta - mean * factor)


def epsilon_of(node: NodeProto) -> float:
    """What a batch normalisation adds to the variance."""
    return next((float(a.f) for a in node.attribute if a.name == "epsilon"), 1e-5)


def _affine(walk: Walk, node: NodeProto, value: Value, factor: F64Array, offset: F64Array) -> Value:
    if not (np.isfinite(factor).all() and np.isfinite(offset).all()):
        raise UserError(f"{named(node)} has a constant that is no number, or divides by zero")
    return walk.unpadded(node, value).affine(factor, offset)


def arithmetic(walk: Walk, node: NodeProto) -> Value:
    """Add, Sub, Mul, Div with a constant; Add and Sub of data, Mul with a gate of its own."""
    data = [name in walk.values for name in node.input]
    if len(data) != 2:
        raise UserError(f"{named(node)} has {len(data)} operands; {node.op_type} takes two")
    if all(data):
        return gated(walk, node) if is_a(node, "Mul") else _sum(walk, node)
    index = data.index(True) if any(data) else 0
    constant, kind = walk.constant(node, 1 - index), node.op_type
    alike = constant is not None and constant.size == 1
    value = walk.moved(node, index) if alike else walk.pending(node, index)
    if constant is None or (index and kind == "Div"):
        raise no_product(node)
    operand = by_channel(node, constant, value)
    if kind == "Div" and not operand.all():
        raise UserError(f"{named(node)} divides by zero")
    if kind in ("Mul", "Div"):
        factor, offset = (operand if kind == "Mul" else 1 / operand), ZERO
    else:
        factor = -ONE if kind == "Sub" and index else ONE
        offset = -operand if kind == "Sub" and not index else operand
    return _moved(walk, node, value, factor, offset)


def _moved(walk: Walk, node: NodeProto, value: Value, factor: F64Array, offset: F64Array) -> Value:
    """``value * factor + offset``, also where an activation waits."""
    if factor.size + offset.size > 2 and value.parts:
        value = walk.settled(node, value)
    if not value.bounded:
        return _affine(walk, node, value, factor, offset)
    clipped = value.curve is None and not value.parts
    if clipped and factor.size == 1 and factor > 0 and not offset.any():
        low, high = (end * float(factor.item()) for end in value.limits)
        return replace(_affine(walk, node, value, factor, offset), limits=(low, high))
    return walk.unpadded(node, value).through(lambda x: x * factor + offset)


def same_shape(node: NodeProto, a: Value, b: Value) -> None:
    """UserError where two operands broadcast."""
    shapes = [list(value.elements.shape) for value in (a, b)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"{named(node)} joins maps of {shapes[0]} and {shapes[1]}; there is no broadcast"
        )


def negative(walk: Walk, node: NodeProto) -> Value:
    """The other sign."""
    return _moved(walk, node, walk.pending(node), -ONE, ZERO)


def _sum(walk: Walk, node: NodeProto) -> Value:
    """Add or Sub of two tensors of data."""
    if is_a(node, "Div"):
        raise no_product(node)
    a, b = (walk.joined(node, walk.settled(node, walk.value(node, i))) for i in (0, 1))
    for value in (a, b):
        walk.unpadded(node, value)
    same_shape(node, a, b)
    if is_a(node, "Sub"):
        b = b.affine(-ONE, ZERO)
    terms = walk.merged([*a.terms, *b.terms])
    return Value(terms, a.offset + b.offset, a.shape, rank=a.rank)
