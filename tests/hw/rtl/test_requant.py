# SPDX-License-Identifier: Apache-2.0
"""Requantisation in hardware and its operator's errors."""

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import Requant
from hw.ops.requant import quantise_affine, requant, rounded_shift, two_dsps
from tests.hw.rtl.harness import Case, make_op


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


def wide(acc: str, scale_bits: int, shift: int, **attributes) -> Case:
    """Scales of their whole width on accumulators of theirs, results around the whole clip."""
    op = make(channels=6, pe=3, inputDataType=acc, scaleBits=scale_bits, shift=shift, **attributes)
    rng = np.random.default_rng(9)
    limit = 1 << (scale_bits - 1)
    scale = np.array([limit - 1, -limit, 1, -1, *rng.integers(-limit, limit, 2)])
    bias = rng.integers(-(1 << (shift + 4)), 1 << (shift + 4), 6)
    op.set_nodeattr("biasBits", shift + 6)
    even = "even" if attributes.get("tiesEven") else "up"
    return Case(f"{acc}-scale{scale_bits}-{even}", op, (scale, bias))


def halves(ties_even: int) -> Case:
    """Every accumulator a multiple of one half: half of the results are ties."""
    op = make(
        channels=2, pe=1, inputDataType="INT9", shift=1, biasBits=2, tiesEven=ties_even,
        clip=[-127, 127],
    )  # fmt: skip
    return Case(f"halves-{ties_even}", op, (np.array([1, -1]), np.array([1, 1])))


CASES = [
    affine(make(channels=6, pe=2), 4e-4, 40.0),
    affine(make(channels=5, pe=5, outputDataType="UINT8"), 4e-4, 40.0),
    affine(make(channels=4, pe=1, perChannel=0), 4e-4, 40.0),
    affine(make(channels=1, pe=1, vectors=(1,)), 4e-4, 40.0),
    affine(make(inputDataType="UINT14", outputDataType="UINT8", biasBits=40), 1e-2, 100.0),
    affine(make(inputDataType="INT11", outputDataType="INT5", vectors=(1, 3, 3)), 1e-2, 3.0),
    extreme(),
    wide("INT18", 27, 37),
    wide("INT27", 35, 53, clip=[-127, 127]),
    wide("UINT20", 35, 46, outputDataType="INT8", tiesEven=1, clip=[0, 127]),
    wide("INT27", 19, 38, outputDataType="UINT8"),
    halves(0),
    halves(1),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_rounds_half_up_and_clips():
    params = quantise_affine(np.array([0.5]), np.array([0.0]))
    acc = np.array([-300, -3, -1, 0, 1, 3, 300])
    result = requant(acc, params.scale, params.bias, params.shift, -128, 127)
    assert result.tolist() == [-128, -1, 0, 0, 1, 2, 127]


def test_halves_to_the_even_side():
    sums = np.arange(-7, 8) + 1  # in halves, one half added
    expected = np.rint(np.arange(-7, 8) / 2)
    assert rounded_shift(sums, 1, ties_even=True).tolist() == expected.tolist()


def test_operands_that_take_two_multipliers():
    sizes = [(27, 18), (18, 27), (27, 19), (19, 27), (18, 28), (27, 35)]
    assert [two_dsps(*size) for size in sizes] == [False, False, True, True, True, True]
    one, two = make(scaleBits=18), make(scaleBits=35, shift=40)
    assert (one.resources().dsp, two.resources().dsp) == (2, 4)
    assert (one.latency(), two.latency()) == (7, 8)


def test_memory_word_holds_bias_above_scale():
    op = make(channels=4, pe=2, biasBits=20)
    (bits, words) = op.rtl_memories(np.array([1, -1, 2, 3]), np.array([5, -5, 6, 7]))["PARAM_FILE"]
    assert bits == 2 * 38
    low, high = (5 << 18) | 1, ((2**20 - 5) << 18) | (2**18 - 1)
    assert words == [(high << 38) | low, (((7 << 18) | 3) << 38) | (6 << 18) | 2]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"channels": 6, "pe": 4}, r"PE=4 does not divide the 6 channels of dut; use one of"),
        ({"inputDataType": "INT28"}, "dut takes INT28; .* up to 27 bits with sign"),
        ({"inputDataType": "UINT27"}, "dut takes UINT27; .* up to 27 bits with sign"),
        ({"shift": 48}, r"shift=48 of dut is not in 0..47"),
        ({"shift": 61, "scaleBits": 35}, r"shift=61 of dut is not in 0..60"),
        ({"biasBits": 49}, "biasBits=49 of dut is not in 2..48"),
        ({"scaleBits": 36}, "scaleBits=36 of dut is not in 2..35"),
        ({"clip": [0, 128]}, r"clip=\[0, 128\] of dut is no range in that of INT8, -128 to 127"),
        ({"clip": [5, 5]}, r"clip=\[5, 5\] of dut is no range in that of INT8"),
    ],
)
def test_illegal_attributes_are_named(attributes, text):
    with pytest.raises(UserError, match=text):
        make(**attributes).rtl_parameters()


@pytest.mark.parametrize(
    ("scale", "bias", "text"),
    [
        (
            [1, 2, 3],
            [0] * 4,
            r"scale \(3,\) and bias \(4,\) of dut must both have the shape \(4,\)",
        ),
        ([1, 2, 3, 1 << 17], [0] * 4, "a scale of dut reaches 131072, beyond its 18 bits"),
        ([1] * 4, [0, 0, 0, -(1 << 47) - 1], "a bias of dut reaches -140737488355329"),
        ([1 << 16] * 4, [(1 << 47) - 1] * 4, "product plus bias of dut reaches .* 48 bits"),
    ],
)
def test_illegal_parameters_are_named(scale, bias, text):
    with pytest.raises(UserError, match=text):
        make().rtl_memories(np.array(scale), np.array(bias))


def test_multiplier_that_no_shift_serves():
    with pytest.raises(UserError, match="a requantisation multiplier of 5000"):
        quantise_affine(np.array([5000.0]), np.array([0.0]))
