# SPDX-License-Identifier: Apache-2.0
"""Fixed instances of our kernels on which their cost formulas are compared with synthesis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from host.common.arrays import IntArray
from hw import ops
from hw.ops.base import KernelOp
from hw.ops.requant import quantise_affine, trailing_zeros

# Lanes, channels and depths as the width-1.0 network uses them
FIFOS = (
    (8, 16, "srl"), (64, 32, "srl"), (256, 12, "srl"), (8, 64, "distributed"),
    (64, 48, "distributed"), (128, 200, "distributed"), (64, 1024, "block"), (128, 700, "block"),
    (8, 2000, "block"), (144, 4096, "ultra"), (64, 9000, "ultra"),
)  # fmt: skip
REQUANTS = (  # channels, lanes, accumulator bits
    (64, 1, 20), (64, 4, 20), (64, 16, 20), (64, 64, 20), (128, 2, 19), (128, 8, 22),
    (256, 4, 19), (256, 32, 19), (16, 1, 21), (128, 128, 20),
)  # fmt: skip
DEPTHWISES = ((128, 1), (128, 4), (128, 16), (256, 8), (512, 32), (128, 64))  # channels, lanes
DENSES = (  # inputs, outputs, SIMD, PE, type of the inputs
    (9, 64, 3, 4, "UINT8"), (576, 64, 16, 8, "UINT8"), (64, 128, 8, 8, "INT8"),
    (128, 64, 4, 4, "UINT8"), (128, 512, 2, 2, "INT8"), (512, 128, 32, 2, "UINT8"),
    (128, 256, 16, 4, "INT8"), (256, 128, 1, 8, "UINT8"), (64, 64, 64, 1, "UINT8"),
    (1568, 128, 8, 1, "UINT8"), (176, 196, 1, 1, "INT8"),
)  # fmt: skip
PUMPED = ((576, 64, 9, 4, "UINT8"), (128, 128, 8, 4, "INT8"), (64, 64, 4, 2, "UINT8"))  # as DENSES
ADDS = (1, 4, 16, 64)  # lanes
FORKS = ((1, 2), (8, 2), (32, 2), (64, 3))  # lanes, copies
CONCATS = (1, 4, 16)  # lanes
POOLS = ((16, 1, 196), (16, 16, 196), (32, 4, 49), (128, 8, 1), (128, 32, 49))  # ..., pixels

PEAKS = ((98, 1, 14), (98, 2, 14), (98, 7, 7))  # landmarks, of a word, rows and columns
LOOKUPS = ((16, 1, 20, 8), (8, 4, 18, 8), (32, 8, 16, 4), (64, 1, 20, 2))  # ..., bits, levels
UPSAMPLES = ((16, 4, 14, 0), (64, 8, 28, 0), (64, 8, 28, 1))  # channels, lanes, columns, zeros
CONVERTERS = (  # lanes of a word taken, of one given, type
    (8, 1, "UINT8"), (16, 1, "INT22"), (2, 1, "UINT8"), (3, 1, "UINT8"), (4, 1, "INT20"),
    (32, 4, "UINT8"), (36, 9, "UINT8"), (64, 2, "UINT8"), (1, 8, "UINT8"), (4, 16, "UINT8"),
    (8, 64, "UINT8"), (1, 2, "INT20"), (24, 16, "UINT8"), (16, 24, "UINT8"), (9, 4, "UINT8"),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """An operator and its ONNX inputs behind the streams; ``text`` names its parameters."""

    text: str
    op: KernelOp
    constants: tuple[IntArray, ...] = ()


def cases() -> Iterator[Case]:
    """All instances, kernel by kernel."""
    for width, depth, style in FIFOS:
        op = _op(ops.Fifo, 1, 1, NumChannels=width // 8, PE=width // 8, depth=depth, style=style)
        yield Case(f"{width} bits x {depth}, {style}", op)
    yield from (_requant(*sizes) for sizes in REQUANTS)
    for channels, lanes in DEPTHWISES:
        op = _op(
            ops.Depthwise, 2, 1, NumChannels=channels, PE=lanes, Kernel=[3, 3],
            weightDataType="INT8", accDataType="INT20",
        )  # fmt: skip
        yield Case(f"{channels} channels, {lanes} lanes", op)
    for pumped, (mw, mh, simd, pe, dtype) in (*((0, s) for s in DENSES), *((1, s) for s in PUMPED)):
        op = _op(
            ops.Dense, 2, 1, MW=mw, MH=mh, SIMD=simd, PE=pe, inputDataType=dtype,
            weightDataType="INT8", accDataType="INT22", pumped=pumped,
        )  # fmt: skip
        text = f"{mw} x {mh} {dtype}, SIMD {simd}, PE {pe}"
        yield Case(f"{text}, pumped" if pumped else text, op)
    for lanes in ADDS:
        yield Case(f"{lanes} lanes", _op(ops.StreamAdd, 2, 1, NumChannels=64, PE=lanes))
    for lanes, copies in FORKS:
        yield Case(
            f"{lanes} lanes, {copies} copies",
            _op(ops.StreamFork, 1, copies, NumChannels=64, PE=lanes),
        )
    for lanes in CONCATS:
        op = _op(ops.StreamConcat, 3, 1, ChannelsPerInput=[16, 32, 128], PE=lanes)
        yield Case(f"16 + 32 + 128 channels, {lanes} lanes", op)
    for channels, lanes, pixels in POOLS:
        op = _op(
            ops.GlobalAccPool, 1, 1, NumChannels=channels, PE=lanes, numInputVectors=[1, pixels, 1]
        )
        yield Case(f"{channels} channels, {pixels} pixels, {lanes} lanes", op)
    for landmarks, lanes, side in PEAKS:
        op = _op(
            ops.GridPeak, 2, 1, NumChannels=3 * landmarks, PE=lanes,
            numInputVectors=[1, side, side], inputDataType="INT21", stepBits=13,
        )  # fmt: skip
        steps = np.random.default_rng(lanes).integers(4000, 8192, (landmarks, 3))
        steps[:, 2] = 10
        yield Case(f"{landmarks} landmarks, {lanes} a word, {side}x{side} cells", op, (steps,))
    yield from (_lookup(*sizes) for sizes in LOOKUPS)
    for channels, lanes, columns, zeros in UPSAMPLES:
        op = _op(
            ops.Upsample, 1, 1, NumChannels=channels, PE=lanes, numInputVectors=[1, 14, columns],
            Scale=[2, 2], zeros=zeros,
        )  # fmt: skip
        text = f"{channels} channels, {lanes} lanes, {columns} columns"
        yield Case(f"{text}, zeros" if zeros else text, op)
    for lanes, out_lanes, dtype in CONVERTERS:
        op = _op(
            ops.WidthConverter, 1, 1, NumChannels=lanes * out_lanes, PE=lanes, outPE=out_lanes,
            inputDataType=dtype,
        )  # fmt: skip
        yield Case(f"{lanes} to {out_lanes} lanes, {dtype}", op)


def _lookup(channels: int, lanes: int, bits: int, levels: int) -> Case:
    """A sigmoid in each channel, of its own slope."""
    rng = np.random.default_rng(channels)
    middle = (np.arange(1, 1 << levels) - 0.5) / (1 << levels)
    slope = 2.0 ** (bits - 4) * rng.uniform(0.5, 1, (channels, 1))
    starts = np.rint(slope * np.log(middle / (1 - middle))).astype(np.int64)
    codes = np.tile(np.arange(1 << levels), (channels, 1))
    op = _op(
        ops.Lookup, 3, 1, NumChannels=channels, PE=lanes, inputDataType=f"INT{bits}",
        outputDataType="UINT8", levels=levels,
    )  # fmt: skip
    return Case(
        f"{channels} channels, {lanes} lanes, INT{bits}, {levels} levels", op, (starts, codes)
    )


def _requant(channels: int, lanes: int, bits: int) -> Case:
    """Multipliers and offsets like those of a trained layer: within a factor of eight."""
    rng = np.random.default_rng(channels * lanes)
    multiplier = 2.0 ** rng.uniform(-3, 0, channels) * 2.0 ** (8 - bits)
    params = quantise_affine(multiplier, rng.uniform(-100, 100, channels))
    bias_bits = int(np.abs(params.bias).max()).bit_length() + 1
    op = _op(
        ops.Requant, 3, 1, NumChannels=channels, PE=lanes, inputDataType=f"INT{bits}",
        outputDataType="UINT8", shift=params.shift, biasBits=bias_bits,
        biasZeros=trailing_zeros(params.bias),
    )  # fmt: skip
    text = f"{channels} channels, {lanes} lanes, INT{bits}"
    return Case(text, op, (params.scale, params.bias))


def _op(cls: type[KernelOp], inputs: int, outputs: int, **attributes: Any) -> KernelOp:
    common = {"inputDataType": "UINT8", "numInputVectors": [1, 28, 28]}
    node = helper.make_node(
        cls.__name__, [f"in{i}" for i in range(inputs)], [f"out{i}" for i in range(outputs)],
        f"{cls.rtl_module}_case", domain="hw.ops", backend="fpgadataflow", **(common | attributes),
    )  # fmt: skip
    return cls(node)
