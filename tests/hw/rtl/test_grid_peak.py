# SPDX-License-Identifier: Apache-2.0
"""grid_peak: lanes, ties, close scores, scores and steps at the ends of their range, one cell."""

import numpy as np
import pytest

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops import GridPeak
from tests.hw.rtl.harness import Bench, Case, make_op


def peak(
    dtype: str, landmarks: int, pe: int, grid: tuple[int, int] = (3, 3), step_bits: int = 8
) -> GridPeak:
    return make_op(
        GridPeak,
        inputs=2,
        NumChannels=3 * landmarks,
        PE=pe,
        numInputVectors=(1, *grid),
        inputDataType=dtype,
        stepBits=step_bits,
    )


def wide(op: GridPeak) -> GridPeak:
    """The same with places in the words that the host reads."""
    op.set_nodeattr("outputDataType", "INT32")
    return op


def steps_of(op: GridPeak) -> IntArray:
    """Random steps and shifts; the largest steps and the shifts 0 and the largest among them."""
    most, bits = (1 << op.step_bits) - 1, op.get_input_datatype().bitwidth()
    rng = np.random.default_rng(op.landmarks)
    steps = rng.integers(1, most, (op.landmarks, 3), endpoint=True)
    steps[0] = most
    steps[:, 2] = rng.integers(0, min(most, bits), op.landmarks)
    steps[-1, 2], steps[len(steps) // 2, 2] = 0, min(most, 31)
    return steps


def case(op: GridPeak) -> Case:
    rows, columns = op.grid
    name = f"{op.get_input_datatype().name}-{op.landmarks}/{op.pe}-{rows}x{columns}"
    return Case(f"{name}-{op.step_bits}-{op.get_output_datatype().name}", op, (steps_of(op),))


def ties(op: GridPeak) -> Case:
    """Scores that are all equal in half of the landmarks, else equal in half of the cells."""
    rng, cells = np.random.default_rng(3), op.grid[0] * op.grid[1]
    tensor = rng.integers(-8, 8, (cells, op.landmarks, 3))
    tensor[:, ::2, 0] = -8
    tensor[1::2, 1::2, 0] = 7
    data = (tensor.reshape(*op.vectors, op.channels),)
    return Case(f"ties-{op.landmarks}", op, (steps_of(op),), data=data)


def close(op: GridPeak) -> Case:
    """Scores as far apart as the shifts make halvings of, offsets at the ends of their range."""
    rng, dtype = np.random.default_rng(4), op.get_input_datatype()
    steps = steps_of(op)
    steps[:, 2] = np.arange(op.landmarks) % 5
    shape = (op.grid[0] * op.grid[1], op.landmarks)
    scores = rng.integers(0, 20 << steps[:, 2], shape)
    offsets = rng.choice([int(dtype.min()), -1, 0, int(dtype.max())], (*shape, 2))
    tensor = np.concatenate([scores[..., None], offsets], 2)
    data = (tensor.reshape(*op.vectors, op.channels),)
    return Case(f"close-{op.landmarks}-{dtype.name}", op, (steps,), data=data)


CASES = [
    *(
        case(op)
        for op in (
            peak("INT20", 4, 1),
            peak("INT20", 4, 2, step_bits=14),
            peak("INT9", 6, 6, (2, 5)),
            peak("INT24", 5, 5, (7, 3), 20),
            peak("INT20", 98, 1, (2, 3), 13),
            peak("INT8", 3, 1, (1, 1)),
            peak("INT2", 2, 1, (1, 2), 1),
            peak("INT5", 1, 1, (4, 4)),
        )
    ),
    case(wide(peak("INT20", 4, 2, (2, 2), 12))),
    ties(peak("INT4", 4, 2, (2, 4))),
    close(peak("INT12", 5, 1, (3, 4))),
    close(peak("INT20", 10, 2, (2, 2), 14)),
    close(peak("INT10", 6, 3, (4, 1))),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


@pytest.mark.parametrize(
    ("cells", "shift", "places"),
    [
        ([[-8, 1, 2], [3, 4, 5], [3, 6, 7], [2, 0, 0]], 0, [55, 106]),  # half way from [104, 5]
        ([[3, 1, 2], [3, 4, 5], [3, 6, 7], [3, 0, 0]], 0, [52, 3]),  # the first two of equal ones
        ([[-8, 1, 2], [3, 4, 5], [2, 6, 7], [-1, 0, 0]], 0, [79, 55]),  # a quarter of the way
        ([[-8, 1, 2], [3, 4, 5], [0, 6, 7], [-1, 0, 0]], 0, [97, 17]),  # a sixteenth
        ([[-8, 1, 2], [3, 4, 5], [0, 6, 7], [-1, 0, 0]], 1, [79, 55]),  # 3 >> 1 is 1
        ([[-8, 0, 2], [7, 0, 5], [-8, 6, 7], [-8, 0, 0]], 0, [99, 4]),  # by 65536, rounded down
    ],
)
def test_places_by_hand(cells: list[list[int]], shift: int, places: list[int]) -> None:
    op = peak("INT4", 1, 1, (2, 2))
    found = op.golden(np.array(cells).reshape(1, 2, 2, 3), np.array([[100, 200, shift]]))[0]
    assert found.reshape(-1).tolist() == places


@pytest.mark.parametrize(
    ("dtype", "grid", "step_bits", "expected"),
    [("INT20", (14, 14), 13, "INT21"), ("INT8", (1, 1), 8, "INT8"), ("INT8", (2, 1), 8, "INT10")],
)
def test_places_fit_the_output_type(
    dtype: str, grid: tuple[int, int], step_bits: int, expected: str
) -> None:
    op = peak(dtype, 1, 1, grid, step_bits)
    cells = np.full((1, *grid, 3), int(op.get_input_datatype().max()))
    cells[..., 0] = -2
    cells[0, -1, -1, 0] = 1
    (places,) = op.golden(cells, np.array([[(1 << step_bits) - 1] * 2 + [0]]))
    assert op.get_output_datatype().name == expected
    assert op.get_output_datatype().allowed(int(places.max()))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"PE": 3}, r"PE=3 does not divide the 4 landmarks of dut; use one of \[1, 2, 4\]"),
        ({"NumChannels": 13}, "dut takes 13 channels; each landmark has 3"),
        ({"outputDataType": "INT10"}, "outputDataType=INT10 of dut does not hold.*at least INT11"),
        ({"inputDataType": "UINT8"}, "inputDataType=UINT8 is unsigned"),
        ({"stepBits": 0}, r"stepBits=0 of dut is not in 1\.\.24"),
    ],
)
def test_illegal_attributes(change: dict[str, int | str], text: str) -> None:
    op = peak("INT8", 4, 1)
    for name, value in change.items():
        op.set_nodeattr(name, value)
    with pytest.raises(UserError, match=text):
        op.rtl_parameters()


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (np.ones((4, 2), int), r"the shape \(4, 2\); there must be two and a shift for each"),
        (np.zeros((4, 3), int), r"steps of dut are 0\.\.0; use 1 to 255 \(stepBits=8\)"),
        (np.full((4, 3), 256), r"steps of dut are 256\.\.256; use 1 to 255"),
        (np.full((4, 3), 32), r"shifts of dut are 32\.\.32; use 0 to 31"),
        (np.tile([1, 1, -1], (4, 1)), r"shifts of dut are -1\.\.-1; use 0 to 31"),
    ],
)
def test_illegal_steps(steps: IntArray, text: str) -> None:
    op = peak("INT8", 4, 1)
    for use in (op.rtl_memories, lambda values: op.cpp_table([values])):
        with pytest.raises(UserError, match=text):
            use(steps)
