# SPDX-License-Identifier: Apache-2.0
"""The integer network of a QONNX file: the one reference that everything downstream must equal.

The graph is walked once in float64. Every tensor is tracked as ``integer * multiplier + offset``;
at each activation Quant this becomes the integers of a requantisation. What remains is a list of
steps on integers, evaluated exactly and vectorised over images. Tensor names are those of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from torch import Tensor

from host.common.accumulators import landmarks_of
from host.common.arrays import Accumulators, F32Array, F64Array, I8Array, Images, IntArray, Points
from host.common.errors import UserError
from hw.ops.grid_peak import HALVINGS
from hw.ops.requant import RequantParams, quantise_affine
from model.export.qonnx import QuantInfo, attribute, constant, describe, load_qonnx, quant_info
from model.network.grid import PARTS

EXACT_FLOAT32 = 1 << 24  #: integers up to here are exact in float32
SAME = 1e-5  #: relative difference up to which two scales count as one
Tensors = dict[str, Tensor]


def _exact_dtype(weights: I8Array) -> torch.dtype:
    """Float type in which every partial sum of products with 8-bit data is an exact integer."""
    bound = 255 * np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1).max()
    return torch.float32 if bound < EXACT_FLOAT32 else torch.float64


# -- steps: each reads and writes integer tensors by name ------------------------------------------


@dataclass(frozen=True)
class Convolve:
    """``output`` = accumulators of a convolution; weights (O, I / groups, kh, kw) as integers."""

    source: str
    output: str
    weights: I8Array
    stride: int
    padding: int
    groups: int

    def run(self, tensors: Tensors) -> Tensor:
        """Accumulators (N, O, H, W) of the source (N, I, H, W)."""
        dtype = _exact_dtype(self.weights)
        data, weights = tensors[self.source].to(dtype), torch.from_numpy(self.weights).to(dtype)
        if self.groups > 1:
            return self._depthwise(data, weights).long()
        return functional.conv2d(data, weights, None, self.stride, self.padding).long()

    def _depthwise(self, data: Tensor, weights: Tensor) -> Tensor:
        data = functional.pad(data, [self.padding] * 4)
        height, width = weights.shape[2:]
        rows = (data.shape[2] - height) // self.stride + 1
        columns = (data.shape[3] - width) // self.stride + 1
        acc = torch.zeros(*data.shape[:2], rows, columns, dtype=data.dtype)
        for y in range(height):
            for x in range(width):
                window = data[:, :, y :: self.stride, x :: self.stride][:, :, :rows, :columns]
                acc.addcmul_(window, weights[:, 0, y, x, None, None])
        return acc


@dataclass(frozen=True)
class Requantise:
    """``output`` = clip((source * scale + bias) >> shift, low, high), channels on axis 1."""

    source: str
    output: str
    params: RequantParams
    low: int
    high: int

    def run(self, tensors: Tensors) -> Tensor:
        """Requantised integers, in the source's shape."""
        data = tensors[self.source]
        shape = (1, -1) + (1,) * (data.dim() - 2)
        scale = torch.from_numpy(self.params.scale).view(shape)
        bias = torch.from_numpy(self.params.bias).view(shape)
        wide = data.mul(scale).add_(bias).bitwise_right_shift_(self.params.shift)
        return wide.clamp_(self.low, self.high)


@dataclass(frozen=True)
class Add:
    """``output`` = first + second."""

    first: str
    second: str
    output: str

    def run(self, tensors: Tensors) -> Tensor:
        """Sum of the two tensors."""
        return tensors[self.first] + tensors[self.second]


@dataclass(frozen=True)
class SumPixels:
    """``output`` (N, C, 1, 1) = sum over all pixels of ``source``."""

    source: str
    output: str

    def run(self, tensors: Tensors) -> Tensor:
        """Sums (N, C, 1, 1) of the source (N, C, H, W)."""
        return tensors[self.source].sum(dim=(2, 3), keepdim=True)


