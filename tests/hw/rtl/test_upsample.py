# SPDX-License-Identifier: Apache-2.0
"""upsample: blocks of all shapes, lanes, rows of one word."""

import pytest

from host.common.errors import UserError
from hw.ops import Upsample
from tests.hw.rtl.harness import Bench, Case, make_op


def upsample(scale, channels: int, pe: int, size=(2, 3), dtype: str = "UINT8", zeros=0) -> Case:
    op = make_op(
        Upsample, NumChannels=channels, PE=pe, numInputVectors=[1, *size], inputDataType=dtype,
        Scale=list(scale), zeros=zeros,
    )  # fmt: skip
    name = f"{scale[0]}x{scale[1]}-{channels}/{pe}-{size[0]}x{size[1]}-{dtype}{'-zeros' * zeros}"
    return Case(name, op)


CASES = [
    upsample((2, 2), 4, 2),
    upsample((2, 2), 3, 3),
    upsample((3, 1), 2, 1, (1, 4)),
    upsample((1, 3), 2, 1, (3, 2), "INT5"),
    upsample((1, 1), 4, 2),
    upsample((2, 4), 1, 1, (2, 1), "INT20"),
    upsample((2, 2), 4, 2, zeros=1),
    upsample((3, 2), 3, 1, (2, 1), "INT4", zeros=1),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_what_is_refused():
    with pytest.raises(UserError, match=r"Scale=\[0, 2\] of dut must be 1 or more"):
        upsample((0, 2), 4, 2).op.rtl_parameters()
    with pytest.raises(UserError, match="PE=3 does not divide the 4 channels of dut; use one of"):
        upsample((2, 2), 4, 3).op.rtl_parameters()
