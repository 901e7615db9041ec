# SPDX-License-Identifier: Apache-2.0
"""Activations, which wait for the quantiser behind them.

A clip becomes the ends of a requantisation. Any other function of one tensor becomes, with its
quantiser, a table of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import erf, pi, sqrt

import numpy as np
from onnx import NodeProto

from build_flows.graph.derive.walk import Walk, attribute, by_channel, named, no_product
from build_flows.graph.value import Curve, Value
from host.common.arrays import F64Array
from host.common.errors import UserError


def relu(walk: Walk, node: NodeProto) -> Value:
    """Nothing below zero."""
    return clipped(walk.anywhere(node), 0.0, np.inf)


def clip(walk: Walk, node: NodeProto) -> Value:
    """Nothing beyond two constants."""
    ends = []
    for index, (name, default) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
        given = len(node.input) > index and node.input[index]
        found = walk.constant(node, index) if given else None
        if given and (found is None or found.size != 1):
            raise UserError(f"{named(node)} has limits that are computed at run time")
        ends.append(float(attribute(node, name, default) if found is None else found.item()))
    low, high = ends
    if not low < high:
        raise UserError(f"{named(node)} clips to {low:g}..{high:g}, which is no range")
    return clipped(walk.anywhere(node), low, high)


def clipped(value: Value, low: float, high: float) -> Value:
    """``value`` with the clip pending; as it is where nothing reaches the ends."""
    if value.parts:
        return replace(value, parts=tuple(clipped(p, low, high) for p in value.parts))
    if value.curve is not None:
        return value.through(lambda x: np.clip(x, low, high))
    if value.quantised and not value.offset.any():
        term = value.terms[0]
        ends = np.stack([term.scale * term.low, term.scale * term.high])
        if (ends >= low).all() and (ends <= high).all():
            return value
    old = value.limits
    return replace(value, limits=(max(old[0], low), min(old[1], high)))


# -- curves ------------------------------------------------------------------------------------


def _leaky(node: NodeProto) -> Curve:
    slope = float(attribute(node, "alpha", 0.01))
    return lambda x: np.where(x < 0, slope * x, x)


def _hard_sigmoid(node: NodeProto) -> Curve:
    slope, offset = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    return lambda x: np.clip(slope * x + offset, 0, 1)


def _elu(node: NodeProto) -> Curve:
    scale = float(attribute(node, "alpha", 1.0))
    return lambda x: np.where(x < 0, scale * np.expm1(np.minimum(x, 0)), x)


def _selu(node: NodeProto) -> Curve:
    scale, gain = (
        float(attribute(node, name, default))
        for name, default in (("alpha", 1.6732632423543772), ("gamma", 1.0507009873554805))
    )
    return lambda x: gain * np.where(x < 0, scale * np.expm1(np.minimum(x, 0)), x)


def _gelu(node: NodeProto) -> Curve:
    form = attribute(node, "approximate", b"none")
    if form == b"tanh":
        return lambda x: 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))
    if form != b"none":
        raise UserError(f"{named(node)}: approximate={form.decode()!r}; use none or tanh")
    return lambda x: 0.5 * x * (1 + _erf(x / sqrt(2)))


def _sigmoid(x: F64Array) -> F64Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _plain(function: Curve) -> Callable[[NodeProto], Curve]:
    return lambda node: function


_erf = np.vectorize(erf, otypes=[float])

CURVES: dict[str, Callable[[NodeProto], Curve]] = {  # operator -> the function of a node
    "LeakyRelu": _leaky,
    "HardSigmoid": _hard_sigmoid,
    "Elu": _elu,
    "Selu": _selu,
    "Sigmoid": _plain(_sigmoid),
    "Tanh": _plain(np.tanh),
    "Softplus": _plain(lambda x: np.logaddexp(x, 0)),
    "Softsign": _plain(lambda x: x / (1 + np.abs(x))),
    "HardSwish": _plain(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "Erf": _plain(_erf),
    "Gelu": _gelu,
    "Abs": _plain(np.abs),
}


def curve(walk: Walk, node: NodeProto) -> Value:
    """Any function of CURVES."""
    return walk.unpadded(node, walk.anywhere(node)).through(CURVES[node.op_type](node))


def prelu(walk: Walk, node: NodeProto) -> Value:
    """A slope below zero, one for all or each channel."""
    slope, value = walk.constant(node, 1), walk.value(node)
    if slope is None:
        raise UserError(f"{named(node)} has slopes that are computed at run time")
    below = by_channel(node, slope, value, "slopes")
    if below.size > 1:
        value = walk.joined(node, value)
    return walk.unpadded(node, value).through(lambda x: np.where(x < 0, below * x, x))


def gated(walk: Walk, node: NodeProto) -> Value:
    """``x * gate(x)`` of one tensor, as SiLU, hard swish and GELU are exported."""
    a, b = (walk.value(node, i) for i in (0, 1))
    if a.parts or b.parts or len(a.terms) != 1 or len(b.terms) != 1:
        raise no_product(node)
    x, gate = a.terms[0], b.terms[0]
    scale, other = np.broadcast_arrays(x.scale, gate.scale)
    with np.errstate(divide="ignore"):
        factor = np.divide(other, scale, out=np.ones(scale.shape), where=other != scale)
    if x.tensor != gate.tensor or a.rank != b.rank or not np.isfinite(factor).all():
        raise no_product(node)
    left, right, offset = a.waiting, b.waiting, b.offset - a.offset * factor
    base = replace(a, limits=(-np.inf, np.inf), curve=None)
    return walk.unpadded(node, base).through(lambda x: left(x) * right(x * factor + offset))
