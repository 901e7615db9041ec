# SPDX-License-Identifier: Apache-2.0
"""stream_add: signedness, lanes, odd widths, frames of one word."""

from hw.ops import StreamAdd
from tests.hw.rtl.harness import Bench, Case, make_op


def add(dtype: str, channels: int, pe: int, pixels: int = 5) -> Case:
    op = make_op(
        StreamAdd, inputs=2, NumChannels=channels, PE=pe, numInputVectors=[1, 1, pixels],
        inputDataType=dtype,
    )  # fmt: skip
    return Case(f"{dtype}-{channels}/{pe}-{pixels}", op)


CASES = [
    add("INT8", 8, 1),
    add("INT8", 8, 4),
    add("INT8", 8, 8, pixels=1),
    add("UINT8", 6, 3),
    add("INT13", 4, 4),
    add("UINT1", 4, 2),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)
