# SPDX-License-Identifier: Apache-2.0
"""FINN's dense unit with our adder tree and our weight memory, exact against numpy."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from qonnx.core.datatype import DataType

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.finn.environment import finn_rtl
from hw.ops.base import KernelOp
from hw.ops.unit import Resources
from hw.ops.weight_stream import mvau_weight_words
from hw.rtl_files import RTL_FOLDER, files_of
from hw.units.mvau import mended
from tests.hw.rtl.harness import Bench, Case, make_op, random_integers

FOLDER = TemporaryDirectory()
AS_FINN_HAS_IT = finn_rtl("mvu_vvu_axi")
MENDED = mended(AS_FINN_HAS_IT, Path(FOLDER.name))
SOURCES = (
    *(finn_rtl(name) for name in ("mvu_pkg", "replay_buffer", "mvu")),
    MENDED,
    Path(__file__).with_name("kl_mvau_bench.sv"),
    RTL_FOLDER / "add_multi.sv",
    *files_of(["kl_weight_stream"]),
)


class Dense(KernelOp):
    """FINN's unit as if it were ours: matrix MW x MH (= NumChannels), SIMD inputs a word."""

    rtl_module = "mvau_bench"

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "MW": ("i", True, 0), "SIMD": ("i", True, 0), "narrow": ("i", False, 1),
        }  # fmt: skip

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        return (inputs[0] @ inputs[1],)

    def rtl_parameters(self) -> dict[str, int | str]:
        act = self.get_input_datatype()
        return {
            "MW": self.get_nodeattr("MW"), "MH": self.channels, "PE": self.pe,
            "SIMD": self.get_nodeattr("SIMD"), "ACT_WIDTH": act.bitwidth(),
            "ACT_SIGNED": int(act.signed()), "ACC_WIDTH": 24, "NARROW": self.get_nodeattr("narrow"),
        }  # fmt: skip

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        simd = self.get_nodeattr("SIMD")
        return {"FILE": (8 * self.pe * simd, mvau_weight_words(constants[0], self.pe, simd, 8))}

    def latency(self) -> int:
        """DSP and adder tree, output queue, and the replay buffer where outputs are folded."""
        simd = self.get_nodeattr("SIMD")
        tree = max(1, (simd - 1).bit_length())
        return 4 + tree + 2 + 2 * (self.channels > self.pe)

    def resources(self) -> Resources:
        return Resources()

    def get_output_datatype(self, ind: int = 0):
        return DataType["INT24"]

    def get_normal_input_shape(self, ind: int = 0):
        return (*self.vectors, self.get_nodeattr("MW"))

    def get_folded_input_shape(self, ind: int = 0):
        simd = self.get_nodeattr("SIMD")
        return (*self.vectors, self.get_nodeattr("MW") // simd, simd)

    def get_normal_output_shape(self, ind: int = 0):
        return (*self.vectors, self.channels)

    def get_exp_cycles(self) -> int:
        simd = self.get_nodeattr("SIMD")
        return (
            int(np.prod(self.vectors)) * self.get_nodeattr("MW") // simd * self.channels // self.pe
        )


def case(mw: int, mh: int, simd: int, pe: int, dtype: str = "UINT8", narrow: int = 1) -> Case:
    op = make_op(
        Dense, inputs=2, MW=mw, NumChannels=mh, SIMD=simd, PE=pe, inputDataType=dtype,
        numInputVectors=[1, 2, 3], narrow=narrow,
    )  # fmt: skip
    weights = random_integers(np.random.default_rng(mw), DataType["INT8"], (mw, mh))
    weights = np.maximum(weights, -127 if narrow else -128)
    return Case(f"{mw}x{mh}-simd{simd}-pe{pe}-{dtype}-narrow{narrow}", op, (weights,), 3, SOURCES)


CASES = [
    case(4, 3, 1, 1),
    case(4, 4, 2, 2, "INT8"),
    case(8, 16, 4, 8),
    case(18, 8, 9, 4, "INT8"),
    case(9, 4, 9, 4),
    case(8, 4, 8, 4),
    case(6, 5, 3, 5, "INT8", narrow=0),
    case(34, 2, 17, 1, narrow=0),
    case(5, 6, 1, 3, "INT8"),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def blocked(bench, tmp_path):
    """Words taken and given by each case when its output was blocked for a while."""
    (tmp_path / "cases.json").write_text(json.dumps(len(bench.cases)))
    bench.simulator.run("tests.hw.rtl.mvau_queue", tmp_path, seed=1)
    return json.loads((tmp_path / "measured.json").read_text())


def test_a_blocked_output_loses_nothing(bench, tmp_path):
    for case, (taken, came) in zip(bench.cases, blocked(bench, tmp_path), strict=True):
        op = case.op
        vectors, rest = divmod(taken * op.get_nodeattr("SIMD"), op.get_nodeattr("MW"))
        folds = op.channels // op.pe
        assert vectors * folds - (folds if rest == 0 else 0) <= came <= vectors * folds, case


def test_finns_own_queue_overflows(tmp_path, object_cache):
    """Every cycle begins a sum."""
    own = tuple(AS_FINN_HAS_IT if path == MENDED else path for path in SOURCES)
    bench = Bench([replace(CASES[5], extra_sources=own)], tmp_path, object_cache)
    with pytest.raises(AssertionError, match="Overflowing output queue"):
        blocked(bench, tmp_path)


def test_another_version_of_finns_file_is_refused(tmp_path):
    file = tmp_path / "mvu_vvu_axi.sv"
    file.write_text("module mvu_vvu_axi; endmodule\n")
    with pytest.raises(UserError, match="is not that of finn-plus 1.6.1: its output queue cannot"):
        mended(file, tmp_path)
