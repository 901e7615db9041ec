# SPDX-License-Identifier: Apache-2.0
"""stream_fork: one to four copies, each output with stalls of its own."""

from hw.ops import StreamFork
from tests.hw.rtl.harness import Bench, Case, make_op


def fork(
    copies: int, dtype: str = "UINT8", channels: int = 4, pe: int = 2, pixels: int = 7
) -> Case:
    op = make_op(
        StreamFork, outputs=copies, NumChannels=channels, PE=pe, numInputVectors=[1, 1, pixels],
        inputDataType=dtype,
    )  # fmt: skip
    return Case(f"{copies}-{dtype}-{channels}/{pe}-{pixels}", op)


CASES = [
    fork(1),
    fork(2),
    fork(2, "INT13", channels=3, pe=3),
    fork(3, "INT8", channels=8, pe=1),
    fork(4, "UINT1", channels=1, pe=1, pixels=1),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)
