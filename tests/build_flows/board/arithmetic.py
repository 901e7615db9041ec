# SPDX-License-Identifier: Apache-2.0
"""What the tiny design computes; with numpy alone, as it runs in the board's environment too."""

from __future__ import annotations

import numpy as np

SIDE, OUTPUTS = 4, 4
A = [5, -7, 300_000, -400_000]
B = [0x0012345678, -1, 0x00000000FF, -(1 << 39)]


def golden(images: np.ndarray) -> np.ndarray:
    """Accumulators (N, OUTPUTS) int32 of images (N, SIDE, SIDE) uint8."""
    weights = 4 * np.arange(SIDE * SIDE)[:, None] + np.arange(OUTPUTS) + 1
    sums = images.reshape(len(images), -1).astype(np.int64) @ weights
    return (sums + np.array(A) + np.array(B)).astype(np.uint32).astype(np.int32)


def frames(count: int, seed: int = 0) -> np.ndarray:
    """Random images (count, SIDE, SIDE) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), np.uint8)