@dataclass(frozen=True)
class Flatten:
    """``output`` (N, C) = ``source`` (N, C, 1, 1)."""

    source: str
    output: str

    def run(self, tensors: Tensors) -> Tensor:
        """The source without its two pixel axes."""
        return tensors[self.source].flatten(1)


@dataclass(frozen=True)
class Concatenate:
    """``output`` = ``sources`` one after the other along the channels."""

    sources: tuple[str, ...]
    output: str

    def run(self, tensors: Tensors) -> Tensor:
        """The sources joined along axis 1."""
        return torch.cat([tensors[name] for name in self.sources], 1)


@dataclass(frozen=True)
class Multiply:
    """``output`` (N, outputs) = ``source`` (N, inputs) @ weights.T, weights (outputs, inputs)."""

    source: str
    output: str
    weights: I8Array

    def run(self, tensors: Tensors) -> Tensor:
        """Accumulators (N, outputs) of the source (N, inputs)."""
        weights = torch.from_numpy(self.weights).double()
        return (tensors[self.source].double() @ weights.T).long()


@dataclass(frozen=True)
class Peak:
    """``output`` (N, 2 P) = places of the best cells of ``source`` (N, 3 P, H, W).

    The channels are those of model.network.grid. A cell's place is its column or row times
    ``steps`` (P, 2) plus its offset. The answer is

        place + ((other - place) >> (1 + min(HALVINGS, (score - second) >> shifts)))

    with place and score of the cell with the largest score, and other and second those of the
    second largest; ``shifts`` (P,). Of equal scores the first in raster order is the larger one.
    """

    source: str
    output: str
    steps: npt.NDArray[np.int64]
    shifts: npt.NDArray[np.int64]

    def run(self, tensors: Tensors) -> Tensor:
        """Places x0, y0, x1, y1, ... (N, 2 P)."""
        cells = tensors[self.source].numpy()
        parts = cells.reshape(len(cells), -1, PARTS, cells.shape[2] * cells.shape[3])
        order = np.argsort(-parts[:, :, 0], axis=2, kind="stable")[:, :, None, :2]
        scores, *offsets = np.moveaxis(np.take_along_axis(parts, order, 3), 2, 0)
        corners = np.stack(np.divmod(order[:, :, 0], cells.shape[3])[::-1], -1)
        places = corners * self.steps[:, None] + np.stack(offsets, -1)
        halvings = (scores[..., 0] - scores[..., 1]) >> self.shifts
        way = places[:, :, 1] - places[:, :, 0]
        moved = places[:, :, 0] + (way >> (1 + halvings.clip(max=HALVINGS))[..., None])
        return torch.from_numpy(moved).flatten(1)


Step = Convolve | Requantise | Add | SumPixels | Flatten | Concatenate | Multiply | Peak


@dataclass(frozen=True)
class Result:
    """Of N images: accumulators int32 (N, 196), landmarks float64 (N, 98, 2), kept tensors."""

    accumulators: Accumulators
    landmarks: Points
    tensors: dict[str, IntArray]


