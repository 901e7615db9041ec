# SPDX-License-Identifier: Apache-2.0
"""window_pool: largest and sum, signs, lanes, windows of one tap, frames of one word."""

import pytest

from host.common.errors import UserError
from hw.ops import WindowPool
from tests.hw.rtl.harness import Bench, Case, make_op


def pool(dtype: str, mode: str, channels: int, pe: int, kernel=(2, 2), pixels: int = 5) -> Case:
    op = make_op(
        WindowPool, NumChannels=channels, PE=pe, numInputVectors=[1, 1, pixels],
        inputDataType=dtype, Kernel=list(kernel), mode=mode,
    )  # fmt: skip
    return Case(f"{mode}-{dtype}-{channels}/{pe}-{kernel[0]}x{kernel[1]}-{pixels}", op)


CASES = [
    pool("UINT8", "max", 8, 2),
    pool("INT8", "max", 6, 3, (3, 2)),
    pool("INT20", "max", 2, 2, pixels=1),
    pool("UINT8", "sum", 8, 4),
    pool("INT5", "sum", 3, 1, (3, 3)),
    pool("UINT1", "sum", 4, 4, (1, 3)),
    pool("INT8", "sum", 4, 2, (1, 1)),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_types_of_results():
    assert pool("INT8", "max", 2, 1).op.get_output_datatype().name == "INT8"
    assert pool("UINT8", "sum", 2, 1).op.get_output_datatype().name == "UINT10"
    assert pool("INT8", "sum", 2, 1, (3, 3)).op.get_output_datatype().name == "INT12"


def test_sums_that_are_too_wide():
    with pytest.raises(UserError, match="dut adds 4 of INT48; sums have up to 48 bits: narrow"):
        pool("INT48", "sum", 2, 1).op.rtl_parameters()
    with pytest.raises(UserError, match="PE=4 does not divide the 6 channels of dut; use one of"):
        pool("INT8", "sum", 6, 4).op.rtl_parameters()
