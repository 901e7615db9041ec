# SPDX-License-Identifier: Apache-2.0
"""Narrowest types for the integers of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qonnx.core.datatype import BaseDataType, DataType

from host.common.arrays import IntArray


def signed_bits(values: IntArray) -> int:
    """Bits of the narrowest two's complement that holds every value."""
    low, high = int(values.min()), int(values.max())
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


def sum_of_products(weights: npt.NDArray[Any], activation: BaseDataType) -> BaseDataType:
    """Narrowest signed type for ``activation . weights[c]``, weights of shape (outputs, taps)."""
    positive = np.where(weights > 0, weights, 0).sum(axis=1)
    negative = np.where(weights < 0, weights, 0).sum(axis=1)
    ends = [p * hi + n * lo for p, n in ((positive, negative), (negative, positive))
            for hi, lo in ((activation.max(), activation.min()),)]  # fmt: skip
    bound = np.rint(np.concatenate(ends)).astype(np.int64)
    return DataType[f"INT{signed_bits(bound)}"]
