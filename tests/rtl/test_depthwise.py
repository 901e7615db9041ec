# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution in hardware, its word order and its operator's errors."""

import numpy as np

from hw.ops import Depthwise
from tests.rtl.harness import Case, make_op, random_integers


def make(channels: int = 4, pe: int = 2, kernel: tuple[int, int] = (3, 3), **attributes):
    base = {
        "NumChannels": channels, "PE": pe, "Kernel": list(kernel), "numInputVectors": [1, 2, 2],
        "inputDataType": "UINT8", "weightDataType": "INT8", "accDataType": "INT20",
    }  # fmt: skip
    return make_op(Depthwise, inputs=2, **base | attributes)


def case(*args, seed: int = 1, **kwargs) -> Case:
    op = make(*args, **kwargs)
    rng = np.random.default_rng(seed)
    weights = random_integers(rng, op.get_input_datatype(1), op.get_normal_input_shape(1))
    act, acc = op.get_nodeattr("inputDataType"), op.get_nodeattr("accDataType")
    name = f"{act}-{acc}-c{op.channels}-pe{op.pe}-taps{op.taps}"
    return Case(name, op, (weights,), seed)


CASES = [
    case(channels=6, pe=2),
    case(channels=4, pe=4, inputDataType="INT8"),
    case(channels=3, pe=1, kernel=(2, 1), accDataType="INT18"),
    case(channels=3, pe=3, kernel=(1, 1), accDataType="INT16"),
    case(channels=1, pe=1, numInputVectors=[1, 1, 1]),
    case(channels=2, pe=2, inputDataType="INT5", weightDataType="INT3", accDataType="INT11"),
    case(channels=2, pe=1, inputDataType="INT27", weightDataType="INT18", accDataType="INT48"),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)
