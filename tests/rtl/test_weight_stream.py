# SPDX-License-Identifier: Apache-2.0
"""Weight memory in hardware, FINN's weight order and its operator's errors."""

import numpy as np
from qonnx.core.datatype import DataType

from hw.ops import WeightStream
from tests.rtl.harness import Case, random_integers


def case(depth: int, lanes: int, dtype: str = "INT8", style: str = "block", repeats: int = 3):
    values = random_integers(np.random.default_rng(depth), DataType[dtype], (depth, lanes))
    op = WeightStream.from_lanes("weights", values, dtype, style, repeats)
    return Case(f"{depth}x{lanes}-{dtype}-{style}", op, (values,))


CASES = [
    case(1, 1),
    case(2, 3, "INT5", "distributed"),
    case(5, 4),
    case(64, 9, "INT3", "distributed"),
    case(100, 40, style="ultra"),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)
