# SPDX-License-Identifier: Apache-2.0
"""Kernels and paddings of ONNX as plain convolutions: no dilation, no groups, numbers of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.common.arrays import IntArray


def without_groups(kernel: IntArray, groups: int) -> IntArray:
    """Weights (O, I / groups, kh, kw) as (O, I, kh, kw), zero between groups."""
    outputs, inputs = kernel.shape[:2]
    full = np.zeros((outputs, inputs * groups, *kernel.shape[2:]), kernel.dtype)
    size = outputs // groups
    for group in range(groups):
        rows = slice(group * size, (group + 1) * size)
        full[rows, group * inputs : (group + 1) * inputs] = kernel[rows]
    return full


def spread(kernel: IntArray, dilations: Sequence[int]) -> IntArray:
    """The kernel with its zeros between the taps."""
    rows, columns = (int(d) for d in dilations)
    height, width = kernel.shape[2:]
    size = ((height - 1) * rows + 1, (width - 1) * columns + 1)
    full = np.zeros((*kernel.shape[:2], *size), kernel.dtype)
    full[:, :, ::rows, ::columns] = kernel
    return full


def pads_of(
    mode: str, pads: Sequence[int] | None, size: Sequence[int], kernel: Sequence[int],
    stride: Sequence[int],
) -> tuple[int, ...]:  # fmt: skip
    """Padding (top, left, bottom, right) of a window over a map of ``size``.

    ``mode`` and ``pads`` are the attributes auto_pad and pads, ``kernel`` the taps with dilation.
    """
    if mode == "NOTSET":
        return tuple(int(n) for n in pads or (0, 0, 0, 0))
    if mode == "VALID":
        return (0, 0, 0, 0)
    missing = [
        max((-(-length // step) - 1) * step + taps - length, 0)
        for length, taps, step in zip(size, kernel, stride, strict=True)
    ]
    less, more = [n // 2 for n in missing], [n - n // 2 for n in missing]
    return (*less, *more) if mode == "SAME_UPPER" else (*more, *less)
