# SPDX-License-Identifier: Apache-2.0
"""Matrix-vector unit in hardware, at one clock and two, its extreme operands and its errors."""

import itertools

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import Dense
from tests.hw.rtl.harness import Case, make_op, random_integers


def make(mw: int = 4, mh: int = 4, simd: int = 2, pe: int = 2, pixels: int = 4, **attributes):
    base = {
        "MW": mw, "MH": mh, "SIMD": simd, "PE": pe, "numInputVectors": [1, 1, pixels],
        "inputDataType": "UINT8", "weightDataType": "INT8", "accDataType": "INT24",
    }  # fmt: skip
    return make_op(Dense, inputs=2, **base | attributes)


def case(*args, seed: int = 1, **kwargs) -> Case:
    op = make(*args, **kwargs)
    rng = np.random.default_rng(seed)
    weights = random_integers(rng, op.get_input_datatype(1), op.get_normal_input_shape(1))
    act, acc = op.get_nodeattr("inputDataType"), op.get_nodeattr("accDataType")
    size = f"{op.channels}x{op.outputs_a_pixel}-simd{op.simd}-pe{op.pe}-pixels{op.pixels}"
    kind = "-pumped" * op.double_clock + "-triple" * op.triple
    return Case(f"{size}-{act}-{acc}{kind}", op, (weights,), seed)


EXTREMES = {"UINT8": (0, 1, 127, 128, 255), "INT8": (-128, -127, -1, 0, 1, 127)}
EXTREME_WEIGHTS = (-128, -127, -1, 0, 1, 127)


def extreme_case(act: str, simd: int, pumped: int = 0) -> Case:
    """Every pair of extreme inputs meets every extreme weight, in all lanes of a chain at once."""
    pairs = np.array(list(itertools.product(EXTREMES[act], repeat=2)))
    folds = (simd, len(EXTREME_WEIGHTS), simd, 3)
    op = make(*folds, pairs.size, inputDataType=act, pumped=pumped)
    data = np.repeat(pairs.reshape(1, 1, -1, 1), simd, axis=-1)
    weights = np.tile(EXTREME_WEIGHTS, (simd, 1))
    name = f"extremes-{act}-simd{simd}{'-pumped' * pumped}"
    return Case(name, op, (weights,), data=(data,))


