# SPDX-License-Identifier: Apache-2.0
"""Requantisation ``clip((acc * scale + bias) >> shift)``: from accumulators to 8-bit activations.

The integers stand for ``round(acc * multiplier + offset)``, ties towards plus infinity:
``scale = round(multiplier * 2**shift)`` and ``bias`` is the offset on a grid of 2**-6 output steps
plus one half, both in units of 2**-shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, pack
from hw.ops.cost import output_fifo_cost, rom_luts
from hw.ops.unit import Resources, Sizes, Table
from hw.ops.widths import signed_bits

SCALE_BITS = 18  #: signed width of a scale of ours: the B operand of a DSP48E2
WIDE_SCALE_BITS = 35  #: most of a scale: two operands, the lower one without sign
BIAS_FRACTION = 6  #: fractional bits of an offset of ours, in output steps
MAX_SHIFT = 40  #: of a requantisation of ours
MAX_ACC_BITS = 27  #: signed width of an accumulator: the A operand of a DSP48E2
SUM_BITS = (48, 64)  #: signed width of product plus bias: of one DSP48E2, of two
SHIFT_LIMIT = (47, 60)  #: largest shift with one DSP48E2, with two


@dataclass(frozen=True)
class RequantParams:
    """Integers of one requantisation: ``scale``, ``bias`` of shape (channels,), one ``shift``."""

    scale: IntArray
    bias: IntArray
    shift: int


def quantise_affine(multiplier: F64Array, offset: F64Array) -> RequantParams:
    """Integers for ``round(acc * multiplier + offset)`` with per-channel float64 arrays.

    The shift is the largest for which every scale fits SCALE_BITS. UserError when a multiplier is
    so large (or all are zero) that no shift in BIAS_FRACTION..MAX_SHIFT serves.
    """
    multiplier, offset = np.broadcast_arrays(
        np.atleast_1d(np.asarray(multiplier, np.float64)), np.asarray(offset, np.float64)
    )
    limit = (1 << (SCALE_BITS - 1)) - 1
    peak = float(np.abs(multiplier).max())
    shift = MAX_SHIFT
    while shift > 0 and np.rint(peak * 2.0**shift) > limit:
        shift -= 1
    if shift < BIAS_FRACTION or not np.isfinite(offset).all():
        raise UserError(
            f"a requantisation multiplier of {peak:g} leaves a shift of {shift}; the kernel needs "
            f"at least {BIAS_FRACTION}: the output scale is too small for the accumulator"
        )
    scale = np.rint(multiplier * 2.0**shift).astype(np.int64)
    grid = np.rint(offset * 2.0**BIAS_FRACTION).astype(np.int64)
    bias = (grid << (shift - BIAS_FRACTION)) + (1 << (shift - 1))
    return RequantParams(scale, bias, shift)


def requant(
    acc: IntArray, scale: IntArray, bias: IntArray, shift: int, low: int, high: int
) -> IntArray:
    """``clip((acc * scale + bias) >> shift, low, high)``; channels are the last axis of ``acc``."""
    shifted: IntArray = (acc * scale + bias) >> shift
    return shifted.clip(low, high)


def rounded_shift(sums: IntArray, shift: int, ties_even: bool) -> IntArray:
    """``sums >> shift``; of an odd result without remainder one less if ``ties_even``.

    With one half in the sums that is rounding to nearest, halves up or to the even side.
    """
    result: IntArray = sums >> shift
    if ties_even:
        result = result - ((result & 1) & ((sums & ((1 << shift) - 1)) == 0))
    return result


def two_dsps(acc_bits: int, scale_bits: int) -> bool:
    """Whether a product of such signed widths takes two DSP48E2, whose operands have 27 and 18."""
    return not (scale_bits <= 18 or (acc_bits <= 18 and scale_bits <= 27))


def scale_widths(acc_bits: int) -> tuple[int, ...]:
    """Widths of a scale worth a try beside accumulators of so many signed bits, cheapest first."""
    middle = (27,) if not two_dsps(acc_bits, 27) else ()
    return (SCALE_BITS, *middle, WIDE_SCALE_BITS)


class Requant(KernelOp):
    """Requantisation of accumulators (..., C), channels last, to ``outputDataType``.

    ONNX inputs: accumulators, scale and bias. Scale and bias are integers of shape (C,) with
    ``perChannel=1``, of shape (1,) with ``perChannel=0``, of ``scaleBits`` and ``biasBits`` signed
    bits in the parameter memory; the last ``biasZeros`` bits of every bias are zero. ``clip`` are
    the least and the largest result, those of ``outputDataType`` if it is empty. ``tiesEven``
    rounds halves to the even side, see :func:`rounded_shift`.
    """

    replaces = "Requant"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "requant"
    in_step = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "shift": ("i", True, 0),
            "outputDataType": ("s", True, ""),
            "perChannel": ("i", False, 1, {0, 1}),
            "biasBits": ("i", False, SUM_BITS[0]),
            "biasZeros": ("i", False, 0),
            "scaleBits": ("i", False, SCALE_BITS),
            "clip": ("ints", False, []),
            "tiesEven": ("i", False, 0, {0, 1}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the widths."""
        old = cls(node)
        scale, bias = (model.get_initializer(name) for name in node.input[1:])
        return super().attributes_for(model, node) | {
            "shift": old.shift,
            "outputDataType": old.get_nodeattr("outputDataType"),
            "perChannel": int(scale.size > 1),
            "biasBits": max(signed_bits(bias), 2),
            "biasZeros": trailing_zeros(bias),
            **{name: old.get_nodeattr(name) for name in ("scaleBits", "tiesEven")},
            **({"clip": clip} if (clip := list(old.get_nodeattr("clip"))) else {}),
        }

    @property
    def scale_bits(self) -> int:
        """Signed width of a scale."""
        return int(self.get_nodeattr("scaleBits"))

    @property
    def acc_bits(self) -> int:
        """Width of an accumulator with sign."""
        acc = self.get_input_datatype()
        return int(acc.bitwidth()) + (not acc.signed())

    @property
    def wide(self) -> bool:
        """Whether the product takes two DSP48E2."""
        return two_dsps(self.acc_bits, self.scale_bits)

    @property
    def limits(self) -> tuple[int, int]:
        """Least and largest result."""
        dtype = self.get_output_datatype()
        low, high = self.get_nodeattr("clip") or (dtype.min(), dtype.max())
        return int(low), int(high)

    @property
    def shift(self) -> int:
        """Bits dropped from product plus bias."""
        return int(self.get_nodeattr("shift"))

    @property
    def bias_bits(self) -> int:
        """Signed width of a bias."""
        return int(self.get_nodeattr("biasBits"))

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """The accumulators requantised; int64 carries every product of the kernel's widths."""
        acc, scale, bias = inputs
        even = bool(self.get_nodeattr("tiesEven"))
        return (rounded_shift(acc * scale + bias, self.shift, even).clip(*self.limits),)

    def check_parameters(self, scale: IntArray, bias: IntArray) -> None:
        """Raise UserError unless shapes match the op and every sum fits its registers."""
        name, dtype = self.onnx_node.name, self.get_input_datatype()
        expected = (self.channels if self.get_nodeattr("perChannel") else 1,)
        if scale.shape != expected or bias.shape != expected:
            raise UserError(
                f"scale {scale.shape} and bias {bias.shape} of {name} must both have the shape "
                f"{expected} that perChannel={self.get_nodeattr('perChannel')} asks for"
            )
        _check_width(f"a scale of {name}", scale, self.scale_bits)
        _check_width(f"a bias of {name}", bias, self.bias_bits)
        wide, offset = scale.astype(object), bias.astype(object)
        ends = np.stack([wide * int(dtype.min()) + offset, wide * int(dtype.max()) + offset])
        _check_width(f"product plus bias of {name}", ends, SUM_BITS[self.wide])

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        acc, out = self.get_input_datatype(), self.get_output_datatype()
        if self.acc_bits > MAX_ACC_BITS:
            raise UserError(
                f"{self.onnx_node.name} takes {acc.name}; the multiplier takes accumulators of up "
                f"to {MAX_ACC_BITS} bits with sign: narrow the layer before it"
            )
        for attribute, least, most in (
            ("shift", 0, SHIFT_LIMIT[self.wide]),
            ("scaleBits", 2, WIDE_SCALE_BITS),
            ("biasBits", 2, SUM_BITS[self.wide]),
        ):
            value = self.get_nodeattr(attribute)
            if not least <= value <= most:
                raise UserError(
                    f"{attribute}={value} of {self.onnx_node.name} is not in {least}..{most}"
                )
        low, high = self.limits
        if not out.min() <= low < high <= out.max():
            raise UserError(
                f"clip={[low, high]} of {self.onnx_node.name} is no range in that of {out.name}, "
                f"{int(out.min())} to {int(out.max())}"
            )
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "ACC_WIDTH": acc.bitwidth(),
            "ACC_SIGNED": int(acc.signed()),
            "OUT_WIDTH": out.bitwidth(),
            "OUT_SIGNED": int(out.signed()),
            "SCALE_WIDTH": self.scale_bits,
            "BIAS_WIDTH": self.bias_bits,
            "SHIFT": self.shift,
            "PER_CHANNEL": int(self.get_nodeattr("perChannel")),
            "LOW": low,
            "HIGH": high,
            "TIES_EVEN": int(self.get_nodeattr("tiesEven")),
        }

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """One word a fold of PE channels (one word in all without perChannel): {bias, scale}."""
        scale, bias = constants
        self.check_parameters(scale, bias)
        pairs = zip(scale.tolist(), bias.tolist(), strict=True)
        width = self.scale_bits
        lanes = [(b << width) + s % (1 << width) for s, b in pairs]
        if not self.get_nodeattr("perChannel"):
            lanes *= self.pe
        bits = width + self.bias_bits
        folds = [lanes[start : start + self.pe] for start in range(0, len(lanes), self.pe)]
        return {
            "PARAM_FILE": (bits * self.pe, [pack(np.array(fold, object), bits) for fold in folds])
        }

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "ACC_WIDTH", "ACC_SIGNED", "OUT_WIDTH", "OUT_SIGNED", "SHIFT")
        clip = ("PER_CHANNEL", "LOW", "HIGH", "TIES_EVEN")
        return self._cpp(*names, *clip, "WORDS", WORDS=self.get_exp_cycles())

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        element = f"requant::parameter<{self.scale_bits}, {self.bias_bits}>"
        return Table("parameters", element, np.stack(constants, axis=1), flat=True)

    def latency(self) -> int:
        return 7 + self.wide

    def resources(self) -> Resources:
        """Memory and clip of each lane, and the output fifo; the arithmetic is in the DSPs.

        A bias ends with zeros. With few folds many bits of the memory are the same function of the
        fold and are there once.
        """
        out = int(self.get_output_datatype().bitwidth())
        bias = max(self.bias_bits - int(self.get_nodeattr("biasZeros")), 0)
        folds = self.channels // self.pe if self.get_nodeattr("perChannel") else 1
        functions = 2**folds - 2
        bits, bias_bits = (
            min(self.pe * width, functions) for width in (self.scale_bits + bias, bias)
        )
        fifo = output_fifo_cost(self.pe * out)
        return Resources(
            lut=rom_luts(bits, folds) + self.pe * out + 4 + fifo.lut,
            ff=bits + bias_bits + self.pe * out + 5 + (folds - 1).bit_length() + fifo.ff,
            dsp=self.pe * (1 + self.wide),
        )

    def products_beyond(self, operand_bits: int) -> int:
        return self.pe if self.acc_bits > operand_bits else 0

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("outputDataType")]


def trailing_zeros(values: IntArray) -> int:
    """Bits at the end that are zero in every value."""
    used = int(np.bitwise_or.reduce(values.astype(np.int64).reshape(-1)))
    return (used & -used).bit_length() - 1 if used else 0


def _check_width(what: str, values: IntArray, bits: int) -> None:
    limit = 1 << (bits - 1)
    if values.min() < -limit or values.max() >= limit:
        peak = max(values.reshape(-1).tolist(), key=abs)
        raise UserError(f"{what} reaches {peak}, beyond its {bits} bits with sign")
