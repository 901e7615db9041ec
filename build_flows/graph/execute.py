# SPDX-License-Identifier: Apache-2.0
"""A QONNX file as it is written, computed in float64: the reference of a network of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.quant import max_int, min_int

from build_flows.graph.rounding_modes import ROUNDINGS, round_even, sign
from build_flows.graph.window import pads_of, spread, without_groups
from host.common.arrays import F64Array

QUANT_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")


class Quant(OpRun):
    """QONNX' quantiser."""

    op_domain = QUANT_DOMAINS[0]

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], scale: npt.NDArray[Any], zero: npt.NDArray[Any],
        bits: npt.NDArray[Any], signed: int = 1, narrow: int = 0, rounding_mode: str = "ROUND",
    ) -> tuple[F64Array]:  # fmt: skip
        low, high = (f(bool(signed), bool(narrow), float(bits)) for f in (min_int, max_int))
        rounding = ROUNDINGS[rounding_mode.upper()]
        integers = rounding(x / scale + zero).clip(float(low), float(high))
        return ((integers - zero) * scale,)


class IntQuant(Quant):
    """Its newer name."""


class BipolarQuant(OpRun):
    """QONNX' quantiser of one bit; what is within 1e-9 of its scale of zero is zero."""

    op_domain = QUANT_DOMAINS[0]

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], scale: npt.NDArray[Any]
    ) -> tuple[F64Array]:
        return (sign(x / scale) * scale,)


class Trunc(OpRun):
    """QONNX' dropping of lower bits: version 1 with four more inputs, 2 with a scale of its own."""

    op_domain = QUANT_DOMAINS[0]

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], scale: npt.NDArray[Any], zero: npt.NDArray[Any],
        bits: npt.NDArray[Any], *rest: npt.NDArray[Any], signed: int = 1, narrow: int = 0,
        rounding_mode: str = "FLOOR",
    ) -> tuple[F64Array]:  # fmt: skip
        *given, left = (float(array) for array in rest)
        ratio = 2.0 ** np.rint(np.log2(given[0] / scale)) if given else 2.0 ** (bits - left)
        codes = ROUNDINGS[rounding_mode.upper()](round_even(x / scale + zero) / ratio)
        if given:
            low, high = (f(bool(signed), bool(narrow), left) for f in (min_int, max_int))
            codes = codes.clip(float(low), float(high))
            return ((codes - zero / ratio) * given[0],)
        return ((codes - zero) * scale,)


class BatchNormalization(OpRun):
    """As at run time; the evaluator's own takes the statistics of the batch in older opsets."""

    op_domain = ""

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], gamma: npt.NDArray[Any], beta: npt.NDArray[Any],
        mean: npt.NDArray[Any], variance: npt.NDArray[Any], epsilon: float = 1e-5, **_: object,
    ) -> tuple[F64Array]:  # fmt: skip
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        factor = gamma / np.sqrt(variance + epsilon)
        return (x * factor.reshape(shape) + (beta - mean * factor).reshape(shape),)


class Sliding(OpRun):
    """Weights over height and width; a length is a height of one column."""

    op_domain = ""

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], bias: npt.NDArray[Any] | None = None,
        **attributes: Any,
    ) -> tuple[F64Array]:  # fmt: skip
        if x.ndim == 3:
            column = {name: _column(attributes.get(name), n) for name, n in COLUMN.items()}
            sums = self._sums(x[..., None], w[..., None], **(attributes | column))[..., 0]
        else:
            sums = self._sums(x, w, **attributes)
        return (sums if bias is None else sums + bias.reshape(-1, *(1 for _ in x.shape[2:])),)

    def _sums(self, x: npt.NDArray[Any], w: npt.NDArray[Any], **attributes: Any) -> F64Array:
        raise NotImplementedError


COLUMN = {"dilations": 1, "output_padding": 0, "pads": 0, "strides": 1}
"""Attributes with a number a side, and that of the side of one pixel."""


