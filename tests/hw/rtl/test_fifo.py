# SPDX-License-Identifier: Apache-2.0
"""fifo: every memory style at edge depths and odd widths, and the rule that picks a style."""

import json
from pathlib import Path

import pytest

from hw.ops import Fifo
from hw.ops.fifo import STYLES, TIMING, auto_style
from tests.hw.rtl.harness import Bench, Case, make_op


def fifo(depth: int, style: str, dtype: str = "UINT8", pe: int = 1, words: int = 40) -> Case:
    op = make_op(
        Fifo, NumChannels=pe, PE=pe, numInputVectors=[1, words], inputDataType=dtype,
        depth=depth, style=style,
    )  # fmt: skip
    return Case(f"{style}-{depth}x{pe * op.get_input_datatype().bitwidth()}", op)


CASES = [
    *(fifo(2, style, "INT7") for style in STYLES),
    *(fifo(5, style, pe=3) for style in STYLES),
    *(fifo(16, style, "UINT1") for style in STYLES),
    fifo(33, "srl", "INT17", pe=4, words=90),
    fifo(64, "block", "INT17", pe=4, words=90),
    fifo(2, "auto", words=1),
]


def test_kernel(bench: Bench, case: Case) -> None:
    bench.check(case)


def test_capacity_and_peak(bench: Bench, tmp_path: Path) -> None:
    ops = [case.op for case in bench.cases]
    (tmp_path / "cycles.json").write_text(json.dumps([op.depth + 10 for op in ops]))
    bench.simulator.run("tests.hw.rtl.fifo_capacity", tmp_path, seed=1)
    held = [op.depth + TIMING[op.style].registers for op in ops]
    keys = ("taken", "came", "peak_when_full", "peak_when_empty")
    measured = json.loads((tmp_path / "measured.json").read_text())
    assert measured == [dict.fromkeys(keys, words) for words in held]


@pytest.mark.parametrize(
    ("width", "depth", "style"),
    [
        (64, 2, "srl"), (64, 32, "srl"), (64, 33, "distributed"), (64, 256, "distributed"),
        (64, 257, "block"), (64, 1024, "block"), (64, 1025, "ultra"),
        (8, 640, "distributed"), (8, 672, "distributed"), (8, 673, "block"), (8, 4096, "block"),
    ],
)  # fmt: skip
def test_auto_style(width: int, depth: int, style: str) -> None:
    assert auto_style(width, depth) == style
