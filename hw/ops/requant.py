# SPDX-License-Identifier: Apache-2.0
"""Requantisation ``clip((acc * scale + bias) >> shift)``: from accumulators to 8-bit activations.

The integers stand for ``round(acc * multiplier + offset)``, ties towards plus infinity:
``scale = round(multiplier * 2**shift)`` and ``bias`` is the offset on a grid of 2**-6 output steps
plus one half, both in units of 2**-shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qonnx.core.datatype import BaseDataType, DataType

from host.errors import UserError
from hw.ops.base import IntArray, KernelOp, Resources, pack

SCALE_BITS = 18  #: signed width of a scale: the B operand of a DSP48E2
BIAS_FRACTION = 6  #: fractional bits of an offset, in output steps
MAX_SHIFT = 40


@dataclass(frozen=True)
class RequantParams:
    """Integers of one requantisation: ``scale`` and ``bias`` of shape (channels,), one ``shift``."""

    scale: IntArray
    bias: IntArray
    shift: int


def quantise_affine(
    multiplier: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]
) -> RequantParams:
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
    return np.clip((acc * scale + bias) >> shift, low, high)
