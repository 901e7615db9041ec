# SPDX-License-Identifier: Apache-2.0
"""grid_peak: lanes, ties, scores at the ends of their range, a frame of one cell."""

import numpy as np
import pytest

from host.common.errors import UserError
from hw.ops import GridPeak
from tests.hw.rtl.harness import Bench, Case, make_op


def peak(dtype: str, landmarks: int, lanes: int, vectors: tuple[int, ...] = (1, 3, 3)) -> GridPeak:
    return make_op(
        GridPeak,
        NumChannels=3 * landmarks,
        PE=3 * lanes,
        numInputVectors=vectors,
        inputDataType=dtype,
    )


def ties(op: GridPeak) -> Case:
    """A case whose scores are all equal in half of the landmarks, and equal in two cells."""
    rng = np.random.default_rng(3)
    cells = rng.integers(-8, 8, (op.cells, op.landmarks, 3))
    cells[:, ::2, 0] = -8
    cells[1::2, 1::2, 0] = 7
    shape = (*op.vectors, op.channels)
    return Case(f"ties-{op.landmarks}", op, data=(cells.reshape(shape),))


CASES = [
    *(
        Case(f"{op.get_nodeattr('inputDataType')}-{op.landmarks}/{op.pe // 3}-{op.cells}", op)
        for op in (
            peak("INT20", 4, 1),
            peak("INT20", 4, 2),
            peak("INT9", 6, 6),
            peak("INT24", 5, 5, (1, 7, 7)),
            peak("INT20", 98, 1, (1, 2, 3)),
            peak("INT8", 3, 1, (1, 1, 1)),
            peak("INT2", 2, 1, (1, 1, 2)),
            peak("INT5", 1, 1, (1, 4, 4)),
        )
    ),
    ties(peak("INT4", 4, 2, (1, 2, 4))),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_the_first_of_equal_scores_wins() -> None:
    op = peak("INT4", 1, 1, (1, 2, 2))
    cells = np.array([[-8, 1, 2], [3, 4, 5], [3, 6, 7], [2, 0, 0]]).reshape(1, 2, 2, 3)
    assert op.golden(cells)[0].reshape(-1).tolist() == [1, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("INT8", 4, 3), "PE=9 does not divide the 12 channels of dut; use one of"),
        (("INT4", 4, 1), "inputDataType=INT4 is unsigned or does not hold the numbers of 9 cells"),
        (("UINT8", 4, 1), "inputDataType=UINT8 is unsigned or does not hold"),
    ],
)
def test_illegal_attributes(arguments: tuple[str, int, int], text: str) -> None:
    op = peak(*arguments)
    with pytest.raises(UserError, match=text):
        op.rtl_parameters(), op.get_output_datatype()


def test_a_word_holds_whole_landmarks() -> None:
    op = peak("INT8", 4, 1)
    op.set_nodeattr("PE", 4)
    with pytest.raises(UserError, match=r"PE=4 splits the landmarks of dut.*use one of \[3, 6, 12"):
        op.rtl_parameters()
