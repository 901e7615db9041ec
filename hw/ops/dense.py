# SPDX-License-Identifier: Apache-2.0
"""Matrix-vector unit in which neighbouring pixels share each word of weights.

A DSP multiplies a weight with the inputs of two pixels, so that a pair of pixels takes the cycles
that FINN's unit of the same SIMD and PE takes for one. Pumped, the DSPs run at twice the clock and
multiply it with those of a second pair too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import OUTPUT_BITS, RAM_STYLE, KernelOp, check_weight_type, divisors
from hw.ops.fifo import lut_memory_luts
from hw.ops.unit import Resources, Sizes, Table
from hw.ops.weight_stream import mvau_weight_lanes, weight_table
from hw.ops.widths import sum_of_products

MAX_BITS = 8  #: of an input and of a weight: four products fit 18 bits with sign
MAX_ACC_BITS = 48
SPACING = 18  #: bits between the pixels in a DSP
CHAIN = 4  #: most products summed inside the DSPs
CROSSING = 3  #: registers of a chain's sums on their way from twice the clock, 36 bits each
PUMPED, TRIPLE = "DensePumped", "DenseTriple"
"""The unit with ``pumped`` or ``triple`` where a folding file chooses between kernels."""
TRIPLE_BITS = 4  #: of a weight at most: three products of 11 bits fit beside one another
TRIPLE_STAGES = 6  #: to the sums of a chain
FIELD = 11  #: bits of each of the three


class Dense(KernelOp):
    """Takes the place of an MVAU with INT weights and neither thresholds nor a memory inside.

    ONNX inputs: data (1, H, W, MW) and weights (MW, MH), whose words a WeightStream feeds to the
    port ``s_weight``. Output: accumulators (1, H, W, MH) of accDataType. ``numInputVectors`` is
    (1, H, W); MW, MH, SIMD and PE mean what they do in FINN. With ``pumped`` 1 the DSPs run at
    twice the clock, and four pixels share a word of weights instead of two. With ``triple`` 1 a DSP
    multiplies weights of three outputs, of up to 4 bits, with one pixel.
    """

    replaces = "MVAU"
    rtl_module = cpp_kernel = "dense"
    stream_inputs = 2
    takes_weights = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        types = super().get_nodeattr_types() | {
            "MW": ("i", True, 0),
            "MH": ("i", True, 0),
            "SIMD": ("i", False, 1),
            "weightDataType": ("s", True, ""),
            "accDataType": ("s", True, ""),
            "ramStyle": RAM_STYLE,
            "pumped": ("i", False, 0, {0, 1}),
            "triple": ("i", False, 0, {0, 1}),
        }
        del types["NumChannels"]  # MW
        return types

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Accumulators just wide enough, those of the last layer for the host."""
        old, activation = getCustomOp(node), model.get_tensor_datatype(node.input[0])
        sums = sum_of_products(model.get_initializer(node.input[1]).T, activation).name
        inner = model.find_consumers(node.output[0])
        return {
            **{name: old.get_nodeattr(name) for name in ("MW", "MH", "weightDataType")},
            "numInputVectors": model.get_tensor_shape(node.input[0])[:-1],
            "inputDataType": activation.name,
            "accDataType": sums if inner else f"INT{OUTPUT_BITS}",
        }

    @classmethod
    def inputs_for(cls, node: NodeProto) -> list[str]:
        """Data and weights."""
        return list(node.input[:2])

    @property
    def channels(self) -> int:
        """Inputs of a pixel."""
        return int(self.get_nodeattr("MW"))

    @property
    def outputs_a_pixel(self) -> int:
        """Outputs of a pixel."""
        return int(self.get_nodeattr("MH"))

    @property
    def simd(self) -> int:
        """Inputs in a stream word."""
        return int(self.get_nodeattr("SIMD"))

    @property
    def pixel_words(self) -> tuple[int, int]:
        """Words of a pixel, input and output."""
        return self.channels // self.simd, self.outputs_a_pixel // self.pe

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return int(np.prod(self.vectors))

    def choose_kernel(self, kernel: str) -> None:
        self.set_nodeattr("pumped", int(kernel == PUMPED))
        self.set_nodeattr("triple", int(kernel == TRIPLE))

    def can_be(self, kernel: str) -> bool:
        return kernel != TRIPLE or self.get_input_datatype(1).bitwidth() <= TRIPLE_BITS

    @property
    def triple(self) -> bool:
        """Whether three outputs share a DSP instead of two pixels."""
        return bool(self.get_nodeattr("triple"))

    @property
    def double_clock(self) -> bool:
        return bool(self.get_nodeattr("pumped"))

    @property
    def bursts(self) -> bool:
        """Of four pixels the last three leave one after another; there is room for a reader that
        takes a word a cycle (``PLACES`` of kl_dense)."""
        return self.double_clock

    @property
    def share(self) -> int:
        """Pixels that share a word of weights, a group."""
        return 4 if self.double_clock else 2

    @property
    def weight_passes(self) -> int:
        """How often the weight stream runs through its words in a frame: once a group of pixels."""
        return ceil(self.pixels / self.share)

    @property
    def kernels(self) -> tuple[str, ...]:
        """FINN's unit gives the same sums; it takes none that are narrower than a product."""
        names = ("inputDataType", "weightDataType")
        activation, weight = (DataType[self.get_nodeattr(name)] for name in names)
        product = activation.bitwidth() - activation.signed() + weight.bitwidth()
        wide = self.get_output_datatype().bitwidth() >= product
        return ("Dense", *(("MVAU",) if wide else ()), PUMPED, TRIPLE)

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """The matrix product; UserError if a sum leaves accDataType."""
        data, weights = inputs
        self.check_weights(weights, (self.channels, self.outputs_a_pixel))
        acc: IntArray = data @ weights
        self.check_accumulators(acc)
        return (acc,)

    def weight_lanes(self, weights: IntArray) -> IntArray:
        """Weights (MW, MH) as the lanes (words, PE*SIMD) of the stream of a group of pixels."""
        self.check_weights(weights, (self.channels, self.outputs_a_pixel))
        return mvau_weight_lanes(weights, self.pe, self.simd)

    # -- hardware ------------------------------------------------------------------------------

    @property
    def folds(self) -> dict[str, int]:
        return {"SIMD": self.channels, "PE": self.outputs_a_pixel}

    def check_folding(self) -> None:
        """Raise UserError unless SIMD divides the inputs and PE the outputs."""
        pairs = (
            ("SIMD", self.simd, self.channels, "MW"),
            ("PE", self.pe, self.outputs_a_pixel, "MH"),
        )
        for attribute, value, size, name in pairs:
            if value < 1 or size % value:
                raise UserError(
                    f"{attribute}={value} does not divide {name}={size} of "
                    f"{self.onnx_node.name}; use one of {divisors(size)}"
                )

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        self._check_widths()
        act = self.get_input_datatype(0)
        return {
            "PIXELS": self.pixels,
            "MW": self.channels,
            "MH": self.outputs_a_pixel,
            "SIMD": self.simd,
            "PE": self.pe,
            "ACT_WIDTH": act.bitwidth(),
            "ACT_SIGNED": int(act.signed()),
            "WEIGHT_WIDTH": self.get_input_datatype(1).bitwidth(),
            "ACC_WIDTH": self.get_output_datatype().bitwidth(),
            "PUMPED": int(self.double_clock),
            "TRIPLE": int(self.triple),
        }

    def rtl_wires(self) -> dict[str, str | None]:
        return {"clk2x": "clk2x" if self.double_clock else "1'b0"}

    def _check_widths(self) -> None:
        """Raise UserError unless two products fit beside one another in a DSP48E2."""
        name, acc = self.onnx_node.name, self.get_output_datatype()
        act, weight = self.get_input_datatype(0), self.get_input_datatype(1)
        check_weight_type(name, weight, TRIPLE_BITS if self.triple else MAX_BITS)
        if self.triple and self.double_clock:
            raise UserError(f"{name} has pumped and triple; set one of them")
        if act.bitwidth() > MAX_BITS:
            raise UserError(
                f"{name} takes {act.name}; two pixels fit a DSP with up to {MAX_BITS} bits each"
            )
        if acc.bitwidth() > MAX_ACC_BITS:
            raise UserError(
                f"accDataType={acc.name} of {name} is too wide; use up to {MAX_ACC_BITS} bits"
            )

    def rtl_ports(self) -> tuple[list[str], list[str]]:
        return ["s_axis", "s_weight"], ["m_axis"]

    def cpp_sizes(self) -> Sizes:
        sizes = ("SHARE", "PIXELS", "MW", "MH", "SIMD", "PE")
        widths = ("ACT_WIDTH", "ACT_SIGNED", "WEIGHT_WIDTH", "ACC_WIDTH")
        return self._cpp(*sizes, *widths, SHARE=2)

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        (weights,) = constants
        return weight_table(self.weight_lanes(weights), self.get_input_datatype(1).bitwidth())

    @property
    def multiplications(self) -> int:
        return self.pixels * self.channels * self.outputs_a_pixel

    def get_exp_cycles(self) -> int:
        """Weights of all groups, unless the words of an unfolded side take longer."""
        in_folds, out_folds = self.pixel_words
        return max(
            self.weight_passes * in_folds * out_folds,
            self.pixels * in_folds,
            self.pixels * out_folds,
        )

    @property
    def _chains(self) -> tuple[int, int]:
        """Chains of DSPs for an output, and the lanes of the longest."""
        chains = ceil(self.simd / CHAIN)
        return chains, ceil(self.simd / chains)

    def latency(self) -> int:
        """From the last weight of the first fold; these come after the last input of the group."""
        return self._stages + 2

    @property
    def _stages(self) -> int:
        """Cycles from a word of weights to the sums with it."""
        chains, length = self._chains
        products = length // 2 + 4 if self.double_clock else length + 3
        return (chains - 1).bit_length() + (TRIPLE_STAGES if self.triple else products) + 1

    def resources(self) -> Resources:
        """Products and the sums of four lanes are in the DSPs; trees, buffers, delays are not.

        With ``triple`` the sums of four lanes are not either.
        """
        chains, length = self._chains
        in_folds, out_folds = self.pixel_words
        levels, act, share = (chains - 1).bit_length(), self.get_input_datatype(), self.share
        acc = self.pe * int(self.get_output_datatype().bitwidth())
        weight = self.pe * int(self.get_input_datatype(1).bitwidth())
        group = share * int(act.bitwidth())
        places = out_folds + (self._stages + 3 + (share - 2) * out_folds) // in_folds + 2
        tree = share * self.pe * (chains - 1) * (SPACING + levels)
        memory = lut_memory_luts(self.simd * group, 2 * in_folds)
        memory += lut_memory_luts(share * acc, places)
        operands = self.simd * share // 2 * (act.bitwidth() + 1) if act.signed() else 0
        choice, crossing = 0, 0
        x_waits = w_waits = chains * length * (length - 1) // 2  # of lanes behind a chain's first
        if self.double_clock:
            choice = self.simd * group // 2
            crossing = CROSSING * 2 * SPACING * chains * self.pe + self.simd
            skews = [place + (length + 1) % 2 for place in range(length)]
            x_waits = chains * sum(skew // 2 for skew in skews)
            w_waits = chains * sum(1 + (skew + 1) // 2 for skew in skews)
        beside = self._beside_triples() if self.triple else Resources(dsp=self.simd * self.pe)
        if self.triple:
            operands = x_waits = w_waits = 0
        return Resources(
            lut=tree + (share + 1) * acc + memory + operands + choice + beside.lut + 120,
            ff=tree
            + (share + 1) * acc
            + (x_waits + self.simd) * group
            + w_waits * weight
            + choice
            + crossing
            + beside.ff
            + 190,
            dsp=beside.dsp,
        )

    def _beside_triples(self) -> Resources:
        """DSPs with three outputs each, and what packs their weights and sums their fields."""
        chains, _ = self._chains
        triples, lanes = ceil(self.pe / 3), self.simd * self.pe
        weights = 10 * triples * self.simd + 6 * (lanes - self.pe * chains) + 12 * self.pe * chains
        fields = self.share * ((FIELD + 1) * lanes // 2 + 15 * self.pe * chains)
        held = 2 * (FIELD + 1) + 15  # two halves of a chain, and its sum
        return Resources(
            lut=weights + fields,
            ff=self.pe * chains * (32 + self.share * held) + self.simd * self.pe * TRIPLE_BITS,
            dsp=self.simd * self.share * triples,
        )

    def products_beyond(self, operand_bits: int) -> int:
        pixels = SPACING + int(self.get_input_datatype().bitwidth()) + 1
        wide = 2 * FIELD + TRIPLE_BITS + 1 if self.triple else pixels
        return self.resources().dsp if wide > operand_bits else 0

    # -- shapes and types ----------------------------------------------------------------------

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("weightDataType" if ind else "inputDataType")]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("accDataType")]

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.channels, self.outputs_a_pixel) if ind else (*self.vectors, self.channels)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.outputs_a_pixel)

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        in_folds, out_folds = self.pixel_words
        if ind:
            return (1, in_folds * out_folds, self.pe * self.simd)
        return (*self.vectors, in_folds, self.simd)
