# SPDX-License-Identifier: Apache-2.0
"""requant_add: types of both operands, folds, widest operands, halves, what is refused."""

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import RequantAdd
from tests.hw.rtl.harness import Bench, Case, make_op


def make(channels=4, pe=2, pixels=5, types=("UINT8", "INT8"), **attributes):
    base = {
        "NumChannels": channels, "PE": pe, "numInputVectors": [1, 1, pixels], "shift": 24,
        "inputDataTypes": types, "outputDataType": "UINT8", "scaleBits": 27, "biasBits": 40,
    }  # fmt: skip
    return make_op(RequantAdd, inputs=2 * len(types) + 1, **base | attributes)


def case(name, **attributes):
    """Random scales that fill the clip, and their ends."""
    op = make(**attributes)
    rng, bits = np.random.default_rng(3), int(op.get_nodeattr("scaleBits"))
    count = op.channels if op.get_nodeattr("perChannel") else 1
    limit = 1 << (bits - 1)
    scales = rng.integers(-limit, limit, (op.stream_inputs, count))
    scales[0, 0], scales[-1, -1] = limit - 1, -limit
    half = 1 << (op.shift + 3)
    return Case(name, op, (*scales, rng.integers(-half, half, count)))


def halves(ties_even, types=("INT6", "UINT3")):
    op = make(
        channels=2, pe=1, types=types, shift=1, biasBits=2, scaleBits=2, tiesEven=ties_even,
        outputDataType="INT8", clip=[-127, 127],
    )  # fmt: skip
    scales = [np.array([1, -1] if i % 2 else [-1, 1]) for i in range(len(types))]
    return Case(f"halves-{ties_even}-{len(types)}", op, (*scales, np.array([1, 1])))


CASES = [
    case("bytes"),
    case("one word", channels=3, pe=3, pixels=1),
    case("tensor", channels=4, pe=4, perChannel=0, shift=27),
    case("sums", channels=6, pe=3, types=("INT20", "UINT19"), scaleBits=35, shift=46, biasBits=54,
         outputDataType="INT8", clip=[-127, 127], tiesEven=1),
    case("widest", pe=1, types=("INT27", "INT27"), scaleBits=35, shift=56, biasBits=62,
         outputDataType="INT16"),
    case("three", types=("UINT8", "INT5", "UINT1"), shift=27),
    case("three sums", channels=6, pe=3, types=("INT7", "INT21", "UINT18"), scaleBits=35, shift=48,
         biasBits=56, outputDataType="INT8", clip=[-127, 127], tiesEven=1),
    case("four", channels=3, pe=1, pixels=2, types=("UINT4", "UINT9", "INT2", "INT8"), shift=27),
    case("five", types=("INT3", "UINT26", "INT8", "INT12", "UINT2"), perChannel=0, shift=44,
         biasBits=50, outputDataType="INT9"),
    case("seven widest", pe=1, types=("INT27", *["UINT26"] * 6), scaleBits=35, shift=58,
         biasBits=62, outputDataType="INT16"),
    case("eight", channels=8, pe=4, types=("UINT8",) * 4 + ("INT8",) * 4, shift=28),
    halves(0),
    halves(1),
    halves(1, ("INT6", "UINT3", "INT2")),
    halves(0, ("INT6", "UINT3", "INT2", "UINT1", "INT4")),
]  # fmt: skip


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_latency_grows_with_the_tree():
    latencies = [make(types=("INT8",) * inputs).latency() for inputs in range(2, 9)]
    assert latencies == [9, 10, 10, 11, 11, 11, 11]


def test_multipliers():
    assert make(pe=4).resources().dsp == 8
    assert make(pe=4, types=("INT20", "INT8"), scaleBits=35).resources().dsp == 16
    assert make(pe=4, types=("INT20", "UINT8", "INT8")).resources().dsp == 16


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"channels": 6, "pe": 4}, "PE=4 does not divide the 6 channels of dut; use one of"),
        (
            {"types": ("UINT8", "UINT27", "INT2")},
            "dut takes UINT8 and UINT27 and INT2; .* up to 27 bits with sign",
        ),
        ({"types": ("INT8",)}, r"dut has 3 inputs and .*\['INT8'\]; give it 2 to 8 tensors, each"),
        ({"types": ("INT8",) * 9}, "dut has 19 inputs and inputDataTypes=.*; give it 2 to 8"),
        ({"inputDataTypes": ["INT8"]}, "dut has 5 inputs and inputDataTypes=.*; give it 2 to 8"),
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


def test_a_sum_beyond_its_register_is_refused():
    """Eight of the widest products reach 2**63, seven do not."""
    widest = {"channels": 1, "pe": 1, "scaleBits": 35}
    scales, bias = [np.array([-(1 << 34)])] * 8, np.array([1])
    assert make(types=("INT27",) * 7, **widest).rtl_memories(*scales[1:], bias)
    with pytest.raises(UserError, match=f"the sum of dut reaches {2**63 + 1}, beyond its 64 bits"):
        make(types=("INT27",) * 8, **widest).rtl_memories(*scales, bias)


def test_shapes_that_differ():
    one = np.ones(4, int)
    with pytest.raises(UserError, match=r"adds tensors of shape \(1, 4\) and \(2, 4\)"):
        make().golden(np.ones((1, 4), int), np.ones((2, 4), int), one, one, one)
