# SPDX-License-Identifier: Apache-2.0
"""From a QONNX file to a graph of integers, in one walk along the data.

Every tensor of the file is followed as integers with a scale and an offset in float64. Where a
quantiser stands they become the integers of a requantisation; everything between two quantisers is
exact. A node for which there is no way is refused in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.quant import max_int, min_int

from build_flows.graph.edit import is_a
from build_flows.graph.fit import Staircase, round_even
from build_flows.graph.rounding import Rounding
from build_flows.graph.value import NO_PADS, Graph, Term, Value, narrowest, per_channel
from build_flows.graph.window import pads_of, spread, without_groups
from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError
from hw.ops.layers import layer_of

MOST_BITS = 8  #: of an activation or a weight
ZERO = np.zeros(1)


@dataclass(frozen=True)
class Weights:
    """Constants behind a quantiser."""

    integers: IntArray
    scale: F64Array
    """As in the file, so that it broadcasts."""
    datatype: BaseDataType


def named(node: NodeProto) -> str:
    """A node with its layer, for messages."""
    layer = layer_of(node)
    return f"layer {layer}, {node.name}" if layer else str(node.name)


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """Value of an attribute of a node."""
    found = next((a for a in node.attribute if a.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


class Walk:
    """One walk over a cleaned model; ``rounding`` makes the integers of requantisations."""

    def __init__(
        self, model: ModelWrapper, rounding: Rounding, input_scale: float, input_offset: float
    ) -> None:
        self.model, self.rounding, self.graph = model, rounding, Graph()
        self.weights: dict[str, Weights] = {}
        self.values: dict[str, Value] = {}
        source = model.graph.input[0].name
        shape = [int(n) for n in model.get_tensor_shape(source)]
        sizes = (shape[1], *(shape[2:] or (1, 1)))
        ends = np.zeros(sizes[0], np.int64), np.full(sizes[0], 255)
        term = Term(source, np.array([input_scale]), *ends, DataType["UINT8"])
        offset = np.array([input_offset])
        self.values[source] = Value((term,), offset, sizes, vector=len(shape) == 2)
        self.graph.shapes[source] = [1, *sizes]
        self.graph.types[source] = DataType["UINT8"]
        self.source: str = source

    def run(self) -> None:
        """Walk over all nodes."""
        for node in self.model.graph.node:
            handler = HANDLERS[node.op_type]
            found = handler(self, node)
            if isinstance(found, Value):
                self.values[node.output[0]] = found

    # -- operands ------------------------------------------------------------------------------

    def value(self, node: NodeProto, index: int = 0) -> Value:
        """The tensor of data that a node reads."""
        name = node.input[index]
        if name not in self.values:
            raise UserError(
                f"{named(node)} reads {name}, which is no data; constants stand behind the data"
            )
        return self.values[name]

    def constant(self, node: NodeProto, index: int) -> F64Array | None:
        """A constant operand in float64, after its quantiser if it has one."""
        name = node.input[index]
        if name in self.weights:
            found = self.weights[name]
            return np.asarray(found.integers * found.scale, np.float64)
        values = self.model.get_initializer(name)
        return None if values is None else np.asarray(values, np.float64)

    def settled(self, node: NodeProto, value: Value) -> Value:
        """``value`` with nothing pending but its padding; UserError where a clip waits."""
        if value.bounded:
            raise UserError(
                f"{named(node)} takes what a ReLU or clip gives without a quantiser; put a "
                "QuantReLU or QuantIdentity between them"
            )
        return value

    def one_term(self, node: NodeProto, value: Value) -> Term:
        """The integers of a value that are one tensor."""
        value = self.joined(node, value)
        if len(value.terms) != 1:
            raise UserError(
                f"{named(node)} takes a sum of branches of unlike scales without a quantiser; put "
                "a QuantIdentity between them"
            )
        return value.terms[0]

    def joined(self, node: NodeProto, value: Value) -> Value:
        """The parts of a concatenation as one tensor, a scale a channel."""
        if not value.parts:
            return value
        terms = [self.one_term(node, part) for part in value.parts]
        kinds = {str(term.datatype) for term in terms}
        if len(kinds) > 1 or None in [term.datatype for term in terms]:
            raise UserError(
                f"{named(node)} takes branches of the types {', '.join(sorted(kinds))}; pass all "
                "through one quantiser"
            )
        sizes = [part.channels for part in value.parts]
        scale = np.concatenate([per_channel(t.scale, n) for t, n in zip(terms, sizes, strict=True)])
        offset = np.concatenate([per_channel(part.offset, part.channels) for part in value.parts])
        term = self._concatenate([term.tensor for term in terms], terms, value.shape)
        return replace(value, terms=(replace(term, scale=scale),), offset=offset, parts=())

    def _concatenate(
        self, tensors: list[str], terms: list[Term], shape: tuple[int, int, int]
    ) -> Term:
        datatype = terms[0].datatype
        name = self.graph.add("Concat", tensors, shape, datatype=datatype, axis=1)
        low, high = (np.concatenate([getattr(t, end) for t in terms]) for end in ("low", "high"))
        return Term(name, terms[0].scale, low, high, datatype)

    # -- quantisers ----------------------------------------------------------------------------

    def quant(self, node: NodeProto) -> Value | None:
        scale, zero, bits = (self.constant(node, i) for i in (1, 2, 3))
        if scale is None or zero is None or bits is None:
            raise UserError(
                f"{named(node)} has a scale, a zero point or bits that are computed at run time; "
                "export with constant ones"
            )
        mode = attribute(node, "rounding_mode", b"ROUND").decode().upper()
        if mode not in ("ROUND", "HALF_EVEN"):
            raise UserError(f"{named(node)}: rounding_mode={mode}; use ROUND, Brevitas' default")
        if bits.size != 1 or zero.size != 1 or zero != np.rint(zero) or (scale <= 0).any():
            raise UserError(
                f"{named(node)}: scales must be above 0, bits and a whole zero point one a tensor"
            )
        signed, narrow = (bool(attribute(node, name, 0)) for name in ("signed", "narrow"))
        width = float(bits.item())
        low, high = (int(f(signed, narrow, width)) for f in (min_int, max_int))
        values = self.model.get_initializer(node.input[0])
        if values is not None:
            self._quantise_constant(node, np.asarray(values, np.float64), scale, zero, low, high)
            return None
        if width > MOST_BITS or width < 1 or high <= low:
            raise UserError(f"{named(node)}: {width:g} bits of an activation; use 2 to {MOST_BITS}")
        return self._requantise(node, scale, int(zero.item()), low, high)

    def _quantise_constant(
        self, node: NodeProto, values: F64Array, scale: F64Array, zero: F64Array, low: int,
        high: int,
    ) -> None:  # fmt: skip
        if zero.any():
            raise UserError(f"{named(node)}: weights with a zero point; use symmetric ones")
        integers = round_even(values / scale).clip(low, high).astype(np.int64)
        self.weights[node.output[0]] = Weights(integers, scale, narrowest(low, high))

    def _requantise(
        self, node: NodeProto, scale: F64Array, zero: int, low: int, high: int
    ) -> Value:
        value = self.value(node)
        if value.pads != NO_PADS:
            raise UserError(f"{named(node)} stands behind a padding; pad behind the quantiser")
        if scale.size not in (1, value.channels):
            raise UserError(f"{named(node)}: {scale.size} scales for {value.channels} channels")
        step = scale.reshape(-1)
        value = self.joined(node, value) if value.parts else value
        least, most = (
            (round_even(np.array(end) / step) + zero) if np.isfinite(end) else np.array([bound])
            for end, bound in zip(value.limits, (low, high), strict=True)
        )
        low, high = max(low, int(least.min())), min(high, int(most.max()))
        if high <= low:
            raise UserError(f"{named(node)} gives one value only; look at its scale and limits")
        moved = zero if narrowest(low - zero, high - zero).bitwidth() <= MOST_BITS else 0
        low, high, left = low - moved, high - moved, zero - moved
        offset = value.offset / step + left
        kind = narrowest(low, high)
        low_all, high_all = np.full(value.channels, low), np.full(value.channels, high)
        name = self._rounded(node, value, step, offset, (low, high), kind)
        term = Term(name, step, low_all, high_all, kind)
        if name == self.source:  # keep what the bytes can be
            term = replace(term, datatype=DataType["UINT8"])
        offset = -left * step if left else ZERO
        return Value((term,), offset, value.shape, vector=value.vector)

    def _rounded(
        self, node: NodeProto, value: Value, step: F64Array, offset: F64Array,
        ends: tuple[int, int], kind: BaseDataType,
    ) -> str:  # fmt: skip
        """The tensor of ``round(sum(scale / step * integers) + offset)`` in the range ``ends``."""
        if len(value.terms) > 2:
            raise UserError(
                f"{named(node)} takes a sum of {len(value.terms)} branches of unlike scales; put a "
                "quantiser behind the sum of the first two"
            )
        terms = [(term.scale / step, term.low, term.high) for term in value.terms]
        channels = (
            value.channels if max(o.size for o in (offset, *(t[0] for t in terms))) > 1 else 1
        )
        stairs = [
            Staircase(
                per_channel(factor, channels).astype(np.float64), per_channel(offset, channels),
                _shared(low, channels, np.min), _shared(high, channels, np.max), *ends,
            )
            for factor, low, high in terms
        ]  # fmt: skip
        if value.terms[0].tensor == self.source and channels == 1:
            codes = stairs[0].results(np.arange(256)[:, None])[:, 0]
            if np.array_equal(codes, np.arange(256)):
                return self.source
        tensors = [term.tensor for term in value.terms]
        attributes, constants = self.rounding.integers(named(node), stairs)
        attributes = _clip(ends, kind) | attributes
        inputs = [*tensors, *(self.graph.constant(values) for values in constants)]
        batch_pixels = [1, *value.shape[1:]]
        found: str = self.graph.add(
            "Requant" if len(tensors) == 1 else "RequantAdd", inputs, value.shape, datatype=kind,
            domain="hw.ops", backend="fpgadataflow", NumChannels=value.channels,
            numInputVectors=batch_pixels, inputDataType="INT32", perChannel=int(channels > 1),
            outputDataType=kind.name, **attributes,
        )  # fmt: skip
        return found

    # -- layers with weights -------------------------------------------------------------------

    def conv(self, node: NodeProto) -> Value:
        value, weights = self.settled(node, self.value(node)), self._weights(node)
        kernel = weights.integers
        if kernel.ndim != 4 or value.vector:
            raise UserError(
                f"{named(node)} has weights of shape {list(kernel.shape)}; use a convolution over "
                "height and width, of (1, channels, height, width)"
            )
        group = int(attribute(node, "group", 1))
        if group > 1 and not group == value.channels == len(kernel):
            kernel, group = without_groups(kernel, group), 1
        kernel = spread(kernel, attribute(node, "dilations", [1, 1]))
        stride = [int(s) for s in attribute(node, "strides", [1, 1])]
        mode = attribute(node, "auto_pad", b"NOTSET").decode()
        given = attribute(node, "pads", None)
        pads = pads_of(mode, given, value.shape[1:], kernel.shape[2:], stride)
        pads = tuple(a + b for a, b in zip(pads, value.pads, strict=True))
        bias = self._bias(node, len(kernel))
        return self.product(node, value, replace(weights, integers=kernel), bias,
                            stride, pads, group)  # fmt: skip

    def gemm(self, node: NodeProto) -> Value:
        """A matrix product on a vector, or on a flattened map: a kernel as large as the map."""
        value, weights = self.settled(node, self.value(node)), self._weights(node)
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
        kernel = matrix.reshape(len(matrix), *value.shape)
        alpha, beta = (float(attribute(node, name, 1.0)) for name in ("alpha", "beta"))
        weights = Weights(kernel, scale * alpha, weights.datatype)
        bias = beta * self._bias(node, len(kernel))
        found = self.product(node, value, weights, bias, [1, 1], NO_PADS, 1)
        return replace(found, vector=True)

    def _weights(self, node: NodeProto) -> Weights:
        found = self.weights.get(node.input[1])
        if found is None:
            raise UserError(
                f"{named(node)} has no quantised constant weights; use QuantConv2d or QuantLinear"
            )
        if found.datatype.bitwidth() > MOST_BITS:
            raise UserError(
                f"{named(node)} has weights of {found.datatype.bitwidth()} bits; use 2 to "
                f"{MOST_BITS}"
            )
        if len(self.model.find_consumers(node.input[1])) > 1:
            count = len(self.model.find_consumers(node.input[1]))
            raise UserError(f"{named(node)}: {count} nodes share its weights; give each its own")
        return found

    def _bias(self, node: NodeProto, channels: int) -> F64Array:
        if len(node.input) < 3:
            return ZERO
        bias = self.constant(node, 2)
        if bias is None:
            raise UserError(
                f"{named(node)} has a bias that is computed at run time; make it constant"
            )
        return per_channel(bias.reshape(-1), channels)

    def product(
        self, node: NodeProto, value: Value, weights: Weights, bias: F64Array, stride: list[int],
        pads: tuple[int, ...], group: int,
    ) -> Value:  # fmt: skip
        """Weights (O, I / group, kh, kw) on a value: a convolution for each of its tensors."""
        if value.parts and group > 1:
            value = self.joined(node, value)
        kernel, offset, terms = weights.integers, np.zeros(len(weights.integers)), []
        gain = weights.scale.reshape(-1)
        if gain.size not in (1, len(kernel)):
            raise UserError(
                f"{named(node)} has {gain.size} scales of its weights; use one a tensor or an "
                "output channel"
            )
        first = 0
        for part in value.parts or (value,):
            taps = kernel if group > 1 else kernel[:, first : first + part.channels]
            first += part.channels
            if part.offset.any() and any(pads):
                raise UserError(
                    f"{named(node)} pads a tensor whose zero is no integer zero; use a quantiser "
                    "without zero point, or no padding"
                )
            sums = taps.sum(axis=(2, 3))
            per_input = per_channel(part.offset, part.channels)
            offset = offset + gain * (sums[:, 0] * per_input if group > 1 else sums @ per_input)
            terms += [self._convolve(node, term, taps, weights, stride, pads, group, part.shape)
                      for term in part.terms]  # fmt: skip
        _, channels, height, width = self.graph.shapes[terms[0].tensor]
        terms = [replace(term, scale=term.scale * gain) for term in terms]
        flat = offset + bias
        offset = flat if flat.any() else ZERO
        return Value(self._merged(terms), offset, (channels, height, width))

    def _convolve(
        self, node: NodeProto, term: Term, kernel: IntArray, weights: Weights, stride: list[int],
        pads: tuple[int, ...], group: int, shape: tuple[int, int, int],
    ) -> Term:  # fmt: skip
        if term.datatype is None or term.datatype.bitwidth() > MOST_BITS:
            raise UserError(
                f"{named(node)} takes sums without a quantiser before it; put a QuantIdentity or "
                "QuantReLU between them"
            )
        if group == 1 and np.ptp(term.scale) > 0:
            raise UserError(
                f"{named(node)} takes a tensor with a scale for each channel; use one a tensor"
            )
        _, height, width = shape
        top, left, bottom, right = pads
        rows, columns = kernel.shape[2:]
        size = (
            (height + top + bottom - rows) // stride[0] + 1,
            (width + left + right - columns) // stride[1] + 1,
        )
        if min(size) < 1:
            raise UserError(f"{named(node)}: its kernel is larger than the map before it")
        name = self.graph.constant(kernel.astype(np.float32), weights.datatype)
        tensor = self.graph.add(
            "Conv", [term.tensor, name], (len(kernel), *size), layer_of(node),
            kernel_shape=[rows, columns], strides=stride, pads=[top, left, bottom, right],
            dilations=[1, 1], group=group,
        )  # fmt: skip
        low, high = term.low, term.high
        if any(pads):
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        low, high = _sums(kernel, low, high, group)
        return Term(tensor, term.scale, low, high)

    def _merged(self, terms: list[Term]) -> tuple[Term, ...]:
        """Terms of one scale and type added up."""
        kept: list[Term] = []
        for term in terms:
            twin = next((old for old in kept if self._alike(old, term)), None)
            if twin is None:
                kept.append(term)
                continue
            shape = self.graph.shapes[term.tensor][1:]
            low, high = twin.low + term.low, twin.high + term.high
            wider = _wider(term.datatype)
            name = self.graph.add("Add", [twin.tensor, term.tensor], shape, datatype=wider)
            kept[kept.index(twin)] = Term(name, twin.scale, low, high, wider)
        return tuple(kept)

    def _alike(self, a: Term, b: Term) -> bool:
        if a.datatype is None or a.datatype != b.datatype or a.scale.shape != b.scale.shape:
            return False
        return bool((np.abs(a.scale - b.scale) <= self.rounding.same * np.abs(a.scale)).all())

    # -- between them --------------------------------------------------------------------------

    def batch_norm(self, node: NodeProto) -> Value:
        value = self.settled(node, self.value(node))
        gamma, beta, mean, variance = (self.constant(node, i) for i in range(1, 5))
        if gamma is None or beta is None or mean is None or variance is None:
            raise UserError(f"{named(node)} has parameters that are computed at run time")
        factor = gamma / np.sqrt(variance + float(attribute(node, "epsilon", 1e-5)))
        return self._affine(node, value, factor, beta - mean * factor)

    def _affine(self, node: NodeProto, value: Value, factor: F64Array, offset: F64Array) -> Value:
        if value.pads != NO_PADS:
            raise UserError(f"{named(node)} stands behind a padding; pad before a convolution")
        return self.joined(node, value).affine(factor, offset)

    def arithmetic(self, node: NodeProto) -> Value:
        """Add, Sub, Mul, Div with a constant; Add and Sub of data."""
        data = [name in self.values for name in node.input]
        if all(data):
            return self._sum(node)
        index = data.index(True) if any(data) else 0
        value, constant = self.value(node, index), self.constant(node, 1 - index)
        kind = node.op_type
        if constant is None or (index and kind == "Div"):
            raise UserError(f"{named(node)}: {kind} of data by data has no kernel")
        operand = self._channels(node, constant, value)
        one = np.ones(1)
        if kind in ("Mul", "Div"):
            factor, offset = (operand if kind == "Mul" else 1 / operand), ZERO
            if (factor <= 0).any():
                value = self.settled(node, value)
        else:
            value = self.settled(node, value)
            factor = -one if kind == "Sub" and index else one
            offset = -operand if kind == "Sub" and not index else operand
        if kind in ("Mul", "Div") and value.bounded:
            if factor.size > 1:
                value = self.settled(node, value)
            low, high = value.limits
            value = replace(value, limits=(low * float(factor[0]), high * float(factor[0])))
        return self._affine(node, value, factor, offset)

    def _channels(self, node: NodeProto, constant: F64Array, value: Value) -> F64Array:
        """A constant as one number or one a channel."""
        if constant.size == 1:
            return constant.reshape(1)
        position = -1 if value.vector else -3
        shape = constant.shape
        if (
            len(shape) >= -position
            and shape[position] == value.channels == constant.size
            and value.shape[1:] == ((1, 1) if value.vector else value.shape[1:])
        ):
            return constant.reshape(-1)
        raise UserError(
            f"{named(node)}: a constant of shape {list(shape)}; use one number or one a channel"
        )

    def _sum(self, node: NodeProto) -> Value:
        if node.op_type != "Add":
            raise UserError(f"{named(node)}: {node.op_type} of data by data has no kernel")
        a, b = (self.joined(node, self.settled(node, self.value(node, i))) for i in (0, 1))
        if a.shape != b.shape or a.pads != NO_PADS or b.pads != NO_PADS:
            raise UserError(
                f"{named(node)} adds maps of {list(a.shape)} and {list(b.shape)}; there is no "
                "broadcast"
            )
        terms = self._merged([*a.terms, *b.terms])
        return Value(terms, a.offset + b.offset, a.shape, vector=a.vector)

    def relu(self, node: NodeProto) -> Value:
        return self._clipped(self.value(node), 0.0, np.inf)

    def clip(self, node: NodeProto) -> Value:
        ends = []
        for index, (name, default) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
            given = len(node.input) > index and node.input[index]
            found = self.constant(node, index) if given else None
            if given and found is None:
                raise UserError(f"{named(node)} has limits that are computed at run time")
            ends.append(float(attribute(node, name, default) if found is None else found.item()))
        return self._clipped(self.value(node), *ends)

    def _clipped(self, value: Value, low: float, high: float) -> Value:
        if value.parts:
            return replace(value, parts=tuple(self._clipped(p, low, high) for p in value.parts))
        if value.quantised and not value.offset.any():
            term = value.terms[0]
            least, most = (term.scale * end for end in (term.low.min(), term.high.max()))
            if (least >= low).all() and (most <= high).all():
                return value
        old = value.limits
        low, high = max(old[0], low), min(old[1], high)
        return replace(value, limits=(low, high))

    def concat(self, node: NodeProto) -> Value:
        values = [self.settled(node, self.value(node, i)) for i in range(len(node.input))]
        first = values[0]
        axis = int(attribute(node, "axis", 1))
        sizes = {(v.shape[1:], v.vector, v.pads) for v in values}
        flat = first.vector and first.shape[1:] != (1, 1)
        if axis not in (1, -1 if first.vector else -3) or len(sizes) > 1 or flat:
            raise UserError(f"{named(node)}: axis={axis}; join maps of one size along the channels")
        parts = tuple(part for v in values for part in (v.parts or (v,)))
        shape = (sum(v.channels for v in values), *first.shape[1:])
        whole = all(len(p.terms) == 1 and not p.offset.any() for p in parts)
        if whole and all(
            self._alike(parts[0].terms[0], p.terms[0]) and p.terms[0].scale.size == 1 for p in parts
        ):
            terms = [p.terms[0] for p in parts]
            term = self._concatenate([t.tensor for t in terms], terms, shape)
            return Value((term,), ZERO, shape, vector=first.vector, pads=first.pads)
        return Value((), ZERO, shape, vector=first.vector, pads=first.pads, parts=parts)

    # -- maps ----------------------------------------------------------------------------------

    def pad(self, node: NodeProto) -> Value:
        value = self.value(node)
        mode = attribute(node, "mode", b"constant").decode()
        amounts = attribute(node, "pads", None)
        if amounts is None and len(node.input) > 1:
            amounts = self.constant(node, 1)
        fill = attribute(node, "value", 0.0)
        if len(node.input) > 2 and node.input[2]:
            found = self.constant(node, 2)
            fill = 1.0 if found is None else float(found.item())
        numbers = [] if amounts is None else [int(n) for n in np.asarray(amounts).reshape(-1)]
        if mode != "constant" or fill or len(numbers) != 8 or min(numbers) < 0:
            raise UserError(
                f"{named(node)}: mode={mode}, pads={numbers}, value={fill:g}; use constant zeros "
                "around height and width"
            )
        before, after = numbers[:4], numbers[4:]
        if any(before[:2] + after[:2]) or value.vector:
            raise UserError(f"{named(node)} pads channels; pad height and width only")
        added = (before[2], before[3], after[2], after[3])
        return replace(value, pads=tuple(a + b for a, b in zip(value.pads, added, strict=True)))

    def global_average(self, node: NodeProto) -> Value:
        value = self.joined(node, self.settled(node, self.value(node)))
        if is_a(node, "ReduceMean"):
            given = len(node.input) > 1
            found = self.constant(node, 1) if given else attribute(node, "axes", [])
            axes = sorted(int(a) % 4 for a in np.asarray(found).reshape(-1))
            if axes != [2, 3] or value.vector:
                raise UserError(f"{named(node)}: axes={axes}; use the mean over height and width")
        if value.pads != NO_PADS:
            raise UserError(f"{named(node)} stands behind a padding; pad before a convolution")
        channels, height, width = value.shape
        pixels = height * width
        terms = []
        for term in value.terms:
            both = self.graph.constant(np.array([2, 3], np.int64))
            name = self.graph.add("ReduceSum", [term.tensor, both], (channels, 1, 1), keepdims=1)
            terms.append(Term(name, term.scale / pixels, term.low * pixels, term.high * pixels))
        vector = not attribute(node, "keepdims", 1)
        return Value(tuple(terms), value.offset, (channels, 1, 1), vector=vector)

    def window_pool(self, node: NodeProto) -> Value:
        """MaxPool and AveragePool: the largest or the sum of each window."""
        value, largest = self.joined(node, self.value(node)), is_a(node, "MaxPool")
        if not largest:
            value = self.settled(node, value)
        kernel = [int(n) for n in attribute(node, "kernel_shape", [])]
        stride = [int(n) for n in attribute(node, "strides", [1, 1])]
        odd = attribute(node, "ceil_mode", 0) or set(attribute(node, "dilations", [1])) != {1}
        if value.vector or len(kernel) != 2 or len(node.output) > 1 or odd:
            raise UserError(
                f"{named(node)}: a window over height and width without ceil_mode, dilation and "
                "indices has a kernel"
            )
        mode, given = attribute(node, "auto_pad", b"NOTSET").decode(), attribute(node, "pads", None)
        pads = pads_of(mode, given, value.shape[1:], kernel, stride)
        if any(pads) and not largest and not attribute(node, "count_include_pad", 0):
            raise UserError(f"{named(node)}: padding that is not counted; set count_include_pad")
        below = any((term.low < 0).any() for term in value.terms)
        if value.pads != NO_PADS or (any(pads) and (below or value.offset.any())):
            raise UserError(
                f"{named(node)} pads a tensor that can be below zero, or stands behind a padding; "
                "pool without padding, or behind a QuantReLU"
            )
        if largest and (len(value.terms) != 1 or (value.terms[0].scale <= 0).any()):
            raise UserError(f"{named(node)} takes sums of either sign; put a quantiser before it")
        taps = kernel[0] * kernel[1]
        terms = [self._pool(node, t, value.shape, kernel, stride, pads, largest)
                 for t in value.terms]  # fmt: skip
        if not largest:
            terms = [replace(t, scale=t.scale / taps) for t in terms]
        _, channels, height, width = self.graph.shapes[terms[0].tensor]
        return replace(value, terms=tuple(terms), shape=(channels, height, width))

    def _pool(
        self, node: NodeProto, term: Term, shape: tuple[int, int, int], kernel: list[int],
        stride: list[int], pads: tuple[int, ...], largest: bool,
    ) -> Term:  # fmt: skip
        channels, height, width = shape
        top, left, bottom, right = pads
        rows = (height + top + bottom - kernel[0]) // stride[0] + 1
        columns = (width + left + right - kernel[1]) // stride[1] + 1
        if min(rows, columns) < 1:
            raise UserError(f"{named(node)}: its window is larger than the map before it")
        taps, graph = kernel[0] * kernel[1], self.graph
        last = graph.add("Transpose", [term.tensor], (height, width, channels), perm=[0, 2, 3, 1])
        windows = graph.add(
            "Im2Col", [last], (rows, columns, taps * channels),
            domain="qonnx.custom_op.general", stride=stride, kernel_size=kernel,
            pad_amount=[top, left, bottom, right], depthwise=1,
            input_shape=f"(1,{height},{width},{channels})", dilations=[1, 1],
        )  # fmt: skip
        pooled = graph.add(
            "WindowPool", [windows], (rows, columns, channels), domain="hw.ops",
            backend="fpgadataflow", NumChannels=channels, numInputVectors=[1, rows, columns],
            inputDataType="INT32" if term.datatype is None else term.datatype.name, Kernel=kernel,
            mode="max" if largest else "sum",
        )  # fmt: skip
        name = graph.add("Transpose", [pooled], (channels, rows, columns), perm=[0, 3, 1, 2])
        if largest:
            if term.datatype is not None:
                graph.types[name] = graph.types[pooled] = term.datatype
            return replace(term, tensor=name)
        return Term(name, term.scale, term.low * taps, term.high * taps)

    def flatten(self, node: NodeProto) -> Value:
        value = self.joined(node, self.value(node)) if self.value(node).parts else self.value(node)
        before, after = (
            self.model.get_tensor_shape(name) for name in (node.input[0], node.output[0])
        )
        if after is not None and len(after) == 4 and list(after[1:]) == list(value.shape):
            return replace(value, vector=False)
        if after is None or len(after) != 2 or after[0] != 1 or value.pads != NO_PADS:
            raise UserError(f"{named(node)}: {before} becomes {after}; flatten to (1, elements)")
        return replace(value, vector=True)

    def identity(self, node: NodeProto) -> Value:
        return self.value(node)


def _shared(
    values: IntArray, channels: int, choose: Callable[[IntArray], np.integer[Any]]
) -> IntArray:
    """Ends of every channel, or of all together."""
    found: IntArray = values if channels > 1 else np.atleast_1d(choose(values))
    return found


def _clip(ends: tuple[int, int], kind: BaseDataType) -> dict[str, Any]:
    """The attribute ``clip`` of a requantisation; none where its type says it."""
    return {} if ends == (int(kind.min()), int(kind.max())) else {"clip": list(ends)}


def _wider(datatype: BaseDataType | None) -> BaseDataType | None:
    """Of the sum of two."""
    if datatype is None:
        return None
    return DataType[f"{'INT' if datatype.signed() else 'UINT'}{datatype.bitwidth() + 1}"]


def _sums(kernel: IntArray, low: IntArray, high: IntArray, group: int) -> tuple[IntArray, IntArray]:
    """Least and greatest sum of each output of a convolution."""
    up, down = (np.where(sign * kernel > 0, kernel, 0).sum(axis=(2, 3)) for sign in (1, -1))
    if group > 1:
        up, down = up[:, 0], down[:, 0]
        return up * low + down * high, up * high + down * low
    return up @ low + down @ high, up @ high + down @ low


Handler = Callable[[Walk, NodeProto], Value | None]
HANDLERS: dict[str, Handler] = {
    "Quant": Walk.quant,
    "Conv": Walk.conv,
    "Gemm": Walk.gemm,
    "MatMul": Walk.gemm,
    "BatchNormalization": Walk.batch_norm,
    "Relu": Walk.relu,
    "Clip": Walk.clip,
    "Add": Walk.arithmetic,
    "Sub": Walk.arithmetic,
    "Mul": Walk.arithmetic,
    "Div": Walk.arithmetic,
    "Concat": Walk.concat,
    "Pad": Walk.pad,
    "MaxPool": Walk.window_pool,
    "AveragePool": Walk.window_pool,
    "GlobalAveragePool": Walk.global_average,
    "ReduceMean": Walk.global_average,
    "Flatten": Walk.flatten,
    "Reshape": Walk.flatten,
    "Squeeze": Walk.flatten,
    "Unsqueeze": Walk.flatten,
    "Identity": Walk.identity,
    "Dropout": Walk.identity,
}
