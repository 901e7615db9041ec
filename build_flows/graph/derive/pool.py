# SPDX-License-Identifier: Apache-2.0
"""Pooling: of the whole map, and of windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from build_flows.graph.derive.product import Window, on_map, padding, pair
from build_flows.graph.derive.walk import Walk, attribute, named
from build_flows.graph.edit import is_a
from build_flows.graph.value import NO_PADS, Term, Value, per_channel
from host.common.errors import UserError


def global_average(walk: Walk, node: NodeProto) -> Value:
    """The mean over height and width; it is taken where something else than weights reads it."""
    value = walk.joined(node, walk.settled(node, walk.value(node)))
    if is_a(node, "ReduceMean"):
        given = len(node.input) > 1
        found = walk.constant(node, 1) if given else attribute(node, "axes", [])
        axes = sorted(int(a) % value.rank for a in np.asarray(found, np.float64).reshape(-1))
        if axes != [*range(2, value.rank)] or value.vector:
            raise UserError(f"{named(node)}: axes={axes}; use the mean over height and width")
    found = _mean(node, walk.unpadded(node, value))
    return found if attribute(node, "keepdims", 1) else replace(found, rank=2)


def _mean(node: NodeProto, value: Value) -> Value:
    if value.vector:
        raise UserError(f"{named(node)} takes a vector; pool a map")
    channels, *size = value.shape
    height, width = size
    return replace(value, shape=(channels, 1, 1), mean_of=(height, width))


def global_largest(walk: Walk, node: NodeProto) -> Value:
    """The largest of the map: a window as large as it."""
    value = walk.unpadded(node, walk.joined(node, walk.value(node)))
    return _largest(walk, node, value, (value.shape[1], value.shape[2]), Window())


def window_pool(walk: Walk, node: NodeProto) -> Value:
    """MaxPool and AveragePool: the largest or the sum of each window, of each branch by itself."""
    value = walk.value(node)
    if any(part.pads != NO_PADS for part in (value, *value.parts)):
        raise UserError(f"{named(node)} stands behind a padding; pad in the pooling itself")
    if not value.parts:
        return _window_pool(walk, node, value)
    parts = tuple(_window_pool(walk, node, part) for part in value.parts)
    if any(part.mean_of for part in parts):
        return _window_pool(walk, node, walk.joined(node, value))
    return replace(value, parts=parts, shape=(value.channels, *parts[0].shape[1:]))


def _window_pool(walk: Walk, node: NodeProto, value: Value) -> Value:
    taps, stride = pair(node, value, "kernel_shape"), pair(node, value, "strides")
    if value.vector or len(node.output) > 1 or pair(node, value, "dilations") != (1, 1):
        raise UserError(
            f"{named(node)}: a window over height and width without dilation and indices has a "
            "kernel"
        )
    pads = padding(node, value, taps, stride)
    if any(pad >= tap for pad, tap in zip(pads, 2 * taps, strict=True)):
        raise UserError(
            f"{named(node)} pads a window of {list(taps)} by {list(pads)}; pad less than the window"
        )
    if attribute(node, "ceil_mode", 0):
        pads = _ceiled(value, taps, Window(stride, pads))
    window = Window(stride, pads)
    if is_a(node, "MaxPool"):
        return _largest(walk, node, value, taps, window)
    return _average(walk, node, value, taps, window)


def _ceiled(value: Value, taps: tuple[int, int], window: Window) -> tuple[int, ...]:
    """Padding with which the last window of ``ceil_mode`` is whole; it must begin in the map."""
    top, left, bottom, right = window.pads
    more = []
    for length, before, after, tap, step in zip(
        value.shape[1:], (top, left), (bottom, right), taps, window.stride, strict=True
    ):
        spare = (length + before + after - tap) % step
        fits = length + before + after - tap - spare + step < length + before
        more.append(step - spare if spare and fits else 0)
    return (top, left, bottom + more[0], right + more[1])


def _largest(
    walk: Walk, node: NodeProto, value: Value, taps: tuple[int, int], window: Window
) -> Value:
    if value.curve is not None:
        value = walk.settled(node, value)
    if len(value.terms) != 1 or (value.terms[0].scale <= 0).any():
        raise UserError(
            f"{named(node)} takes a sum of branches of unlike scales, or channels with a factor of "
            "zero or below; put a quantiser before it, or right behind it or its activation"
        )
    if any(window.pads) and not _least_is_zero(value).all():
        raise UserError(
            f"{named(node)} pads a tensor that can be below zero; pool without padding, or behind "
            "a QuantReLU"
        )
    return _pooled(walk, node, value, taps, window, "max")


def _least_is_zero(value: Value) -> NDArray[np.bool_]:
    """Whether no integer of a channel is below zero, or the clip that waits makes it as much."""
    harmless: NDArray[np.bool_] = value.terms[0].low >= 0
    return harmless | (per_channel(value.offset, value.channels) <= value.limits[0])


def _average(
    walk: Walk, node: NodeProto, value: Value, taps: tuple[int, int], window: Window
) -> Value:
    value = walk.settled(node, value)
    if any(window.pads) and not (
        attribute(node, "count_include_pad", 0) and not attribute(node, "ceil_mode", 0)
    ):
        raise UserError(
            f"{named(node)}: padding that is not counted; set count_include_pad, without ceil_mode"
        )
    if any(window.pads) and value.offset.any():
        raise UserError(
            f"{named(node)} pads a tensor whose zero is no integer zero; pool without padding"
        )
    if taps == value.shape[1:] and not any(window.pads):
        return _mean(node, value)
    found = _pooled(walk, node, value, taps, window, "sum")
    shares = 1 / (taps[0] * taps[1])
    return replace(found, terms=tuple(replace(t, scale=t.scale * shares) for t in found.terms))


def _pooled(
    walk: Walk, node: NodeProto, value: Value, taps: tuple[int, int], window: Window, mode: str
) -> Value:
    size = window.size(value.shape, taps)
    if min(size) < 1:
        raise UserError(f"{named(node)}: its window is larger than the map before it")
    (rows, columns), window = on_map(node, value.shape, taps, window)
    taps = (rows.stop - rows.start, columns.stop - columns.start)
    terms = tuple(_pool(walk, t, value.shape, taps, window, mode) for t in value.terms)
    return replace(value, terms=terms, shape=(value.channels, *size))


def _pool(
    walk: Walk, term: Term, shape: tuple[int, int, int], taps: tuple[int, int], window: Window,
    mode: str,
) -> Term:  # fmt: skip
    """A tensor of ``shape`` pooled: its windows, and the kernel on them."""
    channels, height, width = shape
    rows, columns = window.size(shape, taps)
    count, graph = taps[0] * taps[1], walk.graph
    last = graph.add("Transpose", [term.tensor], (height, width, channels), perm=[0, 2, 3, 1])
    windows = graph.add(
        "Im2Col", [last], (rows, columns, count * channels), domain="qonnx.custom_op.general",
        stride=window.stride, kernel_size=taps, pad_amount=window.pads, depthwise=1,
        input_shape=f"(1,{height},{width},{channels})", dilations=[1, 1],
    )  # fmt: skip
    pooled = graph.add(
        "WindowPool", [windows], (rows, columns, channels), domain="hw.ops",
        backend="fpgadataflow", NumChannels=channels, numInputVectors=[1, rows, columns],
        inputDataType="INT32" if term.datatype is None else term.datatype.name, Kernel=taps,
        mode=mode,
    )  # fmt: skip
    name = graph.add("Transpose", [pooled], (channels, rows, columns), perm=[0, 3, 1, 2])
    if mode == "max":
        if term.datatype is not None:
            graph.types[name] = graph.types[pooled] = term.datatype
        return replace(term, tensor=name)
    low, high = term.low * count, term.high * count
    if any(window.pads):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    return Term(name, term.scale, low, high)
