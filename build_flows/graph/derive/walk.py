# SPDX-License-Identifier: Apache-2.0
"""State of a walk over a file, and what the handlers of all operators ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.graph.derive.places import gathering
from build_flows.graph.policy import Policy
from build_flows.graph.value import NO_PADS, Graph, Term, Value, narrowest, per_channel
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

    @property
    def each(self) -> F64Array:
        """The scale of each integer."""
        return np.broadcast_to(self.scale, self.integers.shape)


def named(node: NodeProto) -> str:
    """A node with its layer, for messages."""
    layer = layer_of(node)
    return f"layer {layer}, {node.name}" if layer else str(node.name)


def no_product(node: NodeProto) -> UserError:
    """Of a product or quotient of two tensors of data."""
    return UserError(
        f"{named(node)}: {node.op_type} of data by data has no kernel; train the network without "
        "it, squeeze-and-excite and other gates too"
    )


def by_channel(
    node: NodeProto, constant: F64Array, value: Value, what: str = "a constant"
) -> F64Array:
    """A constant that broadcasts to ``value`` as one number (1,) or one a channel (channels,).

    UserError of any other, which is called ``what``.
    """
    if constant.size == 1:
        return constant.reshape(1)
    position, shape = 1 - value.rank, constant.shape
    along = len(shape) >= -position and shape[position] == value.channels == constant.size
    if along and (not value.vector or value.shape[1:] == (1, 1)):
        return constant.reshape(-1)
    raise UserError(
        f"{named(node)}: {what} of shape {list(shape)}; use one number or one a channel"
    )


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """Value of an attribute of a node; UserError if it is of another kind than ``default``."""
    found = next((a for a in node.attribute if a.name == name), None)
    if found is None:
        return default
    value = helper.get_attribute_value(found)
    if default is not None and not isinstance(value, type(default)):
        raise UserError(f"{named(node)}: {name}={value!r} is no {type(default).__name__}")
    return value


class Walk:
    """One walk over a cleaned model; ``policy`` makes the integers of requantisations."""

    def __init__(
        self, model: ModelWrapper, policy: Policy, input_scale: float, input_offset: float
    ) -> None:
        self.model, self.policy, self.graph = model, policy, Graph()
        self.weights: dict[str, Weights] = {}
        self.values: dict[str, Value] = {}
        source = model.graph.input[0].name
        shape = [int(n) for n in model.get_tensor_shape(source)]
        channels, height, width = (*shape[1:], 1, 1)[:3]
        sizes = (channels, height, width)
        ends = np.zeros(sizes[0], np.int64), np.full(sizes[0], 255)
        term = Term(source, np.array([input_scale]), *ends, DataType["UINT8"])
        offset = np.array([input_offset])
        self.values[source] = Value((term,), offset, sizes, rank=len(shape))
        self.graph.shapes[source] = [1, *sizes]
        self.graph.types[source] = DataType["UINT8"]
        self.source: str = source

    # -- operands ------------------------------------------------------------------------------

    def moved(self, node: NodeProto, index: int = 0) -> Value:
        """The tensor of data that a node reads, its elements perhaps not where they shall be."""
        name = node.input[index] if index < len(node.input) else ""
        if name not in self.values:
            raise UserError(
                f"{named(node)} reads {name or 'nothing'}, which is no data; constants stand "
                "behind the data"
            )
        return self.values[name]

    def pending(self, node: NodeProto, index: int = 0) -> Value:
        """The tensor of data that a node reads, its mean perhaps not taken yet."""
        value = self.moved(node, index)
        return value if value.moved is None else self.gathered(node, value)

    def value(self, node: NodeProto, index: int = 0) -> Value:
        """The tensor of data that a node reads."""
        return self.averaged(self.pending(node, index))

    def anywhere(self, node: NodeProto, alike: bool = True) -> Value:
        """The tensor of data that a node reads; where it treats all elements ``alike``, they may
        be in other places."""
        return self.averaged(self.moved(node) if alike else self.pending(node))

    def averaged(self, value: Value) -> Value:
        """``value`` after the mean that it waits for: the sums of its maps."""
        if value.mean_of is None:
            return value
        pixels = int(np.prod(value.mean_of))
        axes, terms = self.graph.constant(np.array([2, 3], np.int64)), []
        for term in value.terms:
            name = self.graph.add("ReduceSum", [term.tensor, axes], value.shape, keepdims=1)
            terms.append(Term(name, term.scale / pixels, term.low * pixels, term.high * pixels))
        return replace(value, terms=tuple(terms), mean_of=None)

    def constant(self, node: NodeProto, index: int) -> F64Array | None:
        """A constant operand in float64, after its quantiser if it has one."""
        if index >= len(node.input):
            return None
        name = node.input[index]
        if name in self.weights:
            found = self.weights[name]
            return np.asarray(found.integers * found.scale, np.float64)
        values = self.model.get_initializer(name)
        return None if values is None else np.asarray(values, np.float64)

    def settled(self, node: NodeProto, value: Value) -> Value:
        """``value`` with nothing pending but its padding; UserError where an activation waits."""
        if value.bounded:
            raise UserError(
                f"{named(node)} takes what an activation gives without a quantiser; put a "
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

    # -- elements in other places --------------------------------------------------------------

    def gathered(self, node: NodeProto, value: Value) -> Value:
        """``value`` with its elements where the file has them: a convolution of zeros and ones.

        UserError of an order that is none of those.
        """
        value = self.joined(node, self.settled(node, self.averaged(value)))
        term, places = self.one_term(node, value), value.places
        found = None if places is None else gathering(places, value.shape)
        if places is None or found is None or value.pads != NO_PADS or term.datatype is None:
            raise UserError(
                f"{named(node)} takes elements in another order or shape; only a matrix product or "
                "a quantiser does, or an operator behind a quantised map of which whole channels "
                "moved, or blocks of channels, or even rows and columns"
            )
        value = self.repeated(value, found.between, zeros=True)
        weights = self.graph.constant(found.kernel.astype(np.float32), DataType["INT2"])
        tensor = self.graph.add(
            "Conv", [value.terms[0].tensor, weights], places.shape,
            kernel_shape=found.kernel.shape[2:], strides=found.stride, pads=found.pads,
            dilations=[1, 1], group=1,
        )  # fmt: skip
        scale, offset = (
            self._of_sources(node, array, found.sources) for array in (term.scale, value.offset)
        )
        low, high = term.low[found.sources].min(axis=1), term.high[found.sources].max(axis=1)
        moved = self.retyped(Term(tensor, scale, low, high), term.datatype)
        return replace(value, terms=(moved,), offset=offset, shape=places.shape, moved=None)

    def _of_sources(self, node: NodeProto, numbers: F64Array, sources: IntArray) -> F64Array:
        """Of numbers (1,) or (channels,) the one of each output; UserError if it has several."""
        if numbers.size == 1:
            return numbers
        found = numbers[sources]
        if np.ptp(found, axis=1).any():
            raise UserError(
                f"{named(node)} joins channels of unlike scales to one; put a quantiser with one "
                "scale a tensor before it"
            )
        first: F64Array = found[:, 0]
        return first

    def repeated(self, value: Value, scale: Sequence[int], zeros: bool = False) -> Value:
        """Every pixel as a block of ``scale`` rows and columns; with ``zeros`` in its corner, the
        rest of the block zero."""
        if tuple(scale) == (1, 1):
            return value
        parts = tuple(self.repeated(part, scale, zeros) for part in value.parts)
        terms = tuple(self._repeated(term, value.shape, scale, zeros) for term in value.terms)
        channels, height, width = value.shape
        shape = (channels, height * scale[0], width * scale[1])
        return replace(value, terms=terms, parts=parts, shape=shape)

    def _repeated(
        self, term: Term, shape: tuple[int, int, int], scale: Sequence[int], zeros: bool
    ) -> Term:
        channels, height, width = shape
        name = self.graph.add(
            "Upsample", [term.tensor], (channels, height * scale[0], width * scale[1]),
            datatype=term.datatype, domain="hw.ops", backend="fpgadataflow", NumChannels=channels,
            numInputVectors=[1, height, width], Scale=list(scale), zeros=int(zeros),
            inputDataType="INT32" if term.datatype is None else term.datatype.name,
        )  # fmt: skip
        low, high = term.low, term.high
        if zeros:
            low, high = np.minimum(low, 0), np.maximum(high, 0)
        return replace(term, tensor=name, low=low, high=high)

    # -- joins ---------------------------------------------------------------------------------

    def joined(self, node: NodeProto, value: Value) -> Value:
        """The parts of a concatenation as one tensor, a scale a channel."""
        if not value.parts:
            return value
        terms = [self.one_term(node, self.settled(node, part)) for part in value.parts]
        if None in [term.datatype for term in terms]:
            raise UserError(
                f"{named(node)} takes branches of which one has no quantiser; put one behind each"
            )
        kind = narrowest(
            min(int(term.low.min()) for term in terms), max(int(term.high.max()) for term in terms)
        )
        if len({term.datatype for term in terms}) > 1:
            terms = [self.retyped(term, kind) for term in terms]
        sizes = [part.channels for part in value.parts]
        scale = np.concatenate([per_channel(t.scale, n) for t, n in zip(terms, sizes, strict=True)])
        offset = np.concatenate([per_channel(part.offset, part.channels) for part in value.parts])
        term = self.concatenated(terms, value.shape)
        return replace(value, terms=(replace(term, scale=scale),), offset=offset, parts=())

    def retyped(self, term: Term, kind: BaseDataType) -> Term:
        """The same integers as another type, which holds them."""
        if term.datatype == kind:
            return term
        _, channels, height, width = self.graph.shapes[term.tensor]
        one, none = (self.graph.constant(np.array([value])) for value in (1, 0))
        low, high = int(term.low.min()), int(term.high.max())
        if high <= low:
            low, high = int(kind.min()), int(kind.max())
        name = self.graph.add(
            "Requant", [term.tensor, one, none], (channels, height, width), datatype=kind,
            domain="hw.ops", backend="fpgadataflow", NumChannels=channels,
            numInputVectors=[1, height, width], inputDataType="INT32", outputDataType=kind.name,
            shift=0, perChannel=0, clip=[low, high],
        )  # fmt: skip
        return replace(term, tensor=name, datatype=kind)

    def beside(self, values: Sequence[Value]) -> Value:
        """``values`` joined along the channels: one tensor where they are of one scale and type."""
        first = values[0]
        parts = tuple(part for v in values for part in (v.parts or (v,)))
        shape = (sum(v.channels for v in values), *first.shape[1:])
        whole = all(len(p.terms) == 1 and not p.offset.any() and not p.bounded for p in parts)
        if whole and all(
            self.alike(parts[0].terms[0], p.terms[0]) and p.terms[0].scale.size == 1 for p in parts
        ):
            term = self.concatenated([p.terms[0] for p in parts], shape)
            return Value((term,), ZERO, shape, rank=first.rank, pads=first.pads)
        return Value((), ZERO, shape, rank=first.rank, pads=first.pads, parts=parts)

    def concatenated(self, terms: Sequence[Term], shape: tuple[int, int, int]) -> Term:
        """One tensor of ``terms`` of one scale and type."""
        first = terms[0]
        tensors = [term.tensor for term in terms]
        name = self.graph.add("Concat", tensors, shape, datatype=first.datatype, axis=1)
        low, high = (np.concatenate([getattr(t, end) for t in terms]) for end in ("low", "high"))
        return Term(name, first.scale, low, high, first.datatype)

    def merged(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """Terms of one tensor, and those of one scale and type, added up."""
        kept: list[Term] = []
        for term in terms:
            same = next((old for old in kept if old.tensor == term.tensor), None)
            if same is not None:
                kept[kept.index(same)] = replace(same, scale=same.scale + term.scale)
                continue
            twin = next((old for old in kept if self.alike(old, term)), None)
            if twin is None:
                kept.append(term)
                continue
            shape = self.graph.shapes[term.tensor][1:]
            low, high = twin.low + term.low, twin.high + term.high
            wider = _wider(term.datatype)
            name = self.graph.add("Add", [twin.tensor, term.tensor], shape, datatype=wider)
            kept[kept.index(twin)] = Term(name, twin.scale, low, high, wider)
        return tuple(kept)

    def alike(self, a: Term, b: Term) -> bool:
        """Whether two terms are of one scale and type."""
        if a.datatype is None or a.datatype != b.datatype or a.scale.shape != b.scale.shape:
            return False
        return bool((np.abs(a.scale - b.scale) <= self.policy.same * np.abs(a.scale)).all())

    def unpadded(self, node: NodeProto, value: Value) -> Value:
        """``value``; UserError where a padding waits."""
        if value.pads != NO_PADS:
            raise UserError(f"{named(node)} stands behind a padding; pad before a convolution")
        return value


def _wider(datatype: BaseDataType | None) -> BaseDataType | None:
    """Of the sum of two."""
    if datatype is None:
        return None
    return DataType[f"{'INT' if datatype.signed() else 'UINT'}{datatype.bitwidth() + 1}"]