def _column(numbers: Sequence[int] | None, other: int) -> list[int] | None:
    """Numbers of a length for height and width."""
    return None if numbers is None else [n for number in numbers for n in (number, other)]


class Conv(Sliding):
    """The evaluator's own pads wrongly where the padding has a name."""

    def _sums(  # type: ignore[override]
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], auto_pad: str = "NOTSET",
        dilations: Sequence[int] | None = None, group: int = 1,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None, **_: object,
    ) -> F64Array:  # fmt: skip
        kernel = spread(without_groups(w, group), dilations or (1, 1))
        down, along = strides or (1, 1)
        size = kernel.shape[2:]
        top, left, bottom, right = pads_of(auto_pad, pads, x.shape[2:], size, (down, along))
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
        taps = sliding_window_view(x, size, axis=(2, 3))[:, :, ::down, ::along]
        found: F64Array = np.einsum("nchwij,ocij->nohw", taps, kernel, optimize=True)
        return found


class ConvTranspose(Sliding):
    """The evaluator's own fails with groups of several channels."""

    def _sums(  # type: ignore[override]
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], dilations: Sequence[int] | None = None,
        group: int = 1, output_padding: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None, **_: object,
    ) -> F64Array:  # fmt: skip
        (down, along), (rows, columns) = strides or (1, 1), dilations or (1, 1)
        (height, width), kernel = x.shape[2:], w.shape[2:]
        sides = ((height - 1) * down + 1, (width - 1) * along + 1)
        ends = output_padding or (0, 0)
        size = (sides[0] + (kernel[0] - 1) * rows + ends[0],
                sides[1] + (kernel[1] - 1) * columns + ends[1])  # fmt: skip
        sums = np.zeros((len(x), w.shape[1] * group, *size))
        for i, j in np.ndindex(*kernel):
            taps = np.split(w[:, :, i, j], group)
            maps = np.split(x, group, axis=1)
            part = [np.einsum("nchw,co->nohw", m, t) for m, t in zip(maps, taps, strict=True)]
            top, left = i * rows, j * columns
            sums[:, :, top : top + sides[0] : down, left : left + sides[1] : along] += (
                np.concatenate(part, axis=1)
            )
        top, left, bottom, right = pads or (0, 0, 0, 0)
        return sums[:, :, top : size[0] - bottom, left : size[1] - right]


class Pooling(OpRun):
    """Windows over height and width, or over a length; what does not count in them is no number.

    The evaluator's own pads wrongly where the padding has a name.
    """

    op_domain = ""

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], kernel_shape: Sequence[int], **attributes: Any
    ) -> tuple[F64Array]:
        if x.ndim == 3:
            column = {name: _column(attributes.get(name), n) for name, n in COLUMN.items()}
            windows = self._windows(x[..., None], (*kernel_shape, 1), **(attributes | column))
            return (self._reduced(windows)[..., 0],)
        return (self._reduced(self._windows(x, kernel_shape, **attributes)),)

    def _windows(
        self, x: npt.NDArray[Any], taps: Sequence[int], auto_pad: str = "NOTSET",
        ceil_mode: int = 0, count_include_pad: int = 0, dilations: Sequence[int] | None = None,
        pads: Sequence[int] | None = None, strides: Sequence[int] | None = None, **_: object,
    ) -> npt.NDArray[Any]:  # fmt: skip
        """(N, channels, rows, columns, taps down, taps along)."""
        (down, along), (rows, columns) = strides or (1, 1), dilations or (1, 1)
        size = ((taps[0] - 1) * rows + 1, (taps[1] - 1) * columns + 1)
        top, left, bottom, right = pads_of(auto_pad, pads, x.shape[2:], size, (down, along))
        around = 0.0 if count_include_pad else np.nan
        sides, behind = ((0, 0), (0, 0), (top, bottom), (left, right)), [(0, 0), (0, 0)]
        for length, (first, last), n, step in zip(
            x.shape[2:], sides[2:], size, (down, along), strict=True
        ):
            spare = (first + length + last - n) % step
            begins = first + length + last - n - spare + step  # of one more window
            fits = ceil_mode and spare and begins < first + length
            behind.append((0, step - spare if fits else 0))
        x = np.pad(np.pad(x, sides, constant_values=around), behind, constant_values=np.nan)
        windows = sliding_window_view(x, size, axis=(2, 3))[:, :, ::down, ::along]
        return windows[..., ::rows, ::columns]

    def _reduced(self, windows: npt.NDArray[Any]) -> F64Array:
        raise NotImplementedError