@dataclass(frozen=True)
class IntegerNetwork:
    """Integer steps from the camera byte ``image`` to ``accumulators``, then the host's affine."""

    image: str
    image_shape: tuple[int, int]
    steps: tuple[Step, ...]
    accumulators: str
    out_scale: F64Array
    out_bias: F64Array

    def landmarks(self, accumulators: npt.NDArray[np.integer]) -> F64Array:
        """Fractions of the crop (N, points, 2) of accumulators (N, 2 * points)."""
        return landmarks_of(accumulators, self.out_scale, self.out_bias)

    def run(self, images: Images, keep: Collection[str] = (), batch: int = 8) -> Result:
        """Evaluate ``images`` uint8 (N, H, W); tensors named in ``keep`` come back as int64 NCHW.

        UserError for images of another type or size, for a name that no step writes, and for
        accumulators beyond 32 bits.
        """
        self._check(images, keep)
        names = {self.accumulators, *keep}
        parts = [
            self._run_batch(images[i : i + batch], names) for i in range(0, len(images), batch)
        ]
        joined = {n: torch.cat([p[n] for p in parts]).numpy() for n in names}
        acc = _in_32_bits(joined[self.accumulators], self.accumulators)
        return Result(acc, self.landmarks(acc), {n: joined[n] for n in keep})

    def _run_batch(self, images: Images, names: Collection[str]) -> Tensors:
        tensors = {self.image: torch.from_numpy(images.astype(np.int64))[:, None]}
        for step in self.steps:
            tensors[step.output] = step.run(tensors)
        return {n: tensors[n] for n in names}

    def _check(self, images: Images, keep: Collection[str]) -> None:
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape or not len(images):
            raise UserError(
                f"images are {images.dtype} of shape {images.shape}; the network needs uint8 "
                f"(N, {self.image_shape[0]}, {self.image_shape[1]}) with N >= 1"
            )
        unknown = set(keep) - {self.image} - {s.output for s in self.steps}
        if unknown:
            raise UserError(f"no step of the integer network writes {', '.join(sorted(unknown))}")


# -- from the file to the steps --------------------------------------------------------------------


def _in_32_bits(values: IntArray, name: str) -> Accumulators:
    """The same integers as int32; UserError where one is larger."""
    most = np.iinfo(np.int32).max
    if (worst := np.abs(values).max()) > most:
        raise UserError(
            f"{name} reaches {worst}, beyond {most} of 32 bits; make the file with "
            "`python -m model export`"
        )
    return values.astype(np.int32)


@dataclass(frozen=True)
class _Affine:
    """A float tensor of the file as ``tensor * multiplier + offset`` per channel."""

    tensor: str
    multiplier: F64Array
    offset: F64Array
    rectified: bool = False


