# SPDX-License-Identifier: Apache-2.0
"""QONNX with floating-point scales -> graph of exact integers, channels last.

build_flows.graph.derive walks over the file and writes the integers; here convolutions are lowered
to sliding windows and matrix products, channels last. What stands behind the last integer operator
is kept as metadata: scale and offset of every output, applied by the host.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from build_flows.config import BYTE
from build_flows.graph.accept import accept
from build_flows.graph.derive.affine import epsilon_of
from build_flows.graph.derive.handlers import walked
from build_flows.graph.derive.places import runs_of
from build_flows.graph.derive.walk import Walk, attribute, named
from build_flows.graph.edit import apply_all, bypass, is_a, nodes_of, read_once, renamed
from build_flows.graph.fit import NOISE
from build_flows.graph.layers import keep_layers
from build_flows.graph.outputs import kept_names
from build_flows.graph.policy import Fitted, OffGridError, Snapped
from build_flows.graph.pools_last import PoolsLast
from build_flows.graph.value import NO_PADS, Term, Value, per_channel
from host.common.arrays import F64Array
from host.common.errors import UserError
from hw.ops.base import OUTPUT_BITS
from hw.ops.grid_peak import PARTS

WORD = DataType[f"INT{OUTPUT_BITS}"]  #: of an output
LANDMARKS, CELLS = "landmarks", "cells"
"""Outputs of our networks, the latter with a grid head; see model.export.snap."""
WHOLE = 1e-6  #: most that a cell may differ from a whole number of steps
OUTPUT_AFFINE = "landmark_affine"  #: metadata key: JSON {"scale": [...], "bias": [...]}
OUTPUTS = "outputs"
"""Metadata key: JSON, a row of ``host.common.tasks`` for each output of the file."""
ROUNDING = "rounding"  #: metadata key: JSON, one row a fitted requantisation; none for our files


def streamline(
    model: ModelWrapper, input_scale: float = BYTE, input_offset: float = 0.0
) -> ModelWrapper:
    """Integer graph of a cleaned QONNX model; UserError names a node that has no integer form.

    The model takes ``byte * input_scale + input_offset``.
    """
    accept(model)
    model = apply_all(model.transform(PoolsLast(), cleanup=False), SortGraph())
    result = _derived(model, input_scale, input_offset)
    lowered = keep_layers(result, LowerConvsToMatMul())
    return renamed(apply_all(lowered, ChannelsLast(), InferShapes(), InferDataTypes()))


def _derived(model: ModelWrapper, input_scale: float, input_offset: float) -> ModelWrapper:
    """With the integers that the file was snapped to; of another file those that fit it."""
    if _by_our_export(model):
        try:
            return _finish(walked(model, Snapped(), input_scale, input_offset), snapped=True)
        except OffGridError:
            pass
    fitted = Fitted()
    walk = walked(model, fitted, input_scale, input_offset)
    result = _finish(walk, snapped=False)
    result.set_metadata_prop(ROUNDING, json.dumps(fitted.layers))
    return result


def _by_our_export(model: ModelWrapper) -> bool:
    """Whether the output has our name and the normalisations are as snapping leaves them: no mean,
    a variance that divides by one. That scales are on the grid is no sign: powers of two are, and
    some others by chance."""
    if kept_names(model) not in ([LANDMARKS], [CELLS]):
        return False
    norms = nodes_of(model, "BatchNormalization")
    for node in norms:
        mean, variance = (model.get_initializer(name) for name in node.input[3:5])
        if mean is None or variance is None or mean.any():
            return False
        if np.abs(variance + epsilon_of(node) - 1).max(initial=0) > NOISE:
            return False
    return bool(norms)


def _finish(walk: Walk, snapped: bool) -> ModelWrapper:
    """The integer graph of a walk, its outputs joined to one, with the metadata."""
    names = [end.name for end in walk.model.graph.output]
    values = [_output(walk, name) for name in names]
    peak = snapped and kept_names(walk.model) == [CELLS]
    if not peak:
        values = [_widened(walk, value, len(values) == 1) for value in values]
    term, offset, shape = _joined(walk, values)
    scale = per_channel(term.scale, shape[0])
    offset = per_channel(offset, shape[0])
    if not scale.all():
        raise UserError(
            f"the outputs {', '.join(names)} have a factor of 0 in {np.sum(scale == 0)} of "
            f"{scale.size} channels, the first is {np.argmin(scale != 0)}: they never change; take "
            "them out of the network"
        )
    if peak:
        term, scale, offset, shape = _peak(walk, term, scale, offset, shape)
    pixels = shape[1] * shape[2]
    affine = {"scale": np.tile(scale, pixels), "bias": np.tile(offset, pixels)}
    result = walk.graph.model(walk.source, term.tensor)
    read_once(result)
    text = {name: values.astype(float).tolist() for name, values in affine.items()}
    result.set_metadata_prop(OUTPUT_AFFINE, json.dumps(text))
    rows = [_row(name, value) for name, value in zip(names, values, strict=True)]
    result.set_metadata_prop(OUTPUTS, json.dumps(rows))
    return result


def _output(walk: Walk, name: str) -> Value:
    """An output of the file as one tensor of integers."""
    value, node = walk.values.get(name), walk.model.find_producer(name)
    value = value and walk.averaged(value)
    if value is None or node is None or value.bounded or value.pads != NO_PADS:
        raise UserError(
            f"the output {name} is no tensor of integers; end with a convolution, a QuantLinear or "
            "a quantiser, without an activation or padding behind it"
        )
    value = walk.joined(node, value)
    if len(value.terms) != 1:
        raise UserError(
            f"{named(node)} gives the output {name} as a sum of {len(value.terms)} tensors of "
            "unlike scales, which branches have that are added or concatenated; put a "
            "QuantIdentity behind that sum or concatenation"
        )
    if value.terms[0].tensor == walk.source:
        raise UserError(f"the output {name} is the input; there is nothing to build")
    return value


def _row(name: str, value: Value) -> dict[str, Any]:
    """An output in the metadata; with ``order`` where the file has its elements otherwise."""
    row: dict[str, Any] = {"name": name, "shape": list(value.shape)}
    batch, *shape = value.elements.shape
    straight = value.moved is None and not (value.vector and value.shape[1:] != (1, 1))
    if straight:
        return row
    runs = runs_of(value.elements, prod(value.shape)) if batch == 1 else None
    if runs is None:
        raise UserError(
            f"the output {name} has elements twice, leaves some away or has them in an order that "
            "Reshape and Transpose do not make; leave that to the host"
        )
    return row | {"order": {"shape": shape, "runs": runs}}


def _widened(walk: Walk, value: Value, alone: bool) -> Value:
    """An output in words of OUTPUT_BITS, by the unit that gives it or by one more.

    A dense unit that is the end of the design takes them by itself.
    """
    term, nodes = value.terms[0], walk.graph.nodes
    node = next(n for n in nodes if term.tensor in n.output)
    if any(term.tensor in n.input for n in nodes):
        pass
    elif is_a(node, "Requant", "RequantAdd", "Lookup"):
        _retype(walk, node, term.tensor)
        return value
    elif alone and is_a(node, "Conv") and not _is_depthwise(walk, node):
        return value
    return replace(value, terms=(walk.retyped(term, WORD),))


def _is_depthwise(walk: Walk, node: NodeProto) -> bool:
    """Whether a convolution becomes a depthwise unit: each output of one input."""
    outputs, inputs = walk.graph.constants[node.input[1]].shape[:2]
    return bool(attribute(node, "group", 1) == outputs and inputs == 1)


def _retype(walk: Walk, node: NodeProto, tensor: str) -> None:
    """Let a requantisation that only the host reads give words as wide as accumulators."""
    kind = walk.graph.types[tensor]
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if not is_a(node, "Lookup"):
        given |= {"clip": given.get("clip", [int(kind.min()), int(kind.max())])}
    given["outputDataType"] = WORD.name
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in given.items())
    walk.graph.types[tensor] = WORD


def _joined(walk: Walk, values: list[Value]) -> tuple[Term, F64Array, tuple[int, int, int]]:
    """All outputs one after another in each pixel; those of unlike size as whole maps."""
    if len(values) == 1:
        return values[0].terms[0], values[0].offset, values[0].shape
    if len({value.shape[1:] for value in values}) > 1:
        values = [_as_pixel(walk, value) for value in values]
    channels = [value.channels for value in values]
    shape = (sum(channels), *values[0].shape[1:])
    tensors = [value.terms[0].tensor for value in values]
    name = walk.graph.add("Concat", tensors, shape, axis=1)
    scale, offset = (
        np.concatenate([per_channel(a, n) for a, n in zip(arrays, channels, strict=True)])
        for arrays in ([v.terms[0].scale for v in values], [v.offset for v in values])
    )
    low, high = (np.concatenate([getattr(v.terms[0], e) for v in values]) for e in ("low", "high"))
    return Term(name, scale, low, high), offset, shape


def _as_pixel(walk: Walk, value: Value) -> Value:
    """A map as one pixel with all its elements as channels, channels last."""
    term, (channels, height, width) = value.terms[0], value.shape
    pixels, elements = height * width, channels * height * width
    sizes = walk.graph.constant(np.array([1, elements, 1, 1], np.int64))
    name = walk.graph.add("Reshape", [term.tensor, sizes], (elements, 1, 1), datatype=term.datatype)
    scale, offset, low, high = (
        np.tile(per_channel(array, channels), pixels)
        for array in (term.scale, value.offset, term.low, term.high)
    )
    whole = Term(name, scale, low, high, term.datatype)
    return replace(value, terms=(whole,), offset=offset, shape=(elements, 1, 1))


def _peak(
    walk: Walk, cells: Term, scale: F64Array, offset: F64Array, shape: tuple[int, int, int]
) -> tuple[Term, F64Array, F64Array, tuple[int, int, int]]:
    """Put a GridPeak behind the map of a grid head; scale and offset of its places, in crops."""
    channels, rows, columns = shape
    if channels % PARTS:
        raise UserError(
            f"the output is a map of {channels} channels; a grid head has {PARTS} for each "
            "landmark: score, x, y"
        )
    scores, scale = np.split(scale.reshape(-1, PARTS), [1], axis=1)
    offset = offset.reshape(-1, PARTS)[:, 1:]
    steps, shifts = np.rint(1 / scale), np.rint(-np.log2(scores))
    if np.abs(steps * scale - 1).max() > WHOLE:
        raise UserError(
            "a cell of the output map is no whole number of steps of its offsets; export the "
            "network with `python -m model export`"
        )
    if np.abs(scores * np.exp2(shifts) - 1).max() > WHOLE or shifts.min() < 0:
        raise UserError(
            "the scale of a score of the output map is no power of two up to 1; export the network "
            "with `python -m model export`"
        )
    name = walk.graph.add(
        "GridPeak", [cells.tensor, walk.graph.constant(np.hstack([steps, shifts]))],
        (steps.size, 1, 1),
        domain="hw.ops", backend="fpgadataflow", NumChannels=channels,
        numInputVectors=[1, rows, columns],
        inputDataType="INT32",  # narrowed when the layer in front of it is mapped
        stepBits=int(max(steps.max(), shifts.max())).bit_length(),
    )  # fmt: skip
    sides = np.array([columns, rows])
    places = Term(name, scale, cells.low, cells.high)
    scale, offset = (1 / (steps * sides)).ravel(), ((offset + 0.5) / sides).ravel()
    return places, scale, offset, (steps.size, 1, 1)


class ChannelsLast(Transformation):
    """The whole graph in NHWC: drops every transpose and permutes input and output.

    Correct because the operators left are channels-last (Im2Col, MatMul) or elementwise, or get
    their axes rewritten here (ReduceSum, Reshape, Concat).
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        for node in nodes_of(model, "Transpose"):
            bypass(model, node)
        for node in nodes_of(model, "ReduceSum"):
            model.set_initializer(node.input[1], np.array([1, 2], np.int64))
        for node in nodes_of(model, "Reshape"):
            model.set_initializer(node.input[1], np.array([1, 1, 1, -1], np.int64))
        for node in nodes_of(model, "Concat"):
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("axis", -1))
        ends = [graph.input[0].name, graph.output[0].name]
        kept = {name: model.get_tensor_datatype(name) for name in ends}
        shapes = {name: model.get_tensor_shape(name) for name in ends}
        del graph.value_info[:]
        for name, (batch, channels, height, width) in shapes.items():
            model.set_tensor_shape(name, [batch, height, width, channels])
        for name, datatype in kept.items():
            model.set_tensor_datatype(name, datatype)
        return model, False


def metadata(model: ModelWrapper, key: str) -> Any:
    """What the metadata of an integer graph holds, None if it holds nothing."""
    text = model.get_metadata_prop(key)
    return None if text is None else json.loads(text)
