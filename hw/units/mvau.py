# SPDX-License-Identifier: Apache-2.0
"""FINN's dense unit: a matrix-vector product, weights from a memory beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import ClassVar

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.dense import Dense
from hw.ops.fifo import lut_memory_luts
from hw.ops.layers import set_layer
from hw.ops.unit import Resources, Sizes, Stream, Table
from hw.ops.weight_stream import mvau_weight_lanes, weight_table
from hw.units.finn import ORIGIN, FinnUnit

QUEUE = "mvu_vvu_axi.sv"  #: of FINN's files, has the output queue
SHORT, LONG = "3 + $clog2(SIMD+1) + (SIMD == 1)", "5 + $clog2(SIMD) + (SIMD == 1)"
"""Sums on their way when the output stalls: by FINN, and as its pipeline (mvu.sv) and the cycle
until the stall is seen have it. With too few the queue overflows if every cycle begins a sum."""
DSP_BITS = 27  #: of the multiplier's wide operand, which lanes share
KEPT = ("MW", "MH", "SIMD", "PE", "numInputVectors", "inputDataType", "weightDataType")


class Mvau(FinnUnit):
    """MVAU_rtl without thresholds; takes no input while it works on a vector."""

    pauses = True
    cpp_kernel = "dense"
    channels_of: ClassVar[Mapping[str, str]] = {"SIMD": "MW", "PE": "MH"}
    tied: ClassVar[Mapping[str, str]] = {"ap_clk2x": "1'b0"}

    @property
    def rtl_modules(self) -> tuple[str, ...]:
        """Our adder tree takes the place of FINN's, which does not elaborate in Verilator."""
        return ("add_multi",)

    @property
    def _sizes(self) -> Sizes:
        return {name: int(self.op.get_nodeattr(name)) for name in KEPT[:4]}

    @property
    def _pixels(self) -> int:
        return int(np.prod(self.op.get_nodeattr("numInputVectors")))

    @property
    def weights(self) -> Stream:
        return self._input(1)

    def generated_rtl(
        self, scratch: Path, model: ModelWrapper, part: str, clk_ns: float
    ) -> list[Path]:
        """FINN's files, the output queue as long as the pipeline."""
        files = super().generated_rtl(scratch, model, part, clk_ns)
        return [mended(file, scratch) if file.name == QUEUE else file for file in files]

    def weight_lanes(self, weights: IntArray) -> IntArray:
        return mvau_weight_lanes(weights, self.get_fold("PE"), self.get_fold("SIMD"))

    @property
    def multiplications(self) -> int:
        return self._pixels * self._sizes["MW"] * self._sizes["MH"]

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        return [self.inputs[0].pixel_words]

    def resources(self) -> Resources:
        """Two outputs a DSP, adder trees, the replay of a pixel, output queue."""
        mw, mh, simd, pe = self._sizes.values()
        acc, act, weight = self.outputs[0].bits, self.inputs[0].bits, self.weights.bits
        lanes = 1 + (DSP_BITS - weight - 1) // (weight + act - 1)
        folds_in, folds_out = mw // simd, mh // pe
        replay = lut_memory_luts(simd * act, folds_in) + 40 if folds_out > 1 else 0
        tree = pe * (simd - 1) * (acc + 2)
        return Resources(
            lut=40 + replay + tree + 2 * pe * acc + pe * simd * 2,
            ff=30 + simd * act + tree + 2 * pe * acc + pe * simd * 2,
            dsp=ceil(pe / lanes) * simd,
            origin=ORIGIN,
        )

    def cpp_sizes(self) -> Sizes:
        act = self.inputs[0]
        return {
            "SHARE": 1,
            "PIXELS": self._pixels,
            **self._sizes,
            "ACT_WIDTH": act.bits,
            "ACT_SIGNED": int(act.datatype.signed()),
            "WEIGHT_WIDTH": self.weights.bits,
            "ACC_WIDTH": self.outputs[0].bits,
        }

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        (weights,) = constants
        return weight_table(self.weight_lanes(weights), self.weights.bits)


def mended(file: Path, folder: Path) -> Path:
    """FINN's file with LONG for SHORT, written into ``folder``; UserError if it is another file."""
    text = file.read_text()
    if text.count(SHORT) != 1:
        raise UserError(
            f"{file} is not that of finn-plus 1.6.1: its output queue cannot be mended; compare "
            "SHORT in hw/units/mvau.py"
        )
    path = folder / file.name
    path.write_text(text.replace(SHORT, LONG))
    return path


def in_place_of(dense: Dense) -> NodeProto:
    """A node of FINN's unit, under the same name and with the same folds, for one of ours."""
    ours = dense.onnx_node
    node = helper.make_node(
        "MVAU_rtl",
        ours.input,
        ours.output,
        ours.name,
        domain="finn.custom_op.fpgadataflow.rtl",
        backend="fpgadataflow",
        exec_mode="cppsim",
        mem_mode="external",  # weights come from our weight_stream
        ram_style=dense.ram_style,
        noActivation=1,
        accDataType=dense.get_output_datatype().name,
        outputDataType=dense.get_output_datatype().name,
        **{name: dense.get_nodeattr(name) for name in KEPT},
    )
    set_layer(node, dense.layer)
    return node
