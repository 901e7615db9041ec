# SPDX-License-Identifier: Apache-2.0
"""requant_add: types of both operands, folds, widest operands, halves, what is refused."""

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import RequantAdd
from tests.hw.rtl.harness import Bench, Case, make_op


def make(channels=4, pe=2, pixels=5, **attributes):
    base = {
        "NumChannels": channels, "PE": pe, "numInputVectors": [1, 1, pixels], "shift": 24,
        "inputDataType": "UINT8", "secondDataType": "INT8", "outputDataType": "UINT8",
        "scaleBits": 27, "biasBits": 40,
    }  # fmt: skip
    return make_op(RequantAdd, inputs=5, **base | attributes)


def case(name, **attributes):
    """Random scales that fill the clip, and their ends."""
    op = make(**attributes)
    rng, bits = np.random.default_rng(3), int(op.get_nodeattr("scaleBits"))
    count = op.channels if op.get_nodeattr("perChannel") else 1
    limit = 1 << (bits - 1)
    scales = rng.integers(-limit, limit, (2, count))
    scales[0, 0], scales[1, -1] = limit - 1, -limit
    half = 1 << (op.shift + 3)
    return Case(name, op, (*scales, rng.integers(-half, half, count)))


def halves(ties_even):
    op = make(
        channels=2, pe=1, inputDataType="INT6", secondDataType="UINT3", shift=1, biasBits=2,
        scaleBits=2, tiesEven=ties_even, outputDataType="INT8", clip=[-127, 127],
    )  # fmt: skip
    return Case(f"halves-{ties_even}", op, (np.array([1, -1]), np.array([-1, 1]), np.array([1, 1])))


CASES = [
    case("bytes"),
    case("one word", channels=3, pe=3, pixels=1),
    case("tensor", channels=4, pe=4, perChannel=0, shift=27),
    case("sums", channels=6, pe=3, inputDataType="INT20", secondDataType="UINT19", scaleBits=35,
         shift=46, biasBits=54, outputDataType="INT8", clip=[-127, 127], tiesEven=1),
    case("widest", pe=1, inputDataType="INT27", secondDataType="INT27", scaleBits=35, shift=56,
         biasBits=62, outputDataType="INT16"),
    halves(0),
    halves(1),
]  # fmt: skip


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_multipliers():
    assert make(pe=4).resources().dsp == 8
    assert make(pe=4, inputDataType="INT20", scaleBits=35).resources().dsp == 16


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"channels": 6, "pe": 4}, "PE=4 does not divide the 6 channels of dut; use one of"),
        ({"secondDataType": "UINT27"}, "dut takes UINT8 and UINT27; .* up to 27 bits with sign"),
        ({"shift": 61}, r"shift=61 of dut is not in 0..60"),
        ({"scaleBits": 36}, r"scaleBits=36 of dut is not in 2..35"),
        ({"biasBits": 65}, r"biasBits=65 of dut is not in 2..64"),
        ({"clip": [-1, 5]}, r"clip=\[-1, 5\] of dut is no range in that of UINT8, 0 to 255"),
    ],
)
def test_illegal_attributes_are_named(attributes, text):
    with pytest.raises(UserError, match=text):
        make(**attributes).rtl_parameters()


@pytest.mark.parametrize(
    ("constants", "text"),
    [
        (([1], [1] * 4, [1] * 4), r"scales \(1,\), \(4,\) and bias \(4,\) of dut must have the"),
        (([1 << 26] * 4, [1] * 4, [1] * 4), "a scale of dut reaches 67108864, beyond its 27 bits"),
        (([1] * 4, [1] * 4, [1 << 39] * 4), "a bias of dut reaches 549755813888, beyond its 40"),
    ],
)
def test_illegal_parameters_are_named(constants, text):
    with pytest.raises(UserError, match=text):
        make().rtl_memories(*map(np.array, constants))


def test_shapes_that_differ():
    one = np.ones(4, int)
    with pytest.raises(UserError, match=r"adds tensors of shape \(1, 4\) and \(2, 4\)"):
        make().golden(np.ones((1, 4), int), np.ones((2, 4), int), one, one, one)
