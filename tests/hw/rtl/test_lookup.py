# SPDX-License-Identifier: Apache-2.0
"""lookup: levels, signs, lanes, tables in LUTs and in block RAM, shared and for each channel."""

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import Lookup
from tests.hw.rtl.harness import Case, make_op


def make(channels=4, pe=2, vectors=(1, 2, 3), **attributes) -> Lookup:
    base = {
        "NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "levels": 4,
        "inputDataType": "INT12", "outputDataType": "INT8",
    }  # fmt: skip
    return make_op(Lookup, inputs=3, **base | attributes)


def case(seed: int = 3, **attributes) -> Case:
    """Starts over the whole range of the accumulators, some twice; codes in no order."""
    op = make(**attributes)
    rng, acc, out = np.random.default_rng(seed), op.get_input_datatype(), op.get_output_datatype()
    starts = rng.integers(int(acc.min()), int(acc.max()), (op.rows, (1 << op.levels) - 1))
    starts = np.sort(np.concatenate([starts[:, :-1], starts[:, :1]], axis=1), axis=1)
    codes = rng.integers(int(out.min()), int(out.max()), (op.rows, 1 << op.levels), endpoint=True)
    kind = "tensor" if op.rows == 1 else "channel"
    name = f"{acc.name}-{out.name}-{op.levels}-{op.channels}/{op.pe}-{kind}"
    return Case(name, op, (starts, codes))


CASES = [
    case(),
    case(levels=8, inputDataType="INT20", channels=6, pe=3, outputDataType="UINT8"),
    case(levels=1, inputDataType="INT17", outputDataType="INT2", channels=3, pe=1),
    case(levels=9, inputDataType="UINT32", channels=2, pe=1, outputDataType="INT32"),
    case(levels=8, inputDataType="UINT8", channels=4, pe=4, perChannel=0),
    case(levels=3, inputDataType="INT5", channels=1, pe=1, vectors=(1,)),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_the_search_counts_the_starts_that_are_reached():
    op = make(channels=1, pe=1, levels=2)
    starts, codes = np.array([[-5, 0, 0]]), np.array([[7, -1, 99, 3]])
    acc = np.array([[-6], [-5], [-1], [0], [9]])
    assert op.golden(acc, starts, codes)[0].ravel().tolist() == [7, -1, -1, 3, 3]


def test_words_of_the_memories():
    op = make(channels=4, pe=2, levels=2, inputDataType="INT4", outputDataType="UINT4")
    starts = np.array([[-3, 0, 3], [-2, 1, 4], [-1, 2, 5], [0, 3, 6]])
    codes = np.arange(16).reshape(4, 4)
    memories = op.rtl_memories(starts, codes)
    assert memories["START_FILE[0]"] == (8, [0x10, 0x32])
    assert memories["START_FILE[1]"] == (8, [0xED, 0x43, 0x0F, 0x65])
    assert memories["CODE_FILE"] == (8, [0x40, 0x51, 0x62, 0x73, 0xC8, 0xD9, 0xEA, 0xFB])


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"pe": 3}, "PE=3 does not divide the 4 channels of dut; use one of"),
        ({"inputDataType": "INT33"}, "dut takes INT33; a table takes accumulators of up to 32"),
        ({"levels": 10}, "levels=10 of dut is not in 1..9"),
    ],
)
def test_illegal_attributes_are_named(attributes, text):
    with pytest.raises(UserError, match=text):
        make(**attributes).rtl_parameters()


@pytest.mark.parametrize(
    ("starts", "codes", "text"),
    [
        (np.zeros((4, 14)), np.zeros((4, 16)), r"starts \(4, 14\) and codes \(4, 16\) of dut must"),
        (-np.tile(np.arange(15), (4, 1)), np.zeros((4, 16)), "starts of dut must ascend"),
        (np.zeros((4, 15)), np.full((4, 16), 128), "codes of dut are not all in the range of INT8"),
    ],
)
def test_illegal_tables_are_named(starts, codes, text):
    with pytest.raises(UserError, match=text):
        make().rtl_memories(starts.astype(np.int64), codes.astype(np.int64))
