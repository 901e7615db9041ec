# SPDX-License-Identifier: Apache-2.0
"""Requantisation in hardware and its operator's errors."""

import numpy as np

from hw.ops import Requant
from hw.ops.requant import quantise_affine
from tests.rtl.harness import Case, make_op


def make(channels: int = 4, pe: int = 2, vectors: tuple[int, ...] = (1, 2, 3), **attributes):
    base = {
        "NumChannels": channels, "PE": pe, "numInputVectors": list(vectors),
        "inputDataType": "INT20", "outputDataType": "INT8", "shift": 24,
    }  # fmt: skip
    return make_op(Requant, inputs=3, **base | attributes)


def affine(op: Requant, multiplier: float, offset: float, seed: int = 5) -> Case:
    """A case whose multipliers scatter around one that uses the whole range of the output."""
    count = op.channels if op.get_nodeattr("perChannel") else 1
    rng = np.random.default_rng(seed)
    params = quantise_affine(
        multiplier * rng.uniform(-1.5, 1.5, count), offset * rng.uniform(-1, 1, count)
    )
    op.set_nodeattr("shift", params.shift)
    acc, out = op.get_nodeattr("inputDataType"), op.get_nodeattr("outputDataType")
    name = f"{acc}-{out}-c{op.channels}-pe{op.pe}-{'channel' if count > 1 else 'tensor'}"
    return Case(name, op, (params.scale, params.bias))


def extreme() -> Case:
    """Widest operands: scales and accumulators at their ends, biases near the 48 bits."""
    op = make(channels=3, pe=3, inputDataType="INT27", outputDataType="INT16", shift=29)
    limit = 1 << 17
    bias = np.array([(1 << 46), -(1 << 46), 0])
    return Case("widest", op, (np.array([-limit, limit - 1, 1]), bias))


CASES = [
    affine(make(channels=6, pe=2), 4e-4, 40.0),
    affine(make(channels=5, pe=5, outputDataType="UINT8"), 4e-4, 40.0),
    affine(make(channels=4, pe=1, perChannel=0), 4e-4, 40.0),
    affine(make(channels=1, pe=1, vectors=(1,)), 4e-4, 40.0),
    affine(make(inputDataType="UINT14", outputDataType="UINT8", biasBits=40), 1e-2, 100.0),
    affine(make(inputDataType="INT11", outputDataType="INT5", vectors=(1, 3, 3)), 1e-2, 3.0),
    extreme(),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)
