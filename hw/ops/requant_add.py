# SPDX-License-Identifier: Apache-2.0
"""Sum of tensors of unlike scales, requantised once: the end of branches with quantisers of their
own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.generate import Symbol
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

INPUTS = (2, 8)  #: least and most tensors of a sum
WIDTH_BITS = 32  #: width of one entry of the SystemVerilog parameter WIDTHS


class RequantAdd(KernelOp):
    """``clip((a * scale_0 + b * scale_1 + .. + bias) >> shift)`` of 2 to 8 tensors of one shape.

    ONNX inputs: the tensors, a scale for each, and the bias; scales and bias are integers of shape
    (C,) with ``perChannel=1``, of shape (1,) with ``perChannel=0``. ``inputDataTypes`` are the
    types of the tensors; ``clip`` are the least and the largest result, those of
    ``outputDataType`` if it is empty.
    """

    replaces = "RequantAdd"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "requant_add"
    joins = True
    in_step = True
    cpp_outputs_first = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "inputDataType": ("s", False, ""),  # given by inputDataTypes
            "inputDataTypes": ("strings", False, []),
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
        old, bias = cls(node), model.get_initializer(node.input[-1])
        tensors = node.input[: old.stream_inputs]
        kept = ("shift", "outputDataType", "scaleBits", "tiesEven", "perChannel")
        clip = list(old.get_nodeattr("clip"))
        return super().attributes_for(model, node) | {
            **{name: old.get_nodeattr(name) for name in kept},
            **({"clip": clip} if clip else {}),
            "inputDataType": "",
            "inputDataTypes": [model.get_tensor_datatype(name).name for name in tensors],
            "biasBits": max(signed_bits(bias), 2),
        }

    @property
    def stream_inputs(self) -> int:  # type: ignore[override]
        """Every tensor has a scale, and there is one bias."""
        return len(self.onnx_node.input) // 2

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
        count = self.stream_inputs
        tensors, scales, bias = inputs[:count], inputs[count:-1], inputs[-1]
        if len({tensor.shape for tensor in tensors}) > 1:
            shapes = " and ".join(str(tensor.shape) for tensor in tensors)
            raise UserError(
                f"{self.onnx_node.name} adds tensors of shape {shapes}; "
                "all must be equal, there is no broadcast"
            )
        sums = sum((x * scale for x, scale in zip(tensors, scales, strict=True)), bias)
        even = bool(self.get_nodeattr("tiesEven"))
        return (rounded_shift(sums, self.shift, even).clip(*self.limits),)

    def check_parameters(self, scales: Sequence[IntArray], bias: IntArray) -> None:
        """Raise UserError unless shapes match the op and every sum fits its registers."""
        name = self.onnx_node.name
        expected = (self.channels if self.get_nodeattr("perChannel") else 1,)
        if {array.shape for array in (*scales, bias)} != {expected}:
            shapes = ", ".join(str(scale.shape) for scale in scales)
            raise UserError(
                f"scales {shapes} and bias {bias.shape} of {name} must "
                f"have the shape {expected} that perChannel={self.get_nodeattr('perChannel')} "
                "asks for"
            )
        sums = abs(bias.astype(object))
        for scale, kind in zip(scales, self._operands(), strict=True):
            sums = sums + abs(scale.astype(object)) * max(abs(int(kind.min())), int(kind.max()))
        reach = max(sums.tolist())
        widths = (
            ("a scale", np.concatenate(scales), int(self.get_nodeattr("scaleBits"))),
            ("a bias", bias, int(self.get_nodeattr("biasBits"))),
        )
        for what, values, bits in widths:
            if signed_bits(values) > bits:
                peak = max(values.tolist(), key=abs)
                raise UserError(f"{what} of {name} reaches {peak}, beyond its {bits} bits")
        if reach >= 1 << (SUM_BITS[1] - 1):
            raise UserError(f"the sum of {name} reaches {reach}, beyond its {SUM_BITS[1]} bits")

    # -- hardware ------------------------------------------------------------------------------

    def _operands(self) -> list[BaseDataType]:
        return [self.get_input_datatype(i) for i in range(self.stream_inputs)]

    def _operand_bits(self) -> list[int]:
        """Widths of the operands with sign."""
        return [int(kind.bitwidth()) + (not kind.signed()) for kind in self._operands()]

    @property
    def _signed(self) -> int:
        """Bit i says whether input i has a sign."""
        return sum(kind.signed() << i for i, kind in enumerate(self._operands()))

    def check_inputs(self) -> None:
        """Raise UserError unless there are 2 to 8 tensors, each with its type, scale and width."""
        name, count = self.onnx_node.name, len(self.onnx_node.input)
        types = self.get_nodeattr("inputDataTypes")
        if count != 2 * len(types) + 1 or not INPUTS[0] <= len(types) <= INPUTS[1]:
            raise UserError(
                f"{name} has {count} inputs and inputDataTypes={types}; give it {INPUTS[0]} to "
                f"{INPUTS[1]} tensors, each with a type and a scale, and one bias"
            )
        if max(self._operand_bits()) > MAX_ACC_BITS:
            raise UserError(
                f"{name} takes {' and '.join(types)}; the multipliers take "
                f"operands of up to {MAX_ACC_BITS} bits with sign: narrow the layers before it"
            )

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        self.check_inputs()
        name, out = self.onnx_node.name, self.get_output_datatype()
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
        kinds = self._operands()
        widths = ", ".join(f"{WIDTH_BITS}'d{kind.bitwidth()}" for kind in reversed(kinds))
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "INPUTS": len(kinds),
            "WIDTHS": Symbol(f"{{{widths}}}"),
            "SIGNED": Symbol(f"{len(kinds)}'d{self._signed}"),
            "OUT_WIDTH": out.bitwidth(),
            "SCALE_WIDTH": int(self.get_nodeattr("scaleBits")),
            "BIAS_WIDTH": int(self.get_nodeattr("biasBits")),
            "SHIFT": self.shift,
            "PER_CHANNEL": int(self.get_nodeattr("perChannel")),
            "LOW": low,
            "HIGH": high,
            "TIES_EVEN": int(self.get_nodeattr("tiesEven")),
        }

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """One word a fold of PE channels, per lane {bias, scales}, the first least significant."""
        *scales, bias = constants
        self.check_parameters(scales, bias)
        width, bias_bits = (int(self.get_nodeattr(n)) for n in ("scaleBits", "biasBits"))
        bits = len(scales) * width + bias_bits
        rows = zip(*(array.tolist() for array in constants), strict=True)
        lanes = [
            pack(np.array(values, object), width) + (last << len(values) * width)
            for *values, last in rows
        ]
        if not self.get_nodeattr("perChannel"):
            lanes *= self.pe
        folds = [lanes[start : start + self.pe] for start in range(0, len(lanes), self.pe)]
        return {
            "PARAM_FILE": (bits * self.pe, [pack(np.array(fold, object), bits) for fold in folds])
        }

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "OUT_WIDTH", "SHIFT", "PER_CHANNEL", "LOW", "HIGH", "TIES_EVEN")
        widths = {f"WIDTH_{i}": int(kind.bitwidth()) for i, kind in enumerate(self._operands())}
        words = self._cpp(*names, "WORDS", WORDS=self.get_exp_cycles())
        return {**words, "SIGNED": self._signed, **widths}

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        widths = (self.stream_inputs, *(self.get_nodeattr(n) for n in ("scaleBits", "biasBits")))
        element = f"requant_add::parameter<{', '.join(map(str, widths))}>"
        return Table("parameters", element, np.stack(constants, axis=1), flat=True)

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """A short branch holds what the windows of the long one keep back."""
        words = self.channels // self.pe
        return [(max(held) - pixels + SLACK_PIXELS) * words for pixels in held]

    @property
    def levels(self) -> int:
        """Stages of the tree that adds the products."""
        return (self.stream_inputs - 1).bit_length()

    def latency(self) -> int:
        return 8 + self.levels

    def resources(self) -> Resources:
        """Products in DSPs; the memory, the sums of 64 bits and the clip of each lane in LUTs."""
        out, scale = int(self.get_output_datatype().bitwidth()), int(self.get_nodeattr("scaleBits"))
        folds = self.channels // self.pe if self.get_nodeattr("perChannel") else 1
        count = self.stream_inputs
        bits = count * scale + int(self.get_nodeattr("biasBits"))
        bits = min(self.pe * bits, 2**folds - 2)
        tree = sum(-(-count >> level) for level in range(self.levels + 1))  # products and sums
        fifo = output_fifo_cost(self.pe * out)
        adders, registers = (SUM_BITS[1] * self.pe * n for n in (count, tree + 1))  # with the bias
        return Resources(
            lut=rom_luts(bits, folds) + adders + self.pe * out + 4 + fifo.lut,
            ff=2 * bits + registers + self.pe * out + 6 + self.levels
            + (folds - 1).bit_length() + fifo.ff,
            dsp=self.pe * sum(1 + two_dsps(width, scale) for width in self._operand_bits()),
        )  # fmt: skip

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("inputDataTypes")[ind]]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("outputDataType")]
