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

SCALE_BITS = 18  #: signed width of a scale: the B operand of a DSP48E2
BIAS_FRACTION = 6  #: fractional bits of an offset, in output steps
MAX_SHIFT = 40
MAX_ACC_BITS = 27  #: signed width of an accumulator: the A operand of a DSP48E2
SUM_BITS = 48  #: signed width of product plus bias: the P register of a DSP48E2


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


class Requant(KernelOp):
    """Requantisation of accumulators (..., C), channels last, to ``outputDataType``.

    ONNX inputs: accumulators, scale and bias. Scale and bias are integers of shape (C,) with
    ``perChannel=1``, of shape (1,) with ``perChannel=0``. The limits of the clip are those of
    ``outputDataType``. ``biasBits`` is the signed width of a bias in the parameter memory.
    """

    replaces = "Requant"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "requant"

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "shift": ("i", True, 0),
            "outputDataType": ("s", True, ""),
            "perChannel": ("i", False, 1, {0, 1}),
            "biasBits": ("i", False, SUM_BITS),
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
            "biasBits": signed_bits(bias),
        }

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
        dtype = self.get_output_datatype()
        return (requant(acc, scale, bias, self.shift, int(dtype.min()), int(dtype.max())),)

    def check_parameters(self, scale: IntArray, bias: IntArray) -> None:
        """Raise UserError unless shapes match the op and every sum fits its registers."""
        name, dtype = self.onnx_node.name, self.get_input_datatype()
        expected = (self.channels if self.get_nodeattr("perChannel") else 1,)
        if scale.shape != expected or bias.shape != expected:
            raise UserError(
                f"scale {scale.shape} and bias {bias.shape} of {name} must both have the shape "
                f"{expected} that perChannel={self.get_nodeattr('perChannel')} asks for"
            )
        _check_width(f"a scale of {name}", scale, SCALE_BITS)
        _check_width(f"a bias of {name}", bias, self.bias_bits)
        ends = np.stack([scale * int(dtype.min()) + bias, scale * int(dtype.max()) + bias])
        _check_width(f"product plus bias of {name}", ends, SUM_BITS)

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        acc, out = self.get_input_datatype(), self.get_output_datatype()
        if acc.bitwidth() + (not acc.signed()) > MAX_ACC_BITS:
            raise UserError(
                f"{self.onnx_node.name} takes {acc.name}; the multiplier takes accumulators of up "
                f"to {MAX_ACC_BITS} bits with sign: narrow the layer before it"
            )
        if not 0 <= self.shift <= MAX_SHIFT:
            raise UserError(f"shift={self.shift} of {self.onnx_node.name} is not in 0..{MAX_SHIFT}")
        if not 2 <= self.bias_bits <= SUM_BITS:
            raise UserError(
                f"biasBits={self.bias_bits} of {self.onnx_node.name} is not in 2..{SUM_BITS}"
            )
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "ACC_WIDTH": acc.bitwidth(),
            "ACC_SIGNED": int(acc.signed()),
            "OUT_WIDTH": out.bitwidth(),
            "OUT_SIGNED": int(out.signed()),
            "SCALE_WIDTH": SCALE_BITS,
            "BIAS_WIDTH": self.bias_bits,
            "SHIFT": self.shift,
            "PER_CHANNEL": int(self.get_nodeattr("perChannel")),
        }

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """One word a fold of PE channels (one word in all without perChannel): {bias, scale}."""
        scale, bias = constants
        self.check_parameters(scale, bias)
        pairs = zip(scale.tolist(), bias.tolist(), strict=True)
        lanes = [(b << SCALE_BITS) + s % (1 << SCALE_BITS) for s, b in pairs]
        if not self.get_nodeattr("perChannel"):
            lanes *= self.pe
        bits = SCALE_BITS + self.bias_bits
        folds = [lanes[start : start + self.pe] for start in range(0, len(lanes), self.pe)]
        return {
            "PARAM_FILE": (bits * self.pe, [pack(np.array(fold, object), bits) for fold in folds])
        }

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "ACC_WIDTH", "ACC_SIGNED", "OUT_WIDTH", "OUT_SIGNED", "SHIFT")
        return self._cpp(*names, "PER_CHANNEL", "WORDS", WORDS=self.get_exp_cycles())

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        element = f"requant::parameter<{SCALE_BITS}, {self.bias_bits}>"
        return Table("parameters", element, np.stack(constants, axis=1), flat=True)

    def latency(self) -> int:
        return 7

    def resources(self) -> Resources:
        """Memory and clip of each lane, and the output fifo; the arithmetic is in the DSPs.

        A bias is zero below its fraction. With few folds many bits of the memory are the same
        function of the fold and are there once.
        """
        out, bias = int(self.get_output_datatype().bitwidth()), self.bias_bits - self.shift
        bias += BIAS_FRACTION
        folds = self.channels // self.pe if self.get_nodeattr("perChannel") else 1
        functions = 2**folds - 2
        bits, bias_bits = (min(self.pe * width, functions) for width in (SCALE_BITS + bias, bias))
        fifo = output_fifo_cost(self.pe * out)
        return Resources(
            lut=rom_luts(bits, folds) + self.pe * out + 4 + fifo.lut,
            ff=bits + bias_bits + self.pe * out + 5 + (folds - 1).bit_length() + fifo.ff,
            dsp=self.pe,
        )

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("outputDataType")]


def _check_width(what: str, values: IntArray, bits: int) -> None:
    limit = 1 << (bits - 1)
    if values.min() < -limit or values.max() >= limit:
        peak = max(values.reshape(-1).tolist(), key=abs)
        raise UserError(f"{what} reaches {peak}, beyond its {bits} bits with sign")
