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
    those, nor for a stride that is longer than the side, of which only that it leads out of the map
    counts. UserError where the padding makes several places of the pixel.
    """
    pads, stride, kept = list(window.pads), list(window.stride), []
    for side, (length, count, places) in enumerate(
        zip(shape[1:], taps, window.size(shape, taps), strict=True)
    ):
        first, last = pads[side], pads[side + 2]
        if places == 1:
            stride[side] = length + first + last - count + 1
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
        stride[side] = 1
    return kept, replace(window, stride=(stride[0], stride[1]), pads=tuple(pads))


def pair(node: NodeProto, value: Value, name: str) -> tuple[int, int]:
    """An attribute of two numbers of at least 1, for height and width; 1 and 1 by default."""
    given = [int(n) for n in attribute(node, name, [1] * (value.rank - 2))]
    numbers = value.sides(given, 1)
    if len(numbers) != 2 or min(numbers) < 1:
        raise UserError(f"{named(node)}: {name}={given}; give two numbers, for height and width")
    return numbers[0], numbers[1]


def padding(
    node: NodeProto, value: Value, taps: Sequence[int], stride: Sequence[int]
) -> tuple[int, ...]:
    """Top, left, bottom and right of an operator that slides a window over ``value``."""
    mode, given = attribute(node, "auto_pad", b"NOTSET").decode(), attribute(node, "pads", None)
    given = given and value.sides(given, 0)
    pads = pads_of(mode, given, value.shape[1:], taps, stride)
    if len(pads) != 4 or min(pads) < 0:
        raise UserError(f"{named(node)}: pads={list(pads)}; give four numbers, none below zero")
    return pads


def conv(walk: Walk, node: NodeProto) -> Value:
    """A convolution; groups and dilation become zeros among the weights."""
    value = walk.settled(node, walk.moved(node))
    weights = _kernel(walk, node, value)
    kernel = weights.integers
    group, channels = int(attribute(node, "group", 1)), value.elements.shape[1]
    if group < 1 or kernel.shape[1] * group != channels or len(kernel) % group:
        raise _unfit(node, group, kernel, channels)
    if group > 1 and not group == channels == len(kernel):
        kernel, group = without_groups(kernel, group), 1
    if value.moved is not None:
        value, kernel = _in_place(walk, node, value, kernel, group)
    kernel = spread(kernel, pair(node, value, "dilations"))
    stride, taps = pair(node, value, "strides"), kernel.shape[2:]
    pads = padding(node, value, taps, stride)
    weights = replace(weights, integers=kernel, scale=_of_outputs(node, weights.scale))
    return _over(walk, node, value, weights, Window(stride, pads, group))


def conv_transpose(walk: Walk, node: NodeProto) -> Value:
    """A convolution of the map with zeros between its pixels, the kernel turned around."""
    value = walk.unpadded(node, walk.settled(node, walk.pending(node)))
    weights = _kernel(walk, node, value)
    kernel, group = weights.integers, int(attribute(node, "group", 1))
    if group < 1 or len(kernel) != value.channels or len(kernel) % group:
        raise _unfit(node, group, kernel, value.channels)
    kernel, scale = (
        np.concatenate([part.swapaxes(0, 1) for part in np.split(array, group)])
        for array in (kernel, weights.scale)
    )
    kernel = spread(kernel[:, :, ::-1, ::-1], pair(node, value, "dilations"))
    scale = _of_outputs(node, scale)
    if group > 1 and not group == value.channels == len(kernel):
        kernel, group = without_groups(kernel, group), 1
    stride = pair(node, value, "strides")
    pads = _turned(node, value, kernel.shape[2:], stride)
    parts = value.parts or (value,)
    if stride != (1, 1) and any(part.offset.any() for part in parts):
        raise _no_zero(node)
    value = walk.repeated(value, stride, zeros=True)
    weights = replace(weights, integers=kernel, scale=scale)
    return _over(walk, node, value, weights, Window((1, 1), pads, group))


def _turned(
    node: NodeProto, value: Value, taps: Sequence[int], stride: Sequence[int]
) -> tuple[int, ...]:
    """Padding of the map with zeros between its pixels, behind the last ones too."""
    mode = attribute(node, "auto_pad", b"NOTSET")
    zeros = [0] * (value.rank - 2)
    given = value.sides(attribute(node, "pads", 2 * zeros), 0)
    more = value.sides(attribute(node, "output_padding", zeros), 0)
    fits = len(given) == 4 and len(more) == 2 and not attribute(node, "output_shape", [])
    pads = [taps[side % 2] - 1 - n for side, n in enumerate(given)]
    pads[2:] = [n + m - (s - 1) for n, m, s in zip(pads[2:], more, stride, strict=False)]
    if mode != b"NOTSET" or not fits or min(pads) < 0:
        raise UserError(
            f"{named(node)}: a kernel of {list(taps)}, strides={list(stride)}, pads={given}, "
            f"output_padding={more}; use a kernel as large as the stride or larger, and less "
            "padding than that, by numbers"
        )
    return tuple(pads)


def _kernel(walk: Walk, node: NodeProto, value: Value) -> Weights:
    """Weights with height and width, and the scale of each of them."""
    weights = _weights(walk, node)
    kernel = weights.integers
    if value.vector or kernel.ndim != value.rank:
        raise UserError(
            f"{named(node)} has weights of shape {list(kernel.shape)}; use a convolution over "
            "height and width, of (1, channels, height, width), or over a length"
        )
    shape = (*kernel.shape[:2], *value.sides(kernel.shape[2:], 1))
    return replace(weights, integers=kernel.reshape(shape), scale=weights.each.reshape(shape))


def _of_outputs(node: NodeProto, scale: F64Array) -> F64Array:
    """Scales of weights (outputs, ...), one each, as one (1,) or one an output (outputs,)."""
    rows = scale.reshape(len(scale), -1)
    if np.ptp(rows, axis=1).any():
        raise UserError(
            f"{named(node)} has weights of unlike scales in one sum; use one a tensor or an output "
            "channel"
        )
    return rows[:1, 0] if not np.ptp(rows) else rows[:, 0]


def _unfit(node: NodeProto, group: int, kernel: IntArray, channels: int) -> UserError:
    return UserError(
        f"{named(node)}: group={group} and weights of {list(kernel.shape)} do not go with "
        f"{channels} channels"
    )


def _no_zero(node: NodeProto) -> UserError:
    return UserError(
        f"{named(node)} pads a tensor whose zero is no integer zero; put a quantiser without zero "
        "point before it, behind a normalisation too, or pad nothing"
    )


def _over(walk: Walk, node: NodeProto, value: Value, weights: Weights, window: Window) -> Value:
    """The weights (O, I / groups, kh, kw) over a map, whose own padding is added."""
    kernel = weights.integers
    pads = tuple(a + b for a, b in zip(window.pads, value.pads, strict=True))
    window = replace(window, pads=pads)
    if min(window.size(value.shape, kernel.shape[2:])) < 1:
        raise UserError(f"{named(node)}: its kernel is larger than the map before it")
    (rows, columns), window = on_map(node, value.shape, kernel.shape[2:], window)
    weights = replace(weights, integers=kernel[:, :, rows, columns])
    found = product(walk, node, value, weights, _bias(walk, node, len(kernel)), window)
    return replace(found, rank=value.rank)


def _in_place(
    walk: Walk, node: NodeProto, value: Value, kernel: IntArray, group: int
) -> tuple[Value, IntArray]:
    """``value`` and ``kernel`` with the channels where they were: the weights take their order."""
    order = value.order
    if order is None or group > 1 or len(set(order)) < len(order):
        return walk.gathered(node, value), kernel
    weights = np.zeros((len(kernel), value.channels, *kernel.shape[2:]), kernel.dtype)
    weights[:, order] = kernel
    return replace(value, moved=None), weights


def gemm(walk: Walk, node: NodeProto) -> Value:
    """A matrix product on a vector, or on a flattened map: a kernel as large as the map."""
    value, weights = walk.settled(node, walk.moved(node)), _weights(walk, node)
    turned = bool(attribute(node, "transB", 0))
    row = value.vector and value.elements.shape[0] == 1
    if not row or weights.integers.ndim != 2 or attribute(node, "transA", 0):
        raise UserError(
            f"{named(node)} is no product of a vector (1, elements) with a constant matrix; "
            "flatten before it"
        )
    matrix, scale = weights.integers, weights.each
    if not turned:
        matrix, scale = matrix.T, scale.T
    elements = value.elements.reshape(-1)
    if matrix.shape[1] != len(elements) or len(set(elements)) < len(elements):
        raise UserError(
            f"{named(node)}: a matrix of {list(matrix.shape)} does not go with a vector of "
            f"{len(elements)} elements, or one of them is there twice"
        )
    kernel = np.zeros((len(matrix), np.prod(value.shape)), matrix.dtype)
    kernel[:, elements] = matrix
    kernel = kernel.reshape(len(matrix), *value.shape)
    alpha, beta = (float(attribute(node, name, 1.0)) for name in ("alpha", "beta"))
    weights = Weights(kernel, _of_outputs(node, scale) * alpha, weights.datatype)
    bias = beta * _bias(walk, node, len(kernel))
    value = replace(value, moved=None)
    return replace(product(walk, node, value, weights, bias, Window()), rank=2)


def _weights(walk: Walk, node: NodeProto) -> Weights:
    name = node.input[1] if len(node.input) > 1 else ""
    found = walk.weights.get(name)
    if found is None:
        raise UserError(
            f"{named(node)} has no quantised constant weights; use QuantConv2d, QuantLinear or "
            "their like"
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

    Their scale is (1,) or (O,). Of the mean of a map it is the mean of the products, which are sums
    of narrow integers.
    """
    kernel = weights.integers
    if not (_of_quantised(value) and window == Window() and kernel[0, 0].size == 1):
        value = walk.averaged(value)
    if value.parts and window.groups > 1:
        value = walk.joined(node, value)
    gain = weights.scale
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
        raise _no_zero(node)
    sums, per_input = taps.sum(axis=(2, 3)), per_channel(part.offset, part.channels)
    found: F64Array = sums[:, 0] * per_input if window.groups > 1 else sums @ per_input
    return found


def _convolve(
    walk: Walk, node: NodeProto, term: Term, kernel: IntArray, weights: Weights, window: Window
) -> Term:
    dense = window.groups == 1  # a depthwise unit takes sums of branches, and mixed signs
    if term.datatype is None:
        raise UserError(
            f"{named(node)} takes sums without a quantiser before it; put a QuantIdentity or "
            "QuantReLU between them"
        )
    if dense and term.datatype.bitwidth() > MOST_BITS:
        raise UserError(
            f"{named(node)} takes {term.datatype.name}, of quantised tensors that were added, or "
            f"joined with and without a sign; it takes up to {MOST_BITS} bits: put a QuantIdentity "
            "between them"
        )
    if dense and np.ptp(term.scale) > 0:
        raise UserError(
            f"{named(node)} takes a tensor with a scale for each channel; put a quantiser with one "
            "scale a tensor before it, behind a normalisation too"
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
