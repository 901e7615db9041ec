# SPDX-License-Identifier: Apache-2.0
"""Layers with weights: convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto

from build_flows.graph.derive.walk import MOST_BITS, ZERO, Walk, Weights, attribute, named
from build_flows.graph.value import NO_PADS, Term, Value, per_channel
from build_flows.graph.window import pads_of, spread, without_groups
from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError
from hw.ops.layers import layer_of


@dataclass(frozen=True)
class Window:
    """How a kernel goes over a map."""

    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, ...] = NO_PADS
    groups: int = 1
    """1, or the channels."""

    def size(self, shape: Sequence[int], taps: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of the result on a map of ``shape`` (C, H, W)."""
        (top, left, bottom, right), (_, height, width) = self.pads, shape
        rows = (height + top + bottom - taps[0]) // self.stride[0] + 1
        columns = (width + left + right - taps[1]) // self.stride[1] + 1
        return rows, columns


def on_map(
    node: NodeProto, shape: Sequence[int], taps: Sequence[int], window: Window
) -> tuple[list[slice], Window]:
    """Rows and columns of a kernel that meet a map of ``shape`` (C, H, W), and its window then.

    On a side of one pixel all taps but one see padding alone; the window module has no place for
    those. UserError where the padding makes several places of the pixel.
    """
    pads, kept = list(window.pads), []
    for side, (length, count, places) in enumerate(
        zip(shape[1:], taps, window.size(shape, taps), strict=True)
    ):
        first, last = pads[side], pads[side + 2]
        if length > 1 or (count == 1 and first == last == 0):
            kept.append(slice(0, count))
            continue
        if places > 1 or first >= count:
            raise UserError(
                f"{named(node)} pads a side of one pixel by {first} and {last}, its kernel has "
                f"{count} there; use a padding that leaves one place for the kernel"
            )
        kept.append(slice(first, first + 1))
        pads[side] = pads[side + 2] = 0
    return kept, replace(window, pads=tuple(pads))


def pair(node: NodeProto, name: str) -> tuple[int, int]:
    """An attribute of two numbers of at least 1, for height and width; 1 and 1 by default."""
    numbers = [int(n) for n in attribute(node, name, [1, 1])]
    if len(numbers) != 2 or min(numbers) < 1:
        raise UserError(f"{named(node)}: {name}={numbers}; give two numbers, for height and width")
    return numbers[0], numbers[1]


def padding(
    node: NodeProto, size: Sequence[int], taps: Sequence[int], stride: Sequence[int]
) -> tuple[int, ...]:
    """Top, left, bottom and right of an operator that slides a window over a map of ``size``."""
    mode, given = attribute(node, "auto_pad", b"NOTSET").decode(), attribute(node, "pads", None)
    pads = pads_of(mode, given, size, taps, stride)
    if len(pads) != 4 or min(pads) < 0:
        raise UserError(f"{named(node)}: pads={list(pads)}; give four numbers, none below zero")
    return pads


def conv(walk: Walk, node: NodeProto) -> Value:
    """A convolution; groups and dilation become zeros among the weights."""
    value, weights = walk.settled(node, walk.pending(node)), _weights(walk, node)
    kernel = weights.integers
    if kernel.ndim != 4 or value.vector:
        raise UserError(
            f"{named(node)} has weights of shape {list(kernel.shape)}; use a convolution over "
            "height and width, of (1, channels, height, width)"
        )
    group = int(attribute(node, "group", 1))
    if group < 1 or kernel.shape[1] * group != value.channels or len(kernel) % group:
        raise UserError(
            f"{named(node)}: group={group} and weights of {list(kernel.shape)} do not go with "
            f"{value.channels} channels"
        )
    if group > 1 and not group == value.channels == len(kernel):
        kernel, group = without_groups(kernel, group), 1
    dilations, stride = pair(node, "dilations"), pair(node, "strides")
    taps = [(n - 1) * d + 1 for n, d in zip(kernel.shape[2:], dilations, strict=True)]
    pads = padding(node, value.shape[1:], taps, stride)
    pads = tuple(a + b for a, b in zip(pads, value.pads, strict=True))
    window = Window(stride, pads, group)
    if min(window.size(value.shape, taps)) < 1:
        raise UserError(f"{named(node)}: its kernel is larger than the map before it")
    (rows, columns), window = on_map(node, value.shape, taps, window)
    weights = replace(weights, integers=spread(kernel, dilations)[:, :, rows, columns])
    return product(walk, node, value, weights, _bias(walk, node, len(kernel)), window)


def gemm(walk: Walk, node: NodeProto) -> Value:
    """A matrix product on a vector, or on a flattened map: a kernel as large as the map."""
    value, weights = walk.settled(node, walk.pending(node)), _weights(walk, node)
    turned = bool(attribute(node, "transB", 0))
    if not value.vector or weights.integers.ndim != 2 or attribute(node, "transA", 0):
        raise UserError(
            f"{named(node)} is no product of a vector (1, elements) with a constant matrix; "
            "flatten before it"
        )
    scale = weights.scale
    if not turned:
        scale = scale.T if scale.ndim == 2 else scale
    matrix = weights.integers if turned else weights.integers.T
    if matrix.shape[1] != np.prod(value.shape):
        raise UserError(
            f"{named(node)}: a matrix of {list(matrix.shape)} does not go with a vector of "
            f"{int(np.prod(value.shape))} elements"
        )
    kernel = matrix.reshape(len(matrix), *value.shape)
    alpha, beta = (float(attribute(node, name, 1.0)) for name in ("alpha", "beta"))
    weights = Weights(kernel, scale * alpha, weights.datatype)
    bias = beta * _bias(walk, node, len(kernel))
    return replace(product(walk, node, value, weights, bias, Window()), vector=True)


