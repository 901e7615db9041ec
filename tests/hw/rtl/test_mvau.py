# SPDX-License-Identifier: Apache-2.0
"""FINN's dense unit with our adder tree and our weight memory, exact against numpy."""

from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.datatype import DataType

from host.common.arrays import IntArray
from hw.finn.environment import finn_rtl
from hw.ops.base import KernelOp
from hw.ops.unit import Resources
from hw.ops.weight_stream import mvau_weight_words
from hw.rtl_files import RTL_FOLDER, files_of
from tests.hw.rtl.harness import Case, make_op, random_integers

SOURCES = (
    *(finn_rtl(name) for name in ("mvu_pkg", "replay_buffer", "mvu", "mvu_vvu_axi")),
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
    case(6, 5, 3, 5, "INT8", narrow=0),
    case(34, 2, 17, 1, narrow=0),
    case(5, 6, 1, 3, "INT8"),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)