def extreme_triples(act: str, simd: int, bits: int = 4) -> Case:
    """Every three extreme weights in a DSP meet every extreme input, alone and in a whole chain."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    threes = np.array(list(itertools.product((low, -1, high), repeat=3)))
    pixels = len(EXTREMES[act])
    op = make(simd, threes.size, simd, 3, pixels, inputDataType=act, weightDataType=f"INT{bits}",
              accDataType="INT14", triple=1)  # fmt: skip
    data = np.repeat(np.array(EXTREMES[act]).reshape(1, 1, -1, 1), simd, axis=-1)
    weights = np.tile(threes.reshape(1, -1), (simd, 1))
    return Case(f"extremes-{act}-INT{bits}-simd{simd}-triple", op, (weights,), data=(data,))


W4 = {"weightDataType": "INT4", "triple": 1}

CASES = [
    case(4, 4, 2, 2, pixels=4),
    case(4, 6, 1, 3, pixels=5, inputDataType="INT8"),
    case(8, 8, 4, 2, pixels=3),
    case(10, 4, 5, 1, pixels=2, inputDataType="INT8", accDataType="INT19"),
    case(18, 6, 9, 3, pixels=3, accDataType="INT21"),
    case(34, 2, 17, 1, pixels=2, inputDataType="INT8", accDataType="INT20"),
    case(12, 4, 2, 4, pixels=5),
    case(4, 6, 4, 1, pixels=4, inputDataType="INT8"),
    case(4, 6, 4, 1, pixels=3),
    case(3, 2, 3, 2, pixels=3),
    case(2, 80, 1, 2, pixels=2),
    case(12, 9, 3, 3, pixels=1),
    case(1, 1, 1, 1, pixels=1, inputDataType="INT8", accDataType="INT16"),
    case(6, 4, 3, 2, pixels=4, inputDataType="UINT1", weightDataType="INT2", accDataType="INT5"),
    case(6, 4, 6, 2, pixels=5, inputDataType="INT5", weightDataType="INT3", accDataType="INT11"),
    *(extreme_case(act, simd) for act in EXTREMES for simd in (1, 4)),
    # Pumped: chains of 1 to 4 lanes, one to five of them, groups that are not whole
    case(4, 4, 1, 1, pixels=4, pumped=1),
    case(8, 8, 2, 2, pixels=8, inputDataType="INT8", pumped=1),
    case(12, 8, 3, 2, pixels=5, pumped=1),
    case(16, 12, 4, 3, pixels=6, inputDataType="INT8", accDataType="INT19", pumped=1),
    case(20, 4, 5, 1, pixels=7, pumped=1),
    case(36, 4, 9, 1, pixels=4, accDataType="INT22", pumped=1),
    case(68, 4, 17, 1, pixels=8, inputDataType="INT8", accDataType="INT21", pumped=1),
    case(12, 4, 2, 4, pixels=8, pumped=1),
    case(4, 8, 4, 1, pixels=8, pumped=1),
    case(24, 4, 2, 1, pixels=1, pumped=1),
    case(
        24,
        8,
        4,
        2,
        pixels=4,
        inputDataType="UINT1",
        weightDataType="INT2",
        accDataType="INT7",
        pumped=1,
    ),
    # Triple: PE that three divides and does not, chains of 1 to 4 lanes, one to five of them
    case(4, 3, 1, 3, pixels=4, **W4),
    case(8, 8, 2, 4, pixels=5, inputDataType="INT8", accDataType="INT16", **W4),
    case(6, 10, 3, 5, pixels=3, **W4),
    case(8, 6, 4, 1, pixels=4, accDataType="INT17", **W4),
    case(20, 6, 10, 6, pixels=2, inputDataType="UINT5", accDataType="INT16", **W4),
    case(34, 2, 17, 2, pixels=3, inputDataType="INT8", **W4),
    case(6, 4, 3, 2, pixels=4, inputDataType="UINT1", weightDataType="INT2", triple=1),
    case(6, 3, 6, 3, pixels=1, inputDataType="INT3", weightDataType="INT3", triple=1),
    *(extreme_triples(act, simd) for act in EXTREMES for simd in (1, 4)),
    extreme_case("INT8", 3, pumped=1),
    extreme_case("UINT8", 4, pumped=1),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_a_frame_of_odd_size_takes_the_cycles_of_whole_pairs():
    assert make(12, 8, 3, 2, pixels=5).get_exp_cycles() == 3 * 4 * 4


def test_four_pixels_share_a_weight_at_twice_the_clock():
    op = make(16, 16, 2, 2, pixels=8, pumped=1)
    assert (op.weight_passes, op.get_exp_cycles()) == (2, 2 * 8 * 8)
    assert op.rtl_parameters()["PUMPED"] == 1
    assert make(16, 16, 2, 2, pixels=9, pumped=1).get_exp_cycles() == 3 * 8 * 8
    assert make(8, 4, 2, 2, pixels=8, pumped=1).get_exp_cycles() == 8 * 4  # words in
    single = make(16, 16, 2, 2, pixels=8)
    assert op.resources().dsp == single.resources().dsp
    assert op.cpp_sizes() == single.cpp_sizes()


def test_three_outputs_share_a_dsp_with_narrow_weights():
    op, pairs = (make(16, 12, 4, 6, pixels=8, weightDataType="INT4", triple=t) for t in (1, 0))
    assert (op.resources().dsp, pairs.resources().dsp) == (4 * 2 * 2, 4 * 6)
    assert op.get_exp_cycles() == pairs.get_exp_cycles()
    assert op.cpp_sizes() == pairs.cpp_sizes()
    assert op.can_be("DenseTriple")
    assert not make().can_be("DenseTriple")
    assert (op.products_beyond(27), op.products_beyond(25)) == (0, 16)


def test_unfolded_sides_bind_the_rate():
    assert make(8, 4, 2, 4, pixels=6).get_exp_cycles() == 6 * 4  # words in
    assert make(4, 8, 4, 2, pixels=6).get_exp_cycles() == 6 * 4  # words out


def test_weights_go_as_in_the_dense_unit_of_finn():
    op = make(mw=4, mh=2, simd=2, pe=1)
    weights = np.arange(1, 9).reshape(4, 2)  # input k, output m: 2k + m + 1
    assert op.weight_words(weights) == [0x0301, 0x0705, 0x0402, 0x0806]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"mw": 6, "simd": 4}, "SIMD=4 does not divide MW=6 of dut; use one of .1, 2, 3, 6"),
        ({"mh": 6, "pe": 4}, "PE=4 does not divide MH=6 of dut; use one of .1, 2, 3, 6"),
        ({"simd": 0}, "SIMD=0 does not divide MW=4"),
        ({"weightDataType": "UINT8"}, "dut: weightDataType=UINT8 is unsigned; use INT2 to INT8"),
        ({"weightDataType": "INT9"}, "weightDataType=INT9 is too wide or narrow; .* INT2 to INT8"),
        ({"triple": 1}, "weightDataType=INT8 is too wide or narrow; .* INT2 to INT4"),
        ({"triple": 1, "pumped": 1, "weightDataType": "INT4"}, "dut has pumped and triple; set"),
        ({"inputDataType": "UINT9"}, "dut takes UINT9; .* up to 8 bits"),
        ({"accDataType": "INT49"}, "accDataType=INT49 of dut is too wide; use up to 48 bits"),
    ],
)
def test_illegal_attributes_are_named(attributes, text):
    with pytest.raises(UserError, match=text):
        make(**attributes).rtl_parameters()


def test_weights_of_another_shape_are_refused():
    with pytest.raises(UserError, match=r"shape \(4, 3\); its attributes ask for \(4, 4\)"):
        make().weight_words(np.zeros((4, 3), int))


def test_an_accumulator_beyond_its_type_is_refused():
    op = make(mw=2, mh=1, pe=1, pixels=1, accDataType="INT16")
    data, weights = np.full((1, 1, 1, 2), 255), np.full((2, 1), 127)
    with pytest.raises(UserError, match=r"accumulators of 0\.\.64770 do not fit .*=INT16"):
        op.golden(data, weights)