def _weights(walk: Walk, node: NodeProto) -> Weights:
    name = node.input[1] if len(node.input) > 1 else ""
    found = walk.weights.get(name)
    if found is None:
        raise UserError(
            f"{named(node)} has no quantised constant weights; use QuantConv2d or QuantLinear"
        )
    if found.datatype.bitwidth() > MOST_BITS:
        raise UserError(
            f"{named(node)} has weights of {found.datatype.bitwidth()} bits; use 2 to {MOST_BITS}"
        )
    if len(walk.model.find_consumers(name)) > 1:
        count = len(walk.model.find_consumers(name))
        raise UserError(f"{named(node)}: {count} nodes share its weights; give each its own")
    return found


def _bias(walk: Walk, node: NodeProto, channels: int) -> F64Array:
    if len(node.input) < 3 or not node.input[2]:
        return ZERO
    bias = walk.constant(node, 2)
    if bias is None:
        raise UserError(f"{named(node)} has a bias that is computed at run time; make it constant")
    if bias.size not in (1, channels):
        raise UserError(f"{named(node)}: a bias of {bias.size} for {channels} channels")
    return per_channel(bias.reshape(-1), channels)


def product(
    walk: Walk, node: NodeProto, value: Value, weights: Weights, bias: F64Array, window: Window
) -> Value:
    """Weights (O, I / groups, kh, kw) on a value: a convolution for each of its tensors.

    Of the mean of a map it is the mean of the products, which are sums of narrow integers.
    """
    kernel = weights.integers
    if not (_of_quantised(value) and window == Window() and kernel[0, 0].size == 1):
        value = walk.averaged(value)
    if value.parts and window.groups > 1:
        value = walk.joined(node, value)
    gain = weights.scale.reshape(-1)
    if gain.size not in (1, len(kernel)):
        raise UserError(
            f"{named(node)} has {gain.size} scales of its weights; use one a tensor or an output "
            "channel"
        )
    offset, terms, first = np.zeros(len(kernel)), list[Term](), 0
    for part in value.parts or (value,):
        taps = kernel if window.groups > 1 else kernel[:, first : first + part.channels]
        first += part.channels
        offset = offset + gain * _of_offset(node, part, taps, window)
        terms += [_convolve(walk, node, term, taps, weights, window) for term in part.terms]
    channels, height, width = walk.graph.shapes[terms[0].tensor][1:]
    terms = [replace(term, scale=term.scale * gain) for term in terms]
    flat = offset + bias
    offset = flat if flat.any() else ZERO
    mean_of = value.mean_of
    shape = (channels, 1, 1) if mean_of else (channels, height, width)
    return Value(walk.merged(terms), offset, shape, mean_of=mean_of)


def _of_quantised(value: Value) -> bool:
    """Whether it is the mean of a quantised map."""
    return value.mean_of is not None and value.quantised and not value.parts


def _of_offset(node: NodeProto, part: Value, taps: IntArray, window: Window) -> F64Array:
    """What the weights make of the offset of a value, (O,)."""
    if part.offset.any() and any(window.pads):
        raise UserError(
            f"{named(node)} pads a tensor whose zero is no integer zero; use a quantiser without "
            "zero point, or no padding"
        )
    sums, per_input = taps.sum(axis=(2, 3)), per_channel(part.offset, part.channels)
    found: F64Array = sums[:, 0] * per_input if window.groups > 1 else sums @ per_input
    return found


def _convolve(
    walk: Walk, node: NodeProto, term: Term, kernel: IntArray, weights: Weights, window: Window
) -> Term:
    dense = window.groups == 1  # a depthwise unit takes sums of branches, and mixed signs
    if term.datatype is None or (dense and term.datatype.bitwidth() > MOST_BITS):
        raise UserError(
            f"{named(node)} takes sums without a quantiser before it; put a QuantIdentity or "
            "QuantReLU between them"
        )
    if dense and np.ptp(term.scale) > 0:
        raise UserError(
            f"{named(node)} takes a tensor with a scale for each channel; use one a tensor"
        )
    taps = kernel.shape[2:]
    size = window.size(walk.graph.shapes[term.tensor][1:], taps)
    name = walk.graph.constant(kernel.astype(np.float32), weights.datatype)
    tensor = walk.graph.add(
        "Conv", [term.tensor, name], (len(kernel), *size), layer_of(node), kernel_shape=taps,
        strides=window.stride, pads=window.pads, dilations=[1, 1], group=window.groups,
    )  # fmt: skip
    low, high = term.low, term.high
    if any(window.pads):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    low, high = _sums(kernel, low, high, window.groups)
    return Term(tensor, term.scale, low, high)


def _sums(
    kernel: IntArray, low: IntArray, high: IntArray, groups: int
) -> tuple[IntArray, IntArray]:
    """Least and greatest sum of each output of a convolution."""
    up, down = (np.where(sign * kernel > 0, kernel, 0).sum(axis=(2, 3)) for sign in (1, -1))
    if groups > 1:
        up, down = up[:, 0], down[:, 0]
        return up * low + down * high, up * high + down * low
    return up @ low + down @ high, up @ high + down @ low
