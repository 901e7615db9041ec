# SPDX-License-Identifier: Apache-2.0
"""width_converter: multiples and unlike widths, both ways, wide words, frames of one word."""

import pytest

from host.common.errors import UserError
from hw.ops.width_converter import WidthConverter
from tests.hw.rtl.harness import Bench, Case, make_op


def converter(
    channels: int, lanes: int, out_lanes: int, dtype: str = "UINT8", pixels: int = 3,
    out_shape: tuple[int, ...] = (),
) -> Case:  # fmt: skip
    op = make_op(
        WidthConverter, NumChannels=channels, PE=lanes, outPE=out_lanes,
        numInputVectors=[1, 1, pixels], inputDataType=dtype,
        outShape=list(out_shape or (1, 1, pixels, channels)),
    )  # fmt: skip
    return Case(f"{channels}-{lanes}to{out_lanes}-{dtype}-{pixels}", op)


CASES = [
    converter(12, 2, 6),
    converter(12, 6, 2, "INT19"),
    converter(12, 4, 6, "INT8"),
    converter(12, 6, 4),
    converter(8, 8, 8),
    converter(144, 16, 36, "INT4"),
    converter(144, 36, 16, "INT4"),
    converter(6, 1, 6, "UINT1"),
    converter(6, 6, 1, "UINT1", pixels=1),
    converter(35, 5, 7, pixels=1),
    converter(35, 7, 5, pixels=1),
    converter(128, 128, 16, "INT8", pixels=2),
    converter(128, 2, 128, "INT8", pixels=2),
    converter(10, 5, 4, pixels=2, out_shape=(1, 20)),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_what_is_refused() -> None:
    with pytest.raises(UserError, match="PE=3 does not divide the 8 channels of dut; use one of"):
        converter(8, 3, 2).op.rtl_parameters()
    with pytest.raises(UserError, match=r"outPE=0 does not divide the 8 channels of dut; use one"):
        converter(8, 4, 0).op.rtl_parameters()
