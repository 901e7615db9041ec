# SPDX-License-Identifier: Apache-2.0
"""global_acc_pool: signedness, lanes, frames of one pixel, sums at the end of their range."""

import numpy as np
import pytest

from hw.ops import GlobalAccPool
from tests.hw.rtl.harness import Bench, Case, make_op


def pool(dtype: str, channels: int, pe: int, vectors: tuple[int, ...] = (1, 3, 3)) -> GlobalAccPool:
    return make_op(
        GlobalAccPool, NumChannels=channels, PE=pe, numInputVectors=vectors, inputDataType=dtype
    )


CASES = [
    Case(f"{op.get_nodeattr('inputDataType')}-{op.channels}/{op.pe}-{op.pixels}", op)
    for op in (
        pool("UINT8", 8, 1),
        pool("INT8", 8, 2),
        pool("INT8", 8, 8),
        pool("UINT8", 16, 4, (1, 7, 7)),
        pool("INT8", 8, 2, (1, 1, 1)),
        pool("UINT5", 3, 3, (1, 1, 1)),
        pool("INT9", 6, 3, (1, 1, 2)),
        pool("UINT1", 4, 1, (1, 5, 1)),
    )
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


@pytest.mark.parametrize(
    ("dtype", "size", "expected"),
    [
        ("UINT8", 14, "UINT16"), ("UINT8", 7, "UINT14"), ("UINT8", 1, "UINT8"),
        ("INT8", 7, "INT14"), ("INT8", 4, "INT12"), ("INT8", 1, "INT8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["min", "max"])
def test_sums_fit_the_output_type(dtype: str, size: int, expected: str, end: str) -> None:
    op = pool(dtype, 2, 1, (1, size, size))
    value = int(getattr(op.get_input_datatype(), end)())
    (sums,) = op.golden(np.full((1, size, size, 2), value))
    out = op.get_output_datatype()
    assert out.name == expected
    assert out.allowed(int(sums.max()))
