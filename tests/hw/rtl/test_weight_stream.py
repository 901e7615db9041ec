# SPDX-License-Identifier: Apache-2.0
"""Weight memory in hardware, FINN's weight order and its operator's errors."""

import numpy as np
import pytest
from qonnx.core.datatype import DataType

from host.common.errors import UserError
from hw.ops import WeightStream
from hw.ops.weight_stream import mvau_weight_words
from tests.hw.rtl.harness import Case, random_integers


def case(depth: int, lanes: int, dtype: str = "INT8", style: str = "block", registers: int = 0):
    values = random_integers(np.random.default_rng(depth), DataType[dtype], (depth, lanes))
    op = WeightStream.from_lanes("weights", values, dtype, style, repeats=3)
    op.set_nodeattr("readRegisters", registers)
    return Case(f"{depth}x{lanes}-{dtype}-{style}-{registers}", op, (values,))


CASES = [
    case(1, 1),
    case(2, 3, "INT5", "distributed"),
    case(5, 4),
    case(64, 9, "INT3", "distributed"),
    case(100, 40),
    case(1, 3, registers=1),
    case(7, 5, "INT4", "distributed", registers=3),
    case(40, 12, registers=8),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_dense_words_go_output_fold_by_input_fold():
    weights = np.arange(1, 9).reshape(2, 4)  # (MW, MH)
    words = mvau_weight_words(weights, pe=2, simd=1, bits=8)
    assert words == [0x0201, 0x0605, 0x0403, 0x0807]
    assert mvau_weight_words(weights, pe=2, simd=2, bits=8) == [0x06020501, 0x08040703]


def test_negative_dense_weights_wrap_to_their_bits():
    assert mvau_weight_words(np.array([[-1], [1]]), pe=1, simd=2, bits=4) == [0x1F]


@pytest.mark.parametrize(("pe", "simd"), [(3, 1), (1, 3)])
def test_a_dense_folding_that_does_not_divide_is_refused(pe, simd):
    text = f"SIMD={simd}, PE={pe} do not divide a weight matrix of 2 x 4"
    with pytest.raises(UserError, match=text):
        mvau_weight_words(np.zeros((2, 4), int), pe, simd, 8)


def test_illegal_attributes_are_named():
    lanes = np.zeros((2, 4), int)
    op = WeightStream.from_lanes("w", lanes, "INT8")
    op.set_nodeattr("PE", 2)
    with pytest.raises(UserError, match="PE=2 of w is not its 4 lanes"):
        op.rtl_parameters()


def test_ultra_words_must_be_on_the_chain():
    op = WeightStream.from_lanes("w", np.zeros((2, 4), int), "INT8", "ultra")
    with pytest.raises(UserError, match="ramStyle=ultra of w needs a place on the chain"):
        op.rtl_parameters()


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("chainIndex", 4096, r"chainIndex=4096 of w is not in 0\.\.4095, nor -1 for a constant"),
        ("readRegisters", 9, r"readRegisters=9 of w is not in 0\.\.8, nor -1 for automatic"),
        ("numInputVectors", [(1 << 20) + 1], "w has 1048577 words; use wider ones, at most"),
    ],
)
def test_attributes_out_of_range_are_named(attribute, value, text):
    op = WeightStream.from_lanes("w", np.zeros((2, 4), int), "INT8")
    op.set_nodeattr(attribute, value)
    with pytest.raises(UserError, match=text):
        op.rtl_parameters()


@pytest.mark.parametrize(
    ("style", "depth", "registers"),
    [("block", 9000, 0), ("ultra", 4096, 0), ("ultra", 4097, 1), ("ultra", 50000, 8)],
)
def test_registers_follow_the_cascade_of_ultra(style, depth, registers):
    op = WeightStream.from_lanes("w", np.zeros((depth, 1), int), "INT8", style, chain_index=0)
    assert op.rtl_parameters()["READ_REGS"] == registers


@pytest.mark.parametrize(
    ("lanes", "text"),
    [
        (np.zeros((3, 4), int), r"w is 2 words of 4 lanes, its weights come as \(3, 4\)"),
        (np.full((2, 4), 8), r"weights 8\.\.8 of w do not fit INT4"),
    ],
)
def test_illegal_weights_are_named(lanes, text):
    op = WeightStream.from_lanes("w", np.zeros((2, 4), int), "INT4")
    with pytest.raises(UserError, match=text):
        op.rtl_memories(lanes)
