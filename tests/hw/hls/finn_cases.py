# SPDX-License-Identifier: Apache-2.0
"""Cases of the twins of FINN's units, with goldens in numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import helper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from host.common.arrays import IntArray
from hw.twin import twin_of
from tests.hw.hls.compiled import Vectors
from tests.hw.rtl import test_mvau
from tests.hw.rtl.harness import FRAMES, Stimuli, random_integers, stream_words
from tests.hw.rtl.harness import Case as RtlCase


@dataclass(frozen=True)
class FinnCase:
    """A node of FINN's and the golden of its frame, which gives the lanes in their order."""

    name: str
    op: CustomOp
    golden: Callable[[IntArray], IntArray]

    def vectors(self) -> Vectors:
        """Random frames and what must come of them."""
        twin, rng = twin_of(self.op), np.random.default_rng(7)
        source, sink = twin.inputs[0], twin.outputs[0]
        dtype, words_in, words_out = self.op.get_input_datatype(0), [], []
        for _ in range(FRAMES):
            frame = random_integers(rng, dtype, tuple(self.op.get_normal_input_shape(0)))
            words_in += stream_words(frame, (source.lanes,), source.bits)
            words_out += stream_words(self.golden(frame), (sink.lanes,), sink.bits)
        return Vectors(twin, FRAMES, [words_in], [words_out])


def finn_op(kind: str, inputs: int = 1, **attributes: object) -> CustomOp:
    """A node of FINN's RTL library."""
    node = helper.make_node(
        kind, [f"in{i}" for i in range(inputs)], ["out0"], kind, backend="fpgadataflow",
        domain="finn.custom_op.fpgadataflow.rtl", **attributes,
    )  # fmt: skip
    return getCustomOp(node)


def window_case(
    size: tuple[int, int], channels: int, simd: int, kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1), depthwise: int = 0, dtype: str = "UINT8",
) -> FinnCase:  # fmt: skip
    places = [(s - k) // d + 1 for s, k, d in zip(size, kernel, stride, strict=True)]
    op = finn_op(
        "ConvolutionInputGenerator_rtl", ConvKernelDim=kernel, IFMChannels=channels, IFMDim=size,
        OFMDim=places, SIMD=simd, Stride=stride, Dilation=[1, 1], depthwise=depthwise,
        inputDataType=dtype, outputDataType=dtype,
    )  # fmt: skip

    def golden(frame: IntArray) -> IntArray:
        rows = [
            frame[0, y * stride[0] : y * stride[0] + kernel[0],
                  x * stride[1] : x * stride[1] + kernel[1]]
            for y in range(places[0]) for x in range(places[1])
        ]  # fmt: skip
        taps = np.stack(rows).reshape(len(rows), -1, channels // simd, simd)
        return np.swapaxes(taps, 1, 2) if depthwise else taps

    name = f"{size[0]}x{size[1]}x{channels}-simd{simd}-k{kernel}-s{stride}-dw{depthwise}-{dtype}"
    return FinnCase(name, op, golden)


def padding_case(
    size: tuple[int, int], channels: int, simd: int, edges: tuple[int, int, int, int], dtype: str
) -> FinnCase:
    op = finn_op(
        "FMPadding_rtl", ImgDim=size, Padding=edges, NumChannels=channels, SIMD=simd,
        inputDataType=dtype,
    )  # fmt: skip
    top, left, bottom, right = edges

    def golden(frame: IntArray) -> IntArray:
        return np.pad(frame, ((0, 0), (top, bottom), (left, right), (0, 0)))

    return FinnCase(f"{size[0]}x{size[1]}x{channels}-simd{simd}-{edges}-{dtype}", op, golden)


def mvau_vectors(case: RtlCase) -> Vectors:
    """The words of a case of FINN's dense unit in hardware."""
    old, stimuli = case.op, Stimuli(case)
    op = finn_op(
        "MVAU_rtl", 2, MW=old.get_nodeattr("MW"), MH=old.channels, SIMD=old.get_nodeattr("SIMD"),
        PE=old.pe, numInputVectors=list(old.vectors), mem_mode="external", noActivation=1,
        inputDataType=old.get_nodeattr("inputDataType"), weightDataType="INT8",
        accDataType="INT24", outputDataType="INT24",
    )  # fmt: skip
    twin = twin_of(op, case.constants)
    return Vectors(twin, FRAMES, [stimuli.inputs[0].words], [stimuli.outputs[0].words])


FINN_CASES = {
    "window": [
        window_case((4, 5), 4, 2, (3, 3)),
        window_case((7, 6), 2, 1, (3, 3), (2, 2), dtype="INT8"),
        window_case((6, 6), 4, 2, (3, 3), (2, 2), depthwise=1),
        window_case((5, 4), 3, 3, (3, 3), depthwise=1, dtype="INT4"),
        window_case((3, 3), 2, 2, (3, 3)),
        window_case((4, 4), 2, 1, (1, 1), (3, 3)),
        window_case((6, 5), 2, 2, (2, 3), (3, 1), dtype="UINT1"),
    ],
    "padding": [
        padding_case((3, 4), 4, 2, (1, 1, 1, 1), "UINT8"),
        padding_case((2, 3), 3, 1, (1, 0, 2, 3), "INT8"),
        padding_case((1, 1), 2, 2, (0, 0, 0, 0), "INT5"),
    ],
}
MVAU_CASES = test_mvau.CASES