class MaxPool(Pooling):
    """The largest; without the place where it stands."""

    def _reduced(self, windows: npt.NDArray[Any]) -> F64Array:
        found: F64Array = np.nanmax(windows, axis=(-2, -1))
        return found


class AveragePool(Pooling):
    """The mean."""

    def _reduced(self, windows: npt.NDArray[Any]) -> F64Array:
        found: F64Array = np.nanmean(windows, axis=(-2, -1))
        return found


class Resize(OpRun):
    """To the nearest element; the evaluator's own goes from one to the next in Python."""

    op_domain = ""

    def _run(  # type: ignore[override]
        self, x: npt.NDArray[Any], roi: npt.NDArray[Any] | None = None,
        scales: npt.NDArray[Any] | None = None, sizes: npt.NDArray[Any] | None = None,
        coordinate_transformation_mode: str = "half_pixel",
        nearest_mode: str = "round_prefer_floor", **_: object,
    ) -> tuple[npt.NDArray[Any]]:  # fmt: skip
        given = sizes if sizes is not None and len(sizes) else None
        factors = scales if scales is not None else roi  # the latter in opset 10
        for axis, length in enumerate(x.shape):
            count = int(length * factors[axis] if given is None else given[axis])  # type: ignore[index]
            places, scale = np.arange(count), count / length
            if coordinate_transformation_mode == "align_corners":
                at = places * ((length - 1) / max(count - 1, 1))
            elif coordinate_transformation_mode == "asymmetric":
                at = places / scale
            else:
                at = (places + 0.5) / scale - 0.5
            nearest = NEAREST[nearest_mode](at).clip(0, length - 1).astype(np.int64)
            x = x.take(nearest, axis)
        return (x,)


NEAREST: dict[str, Callable[[F64Array], F64Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
}
NEW = [
    Quant, IntQuant, BipolarQuant, Trunc, BatchNormalization, Conv, ConvTranspose, MaxPool,
    AveragePool, Resize,
]  # fmt: skip


class File:
    """A file that can be run; ``inputs`` and ``outputs`` are the names of its tensors."""

    def __init__(self, model: ModelWrapper) -> None:
        proto = in_double(model.model)
        self._run = ReferenceEvaluator(proto, new_ops=NEW)
        self.source = model.graph.input[0].name
        self.outputs = [end.name for end in model.graph.output]
        self.shape = [int(n) for n in model.get_tensor_shape(self.source)]

    def run(self, frame: npt.NDArray[Any]) -> dict[str, F64Array]:
        """Outputs by name for one frame of the input's shape."""
        found = self._run.run(None, {self.source: np.asarray(frame, np.float64)})
        return dict(zip(self.outputs, (np.asarray(f, np.float64) for f in found), strict=True))


NARROW = (TensorProto.FLOAT, TensorProto.FLOAT16)  #: computed in double


def in_double(model: ModelProto) -> ModelProto:
    """A copy in which every float32 and float16 is a float64 of the same value."""
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    for i, tensor in enumerate(graph.initializer):
        if tensor.data_type in NARROW:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            graph.initializer[i].CopyFrom(numpy_helper.from_array(values, tensor.name))
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type in NARROW:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        if node.domain in QUANT_DOMAINS:
            node.domain = QUANT_DOMAINS[0]
        for attr in node.attribute:
            if attr.name == "value" and attr.t.data_type in NARROW:
                values = numpy_helper.to_array(attr.t).astype(np.float64)
                attr.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(values)))
    return copy
