# SPDX-License-Identifier: Apache-2.0
"""stream_concat: equal and unequal vectors, one word each, up to four inputs."""

from hw.ops import StreamConcat
from tests.hw.rtl.harness import Bench, Case, make_op


def concat(channels: list[int], pe: int, dtype: str = "INT8", pixels: int = 3) -> Case:
    op = make_op(
        StreamConcat, inputs=len(channels), ChannelsPerInput=channels, PE=pe,
        numInputVectors=[1, 1, pixels], inputDataType=dtype,
    )  # fmt: skip
    return Case(f"{'+'.join(map(str, channels))}/{pe}-{dtype}-{pixels}", op)


def frames(maps: list[tuple[int, int, int]], pe: int) -> Case:
    """Whole maps (height, width, channels) one after another."""
    found = concat([height * width * channels for height, width, channels in maps], pe, pixels=1)
    found.op.set_nodeattr("frames", 1)
    return Case(f"frames-{found.name}", found.op)


CASES = [
    concat([16, 32, 128], 16, pixels=1),
    concat([16, 32, 128], 8, pixels=2),
    concat([4, 4], 4),
    concat([6, 3], 3, "UINT5"),
    concat([1, 2, 3, 4], 1, "UINT1"),
    concat([8], 2),
    concat([514, 2], 2, pixels=1),
    frames([(2, 2, 4), (1, 3, 2)], 2),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)
