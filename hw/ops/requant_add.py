# SPDX-License-Identifier: Apache-2.0
"""Sum of two tensors of unlike scales, requantised once: the end of branches with quantisers of
their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, pack
from hw.ops.cost import output_fifo_cost, rom_luts
from hw.ops.requant import (
    MAX_ACC_BITS,
    SHIFT_LIMIT,
    SUM_BITS,
    WIDE_SCALE_BITS,
    rounded_shift,
    two_dsps,
)
from hw.ops.stream_add import SLACK_PIXELS
from hw.ops.unit import Resources, Sizes, Table
from hw.ops.widths import signed_bits


class RequantAdd(KernelOp):
    """``clip((a * scale_a + b * scale_b + bias) >> shift)`` of two tensors of one shape.

    ONNX inputs: a, b, and scale_a, scale_b, bias: integers of shape (C,) with ``perChannel=1``, of
    shape (1,) with ``perChannel=0``. ``secondDataType`` is the type of b; ``clip`` are the least
    and the largest result, those of ``outputDataType`` if it is empty.
    """

    replaces = "RequantAdd"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "requant_add"
    stream_inputs = 2
    joins = True
    in_step = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "secondDataType": ("s", False, "INT32"),
            "shift": ("i", True, 0),
            "outputDataType": ("s", True, ""),
            "perChannel": ("i", False, 1, {0, 1}),
            "scaleBits": ("i", False, WIDE_SCALE_BITS),
            "biasBits": ("i", False, SUM_BITS[1]),
            "clip": ("ints", False, []),
            "tiesEven": ("i", False, 0, {0, 1}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the widths."""
        old, bias = cls(node), model.get_initializer(node.input[4])
        kept = ("shift", "outputDataType", "scaleBits", "tiesEven", "perChannel")
        clip = list(old.get_nodeattr("clip"))
        return super().attributes_for(model, node) | {
            **{name: old.get_nodeattr(name) for name in kept},
            **({"clip": clip} if clip else {}),
            "secondDataType": model.get_tensor_datatype(node.input[1]).name,
            "biasBits": max(signed_bits(bias), 2),
        }

    @property
    def shift(self) -> int:
        """Bits dropped from the sum."""
        return int(self.get_nodeattr("shift"))

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest result."""
        dtype = self.get_output_datatype()
        low, high = self.get_nodeattr("clip") or (dtype.min(), dtype.max())
        return int(low), int(high)

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        a, b, scale_a, scale_b, bias = inputs
        if a.shape != b.shape:
            raise UserError(
                f"{self.onnx_node.name} adds tensors of shape {a.shape} and {b.shape}; "
                "both must be equal, there is no broadcast"
            )
        sums = a * scale_a + b * scale_b + bias
        even = bool(self.get_nodeattr("tiesEven"))
        return (rounded_shift(sums, self.shift, even).clip(*self.limits),)

    def check_parameters(self, scale_a: IntArray, scale_b: IntArray, bias: IntArray) -> None:
        """Raise UserError unless shapes match the op and every sum fits its registers."""
        name = self.onnx_node.name
        expected = (self.channels if self.get_nodeattr("perChannel") else 1,)
        if not scale_a.shape == scale_b.shape == bias.shape == expected:
            raise UserError(
                f"scales {scale_a.shape}, {scale_b.shape} and bias {bias.shape} of {name} must "
                f"have the shape {expected} that perChannel={self.get_nodeattr('perChannel')} "
                "asks for"
            )
        ends = [
            scale.astype(object) * int(end)
            for scale, kind in zip((scale_a, scale_b), self._operands(), strict=True)
            for end in (kind.min(), kind.max())
        ]
        reach = max(map(abs, np.concatenate(ends).tolist())) * 2 + max(map(abs, bias.tolist()))
        widths = (
            ("a scale", np.concatenate([scale_a, scale_b]), int(self.get_nodeattr("scaleBits"))),
            ("a bias", bias, int(self.get_nodeattr("biasBits"))),
        )
        for what, values, bits in widths:
            if signed_bits(values) > bits:
                peak = max(values.tolist(), key=abs)
                raise UserError(f"{what} of {name} reaches {peak}, beyond its {bits} bits")
        if reach >= 1 << (SUM_BITS[1] - 1):
            raise UserError(f"the sum of {name} reaches {reach}, beyond its {SUM_BITS[1]} bits")

    # -- hardware ------------------------------------------------------------------------------

    def _operands(self) -> tuple[BaseDataType, BaseDataType]:
        return self.get_input_datatype(0), self.get_input_datatype(1)

    def _operand_bits(self) -> list[int]:
        """Widths of the operands with sign."""
        return [int(kind.bitwidth()) + (not kind.signed()) for kind in self._operands()]

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        name, out = self.onnx_node.name, self.get_output_datatype()
        a, b = self._operands()
        if max(self._operand_bits()) > MAX_ACC_BITS:
            raise UserError(
                f"{name} takes {a.name} and {b.name}; the multipliers take operands of up to "
                f"{MAX_ACC_BITS} bits with sign: narrow the layers before it"
            )
        for attribute, least, most in (
            ("shift", 0, SHIFT_LIMIT[1]),
            ("scaleBits", 2, WIDE_SCALE_BITS),
            ("biasBits", 2, SUM_BITS[1]),
        ):
            value = self.get_nodeattr(attribute)
            if not least <= value <= most:
                raise UserError(f"{attribute}={value} of {name} is not in {least}..{most}")
        low, high = self.limits
        if not out.min() <= low < high <= out.max():
            raise UserError(
                f"clip={[low, high]} of {name} is no range in that of {out.name}, "
                f"{int(out.min())} to {int(out.max())}"
            )
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "A_WIDTH": a.bitwidth(),
            "A_SIGNED": int(a.signed()),
            "B_WIDTH": b.bitwidth(),
            "B_SIGNED": int(b.signed()),
            "OUT_WIDTH": out.bitwidth(),
            "SCALE_WIDTH": int(self.get_nodeattr("scaleBits")),
            "BIAS_WIDTH": int(self.get_nodeattr("biasBits")),
            "SHIFT": self.shift,
            "PER_CHANNEL": int(self.get_nodeattr("perChannel")),
            "LOW": low,
            "HIGH": high,
            "TIES_EVEN": int(self.get_nodeattr("tiesEven")),
        }

    def rtl_ports(self) -> tuple[list[str], list[str]]:
        return ["s_axis_a", "s_axis_b"], ["m_axis"]

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """One word a fold of PE channels, per lane {bias, scale_b, scale_a}."""
        scale_a, scale_b, bias = constants
        self.check_parameters(scale_a, scale_b, bias)
        width, bias_bits = (int(self.get_nodeattr(n)) for n in ("scaleBits", "biasBits"))
        mask = (1 << width) - 1
        lanes = [
            (c << 2 * width) + ((b & mask) << width) + (a & mask)
            for a, b, c in zip(*(v.tolist() for v in (scale_a, scale_b, bias)), strict=True)
        ]
        if not self.get_nodeattr("perChannel"):
            lanes *= self.pe
        bits = 2 * width + bias_bits
        folds = [lanes[start : start + self.pe] for start in range(0, len(lanes), self.pe)]
        return {
            "PARAM_FILE": (bits * self.pe, [pack(np.array(fold, object), bits) for fold in folds])
        }

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "A_WIDTH", "A_SIGNED", "B_WIDTH", "B_SIGNED", "OUT_WIDTH")
        more = ("SHIFT", "PER_CHANNEL", "LOW", "HIGH", "TIES_EVEN")
        return self._cpp(*names, *more, "WORDS", WORDS=self.get_exp_cycles())

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        widths = ", ".join(str(self.get_nodeattr(n)) for n in ("scaleBits", "biasBits"))
        element = f"requant_add::parameter<{widths}>"
        return Table("parameters", element, np.stack(constants, axis=1), flat=True)

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """A short branch holds what the windows of the long one keep back."""
        words = self.channels // self.pe
        return [(max(held) - pixels + SLACK_PIXELS) * words for pixels in held]

    def latency(self) -> int:
        return 9

    def resources(self) -> Resources:
        """Products in DSPs; the memory, the sum of 64 bits and the clip of each lane in LUTs."""
        out, scale = int(self.get_output_datatype().bitwidth()), int(self.get_nodeattr("scaleBits"))
        folds = self.channels // self.pe if self.get_nodeattr("perChannel") else 1
        bits = min(self.pe * (2 * scale + int(self.get_nodeattr("biasBits"))), 2**folds - 2)
        fifo = output_fifo_cost(self.pe * out)
        sums = 2 * SUM_BITS[1] * self.pe
        return Resources(
            lut=rom_luts(bits, folds) + sums + self.pe * out + 4 + fifo.lut,
            ff=2 * bits + 2 * sums + self.pe * out + 7 + (folds - 1).bit_length() + fifo.ff,
            dsp=self.pe * sum(1 + two_dsps(width, scale) for width in self._operand_bits()),
        )

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("secondDataType" if ind else "inputDataType")]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("outputDataType")]
