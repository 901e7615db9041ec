# SPDX-License-Identifier: Apache-2.0
"""What a tensor of the file is on integers, and the graph of integers that is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError
from hw.ops.layers import set_layer

Curve = Callable[[F64Array], F64Array]  #: on arrays (..., channels)
MOST_ELEMENTS = 1 << 28  #: of a tensor
OPSET = 17  #: of ONNX, for the operators of the integer graph
NO_PADS = (0, 0, 0, 0)  #: top, left, bottom, right


@dataclass(frozen=True)
class Term:
    """A tensor of the integer graph with what one of it is worth."""

    tensor: str
    scale: F64Array
    """(channels,), or (1,) for all."""
    low: IntArray
    """Least integer of each channel, (channels,)."""
    high: IntArray
    datatype: BaseDataType | None = None
    """None for sums."""


@dataclass(frozen=True)
class Value:
    """A tensor of the file: ``sum(scale * integers) + offset``, clipped where limits are pending.

    A vector of the file is a map of one pixel, or a map that was flattened; what has channels and a
    length is a map of one column or row.
    """

    terms: tuple[Term, ...]
    offset: F64Array
    """(channels,), or (1,) for all."""
    shape: tuple[int, int, int]
    """Channels, height, width."""
    limits: tuple[float, float] = (-np.inf, np.inf)
    """To which the next quantiser clips."""
    curve: Curve | None = None
    """Function, other than a clip, that the next quantiser takes of it."""
    mean_of: tuple[int, int] | None = None
    """Height and width of the maps of its terms, whose mean it is; None where it is taken."""
    rank: int = 4
    """Dimensions of it in the file, one of them the batch."""
    moved: IntArray | None = None
    """Where its elements stand in the map that ``shape`` describes, in the shape of the file; None
    where they stand as they did."""
    pads: tuple[int, ...] = NO_PADS
    """Pixels of zeros around it that the next operator adds."""
    parts: tuple[Value, ...] = ()
    """Values of unlike scales or types that are joined along the channels; then without terms."""

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def vector(self) -> bool:
        """Whether it has no height and width in the file."""
        return self.rank == 2

    @property
    def elements(self) -> IntArray:
        """``moved``, also where they stand as they did."""
        if self.moved is not None:
            return self.moved
        channels = self.shape[0]
        shape = {2: (1, -1), 3: (1, channels, -1)}.get(self.rank, (1, *self.shape))
        return np.arange(prod(self.shape)).reshape(shape)

    @property
    def places(self) -> IntArray | None:
        """``elements`` as a map (channels, height, width); None where they are none."""
        batch, *shape = self.elements.shape
        flat = len(shape) == 1 and self.shape[1:] != (1, 1)
        if batch != 1 or len(shape) not in (1, 2, 3) or flat:
            return None
        channels, *sides = shape
        return self.elements.reshape(channels, *(self.sides(sides, 1) if sides else (1, 1)))

    def rearranged(self, elements: IntArray) -> Value:
        """The same with its elements in other places, as ``elements`` has them."""
        count = prod(self.shape)
        sizes = [[count], *([self.shape[0], *size] for size in self._sizes)]
        straight = np.array_equal(elements.reshape(-1), np.arange(count))
        as_before = straight and elements.shape[0] == 1 and [*elements.shape[1:]] in sizes
        return replace(self, rank=elements.ndim, moved=None if as_before else elements)

    def sides(self, numbers: Sequence[int], other: int) -> list[int]:
        """``numbers`` for height and width; those of a length are for its side, ``other`` for the
        other."""
        if self.rank != 3:
            return [*numbers]
        in_row = self.shape[1] == 1 < self.shape[2]
        return [n for number in numbers for n in ((other, number) if in_row else (number, other))]

    @property
    def order(self) -> IntArray | None:
        """Of each channel of the file the one that it is; None where not whole channels moved."""
        pixels = self.shape[1] * self.shape[2]
        batch, *shape = self.elements.shape
        if batch != 1 or (shape[1:] and shape[1:] not in self._sizes):
            return None
        rows = self.elements.reshape(shape[0], -1)
        if rows.shape[1] != pixels or (rows != rows[:, :1] + np.arange(pixels)).any():
            return None
        order: IntArray = rows[:, 0] // pixels
        return order if (rows[:, 0] % pixels == 0).all() else None

    @property
    def _sizes(self) -> list[list[int]]:
        """Shapes behind the channels that are those of the map."""
        height, width = self.shape[1:]
        return [[height, width], *([[height * width]] if min(height, width) == 1 else [])]

    @property
    def bounded(self) -> bool:
        """Whether an activation is pending."""
        if self.parts:
            return any(part.bounded for part in self.parts)
        return self.curve is not None or self.limits != (-np.inf, np.inf)

    @property
    def waiting(self) -> Curve:
        """The activation that is pending, as a function."""
        low, high = self.limits
        return self.curve or (lambda x: np.clip(x, low, high))

    @property
    def quantised(self) -> bool:
        """Whether it is one tensor from a quantiser."""
        return len(self.terms) == 1 and self.terms[0].datatype is not None

    def split(self, array: F64Array) -> list[F64Array]:
        """Of numbers (1,) or (channels,) those of each part."""
        if array.size == 1:
            return [array] * len(self.parts)
        return np.split(array, np.cumsum([part.channels for part in self.parts])[:-1])

    def through(self, function: Curve) -> Value:
        """``function``, the same for all channels, of it, pending."""
        if self.parts:
            return replace(self, parts=tuple(part.through(function) for part in self.parts))
        before = self.waiting
        return replace(self, limits=(-np.inf, np.inf), curve=lambda x: function(before(x)))

    def affine(self, factor: F64Array, offset: F64Array) -> Value:
        """``self * factor + offset``, each for all channels or (channels,)."""
        if self.parts:
            numbers = zip(self.parts, self.split(factor), self.split(offset), strict=True)
            return replace(self, parts=tuple(p.affine(f, o) for p, f, o in numbers))
        terms = tuple(replace(term, scale=term.scale * factor) for term in self.terms)
        return replace(self, terms=terms, offset=self.offset * factor + offset)


def per_channel(values: npt.NDArray[Any], channels: int) -> npt.NDArray[Any]:
    """(channels,) of (1,) or (channels,)."""
    return np.broadcast_to(values, (channels,))


@dataclass
class Graph:
    """Integer graph under construction, channels first; every tensor is a map (1, C, H, W)."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    types: dict[str, BaseDataType] = field(default_factory=dict)

    def constant(self, values: npt.NDArray[Any], datatype: BaseDataType | None = None) -> str:
        """Name of a new constant."""
        name = f"integers_constant_{len(self.constants)}"
        self.constants[name] = np.asarray(values)
        if datatype is not None:
            self.types[name] = datatype
        return name

    def add(
        self, op_type: str, inputs: Sequence[str], shape: Sequence[int], layer: str = "",
        datatype: BaseDataType | None = None, **attributes: Any,
    ) -> str:  # fmt: skip
        """A node of one output of ``shape`` (C, H, W); the name of that tensor.

        UserError if that has more than MOST_ELEMENTS.
        """
        if prod(shape) > MOST_ELEMENTS:
            raise UserError(
                f"{op_type} of the integer graph gives {list(shape)}, more than {MOST_ELEMENTS} "
                "elements; look at pads, strides and scales"
            )
        name: str = f"integers_{len(self.nodes)}"
        node = helper.make_node(op_type, list(inputs), [name], **attributes)
        set_layer(node, layer)
        self.nodes.append(node)
        self.shapes[name] = [1, *shape]
        if datatype is not None:
            self.types[name] = datatype
        return name

    def model(self, source: str, sink: str) -> ModelWrapper:
        """From the input ``source`` to the output ``sink``."""
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])
            for name in (source, sink)
        ]
        graph = helper.make_graph(self.nodes, "integers", ends[:1], ends[1:])
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("hw.ops", 1)]
        model = ModelWrapper(qonnx_make_model(graph, opset_imports=opsets))
        for name, values in self.constants.items():
            model.set_initializer(name, values)
        for name, shape in self.shapes.items():
            model.set_tensor_shape(name, shape)
        for name, datatype in self.types.items():
            model.set_tensor_datatype(name, datatype)
        return model


def narrowest(low: int, high: int) -> BaseDataType:
    """Type of fewest bits, 2 to be stored, that holds ``low``..``high``."""
    if low >= 0:
        return DataType[f"UINT{max(high.bit_length(), 1)}"]
    return DataType[f"INT{max((-low - 1).bit_length(), high.bit_length()) + 1}"]