class _Tracer:
    """Walks the graph and collects the integer steps."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.steps: list[Step] = []
        self.image = ""
        self.values: dict[str, _Affine] = {}
        self.weights: dict[str, tuple[I8Array, F64Array]] = {}
        self.handlers: dict[str, Callable[[NodeProto], _Affine | None]] = {
            "Quant": self.quant,
            "Conv": self.conv,
            "BatchNormalization": self.batch_norm,
            "Relu": self.relu,
            "Add": self.add,
            "GlobalAveragePool": self.pool,
            "Flatten": self.flatten,
            "Concat": self.concat,
            "Gemm": self.gemm,
        }

    def trace(self) -> IntegerNetwork:
        graph = self.model.graph
        for node in graph.node:
            handler = self.handlers.get(node.op_type)
            if handler is None:
                raise UserError(
                    f"{describe(node)} has no integer form; the format knows "
                    f"{', '.join(sorted(self.handlers))}"
                )
            value = handler(node)
            if value is not None:
                self.values[node.output[0]] = value
        shape = self.model.get_tensor_shape(graph.input[0].name)
        result = self.value(graph.output[0].name)
        cells = self.model.get_tensor_shape(graph.output[0].name)
        if len(cells) == 4:
            result = self.peak(result, cells)
        out_scale, out_bias = np.broadcast_arrays(result.multiplier, result.offset)
        return IntegerNetwork(
            self.image, (shape[2], shape[3]), tuple(self.steps), result.tensor, out_scale, out_bias
        )

    # -- reading -----------------------------------------------------------------------------------

    def value(self, name: str) -> _Affine:
        """Affine form of a float tensor; UserError if nothing quantised leads to it."""
        if name not in self.values:
            raise UserError(f"tensor {name} is used before a Quant node gave it a scale")
        return self.values[name]

    def integer(self, name: str, node: NodeProto) -> _Affine:
        """Form of an operand that must be integers times one scale."""
        value = self.value(name)
        if value.multiplier.size != 1 or np.any(value.offset != 0) or value.rectified:
            raise UserError(f"{describe(node)}: its input {name} does not come from a Quant node")
        return value

    def weight(self, node: NodeProto) -> tuple[I8Array, F64Array]:
        """Integer weights of ``node`` and their scale per output channel."""
        if node.input[1] not in self.weights:
            raise UserError(f"{describe(node)}: its weights {node.input[1]} are not quantised")
        return self.weights[node.input[1]]

    def same_scale(self, names: Collection[str], node: NodeProto) -> list[_Affine]:
        """Forms of operands that must share one scale."""
        values = [self.integer(name, node) for name in names]
        scales = np.concatenate([v.multiplier for v in values])
        if np.ptp(scales) > SAME * scales.max():
            found = ", ".join(f"{s:g}" for s in scales)
            raise UserError(
                f"{describe(node)}: its inputs have the scales {found}; they must share one "
                "quantiser"
            )
        return values

    # -- one method an operation -------------------------------------------------------------------

    def quant(self, node: NodeProto) -> _Affine | None:
        info = quant_info(self.model, node)
        source = self.model.get_initializer(node.input[0])
        if source is not None:
            self.weights[node.output[0]] = _integer_weights(source, info, node)
            return None
        if info.scale.size != 1:
            raise UserError(f"{describe(node)}: activations need one scale, not {info.scale.size}")
        scale = info.scale.reshape(1)
        if node.input[0] == self.model.graph.input[0].name:
            if abs(scale[0] * 255 - 1) > SAME or (info.low, info.high) != (0, 255):
                raise UserError(f"{describe(node)}: the image must be UINT8 with scale 1/255")
            self.image = node.output[0]
        else:
            self.requantise(node, self.value(node.input[0]), scale, info)
        return _Affine(node.output[0], scale, np.zeros(1))

    def requantise(self, node: NodeProto, value: _Affine, scale: F64Array, info: QuantInfo) -> None:
        params = quantise_affine(value.multiplier / scale, value.offset / scale)
        low = max(info.low, 0) if value.rectified else info.low
        self.steps.append(Requantise(value.tensor, node.output[0], params, low, info.high))

    def conv(self, node: NodeProto) -> _Affine:
        source, (weights, scale) = self.integer(node.input[0], node), self.weight(node)
        strides, pads = attribute(node, "strides"), attribute(node, "pads")
        groups = attribute(node, "group", 1)
        last = node.output[0] == self.model.graph.output[0].name
        if (len(node.input) > 2 and not last) or len({*strides}) > 1 or len({*pads}) > 1:
            raise UserError(f"{describe(node)}: needs no bias, one stride and one padding")
        if groups not in (1, len(weights)):
            raise UserError(f"{describe(node)}: {groups} groups; use 1 or {len(weights)}")
        self.steps.append(
            Convolve(source.tensor, node.output[0], weights, strides[0], pads[0], groups)
        )
        bias = np.zeros(len(weights))
        if len(node.input) > 2:
            bias = constant(self.model, node, 2, "bias")
        return _Affine(node.output[0], source.multiplier * scale, bias)

    def peak(self, cells: _Affine, shape: list[int]) -> _Affine:
        """Places of the best cells in the last map, with what makes fractions of the crop of them.

        The bias of a score is the same in all cells, no place hangs on it.
        """
        scale, bias = (v.reshape(-1, PARTS) for v in (cells.multiplier, cells.offset))
        steps, shifts = np.rint(1 / scale[:, 1:]), np.rint(-np.log2(scale[:, 0]))
        if np.abs(steps * scale[:, 1:] - 1).max() > SAME:
            raise UserError(
                f"{cells.tensor}: a cell is no whole number of steps of its offsets; make the file "
                "with `python -m model export`"
            )
        if np.abs(scale[:, 0] * np.exp2(shifts) - 1).max() > SAME or shifts.min() < 0:
            raise UserError(
                f"{cells.tensor}: the scale of a score is no power of two up to 1; make the file "
                "with `python -m model export`"
            )
        sides = np.array([shape[3], shape[2]])
        output = f"{cells.tensor}_peak"
        whole = (values.astype(np.int64) for values in (steps, shifts))
        self.steps.append(Peak(cells.tensor, output, *whole))
        bias = bias[:, 1:]
        return _Affine(output, (1 / (steps * sides)).ravel(), ((bias + 0.5) / sides).ravel())

    def batch_norm(self, node: NodeProto) -> _Affine:
        value = self.value(node.input[0])
        gain, offset = batch_norm_affine(self.model, node)
        return replace(
            value, multiplier=value.multiplier * gain, offset=value.offset * gain + offset
        )

    def relu(self, node: NodeProto) -> _Affine:
        return replace(self.value(node.input[0]), rectified=True)

    def add(self, node: NodeProto) -> _Affine:
        first, second = self.same_scale(node.input, node)
        self.steps.append(Add(first.tensor, second.tensor, node.output[0]))
        return replace(first, tensor=node.output[0])

    def pool(self, node: NodeProto) -> _Affine:
        value = self.integer(node.input[0], node)
        self.steps.append(SumPixels(value.tensor, node.output[0]))
        pixels = pool_pixels(self.model, node)
        return replace(value, tensor=node.output[0], multiplier=value.multiplier / pixels)

    def flatten(self, node: NodeProto) -> _Affine:
        value = self.value(node.input[0])
        self.steps.append(Flatten(value.tensor, node.output[0]))
        return replace(value, tensor=node.output[0])

    def concat(self, node: NodeProto) -> _Affine:
        values = self.same_scale(node.input, node)
        self.steps.append(Concatenate(tuple(v.tensor for v in values), node.output[0]))
        return replace(values[0], tensor=node.output[0])

    def gemm(self, node: NodeProto) -> _Affine:
        source, (weights, scale) = self.integer(node.input[0], node), self.weight(node)
        if attribute(node, "transB") != 1 or attribute(node, "transA", 0) != 0:
            raise UserError(f"{describe(node)}: needs transA = 0 and transB = 1")
        bias = constant(self.model, node, 2, "bias")
        self.steps.append(Multiply(source.tensor, node.output[0], weights))
        return _Affine(node.output[0], source.multiplier * scale, bias)


def _integer_weights(
    values: F32Array, info: QuantInfo, node: NodeProto
) -> tuple[I8Array, F64Array]:
    """Integers of a weight tensor, outputs first, and the scale per output (or one for all)."""
    scale = info.scale.reshape(-1)
    if scale.size not in (1, len(values)) or info.scale.shape[:1] not in ((), (1,), (scale.size,)):
        raise UserError(
            f"{describe(node)}: weight scales of shape {info.scale.shape} for weights of shape "
            f"{values.shape}; use one scale or one an output channel"
        )
    steps = np.rint(values / info.scale)
    return np.clip(steps, info.low, info.high).astype(np.int8), np.broadcast_to(scale, len(values))


def batch_norm_affine(model: ModelWrapper, node: NodeProto) -> tuple[F64Array, F64Array]:
    """Gain and offset per channel of a BatchNormalization node."""
    gamma, beta, mean, var = (
        constant(model, node, i + 1, what)
        for i, what in enumerate(("scale", "bias", "mean", "var"))
    )
    gain = gamma / np.sqrt(var + float(attribute(node, "epsilon", 1e-5)))
    return gain, beta - mean * gain


def pool_pixels(model: ModelWrapper, node: NodeProto) -> int:
    """Pixels that a GlobalAveragePool averages over."""
    shape = model.get_tensor_shape(node.input[0])
    if not shape or len(shape) != 4:
        raise UserError(f"{describe(node)}: the shape of its input is unknown; run qonnx's cleanup")
    return int(shape[2] * shape[3])


def integer_network(model: ModelWrapper | Path) -> IntegerNetwork:
    """Integer network of a QONNX model or file.

    UserError for a file that is no QONNX model, an operation outside the format, operands without
    a scale, and operands of an add or a concatenation with unequal scales.
    """
    return _Tracer(load_qonnx(model) if isinstance(model, Path) else model).trace()
