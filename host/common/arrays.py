# SPDX-License-Identifier: Apache-2.0
"""Names of array types, by what an array holds; shapes are said where one is used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
"""Memory, byte by byte."""
Image = npt.NDArray[np.uint8]
"""A picture: (H, W) grey or (H, W, 3) BGR."""
Images = npt.NDArray[np.uint8]
"""Pictures of one size: (N, H, W) grey."""
Points = npt.NDArray[np.float64]
"""Positions: (..., 2), x then y."""
Accumulators = npt.NDArray[np.int32]
"""What the accelerator gives: (..., 2 x points)."""

BoolArray = npt.NDArray[np.bool_]
I8Array = npt.NDArray[np.int8]
I32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
U32Array = npt.NDArray[np.uint32]
F32Array = npt.NDArray[np.float32]
F64Array = npt.NDArray[np.float64]
