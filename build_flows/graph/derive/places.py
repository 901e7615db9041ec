# SPDX-License-Identifier: Apache-2.0
"""Elements in other places: as a convolution of zeros and ones, and as an order for the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from build_flows.graph.value import NO_PADS
from host.common.arrays import IntArray


@dataclass(frozen=True)
class Gathering:
    """A convolution that takes each element from one place of the map before it."""

    kernel: IntArray
    """(outputs, inputs, height, width), one 1 for each place in a block of the output."""
    sources: IntArray
    """Channels from which each output takes, (outputs, places in a block)."""
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, ...] = NO_PADS
    between: tuple[int, int] = (1, 1)
    """Each pixel becomes so many rows and columns before, it in the corner, the others zero."""


def gathering(places: IntArray, shape: tuple[int, int, int]) -> Gathering | None:
    """How a map (channels, height, width) is gathered, whose elements ``places`` numbers in a map
    of ``shape``.

    Either each channel is the even rows and columns of one, as after a crop or a space to depth; or
    each pixel becomes a block with elements of its channels, as after a depth to space. None of
    anything else.
    """
    return _picked(places, shape) or _spread(places, shape)


def _picked(places: IntArray, shape: tuple[int, int, int]) -> Gathering | None:
    channel, row, column = np.unravel_index(places, shape)
    even = (channel == channel[:, :1, :1]).all()
    even &= (row == row[:, :, :1]).all() and (column == column[:, :1]).all()
    down = _steps(row[:, :, 0], shape[1])
    along = _steps(column[:, 0], shape[2])
    if not even or down is None or along is None:
        return None
    sources = channel[:, 0, 0]
    kernel = np.zeros((len(places), shape[0], down[0], along[0]), np.int64)
    kernel[np.arange(len(places)), sources, row[:, 0, 0], column[:, 0, 0]] = 1
    return Gathering(kernel, sources[:, np.newaxis], (down[1], along[1]))


def _steps(at: IntArray, length: int) -> tuple[int, int] | None:
    """Size and stride of the window on a side of ``length`` that meets the places (channels, n).

    No window is smaller than its stride where the side has room: FINN has none that leaves out
    whole rows.
    """
    first, count = int(at[:, 0].max()), at.shape[1]
    if count == 1:
        return first + 1, length - first
    steps = np.diff(at, axis=1)
    step = int(steps[0, 0])
    if step < 1 or (steps != step).any():
        return None
    least = max(first + 1, length - count * step + 1)
    return max(least, min(step, length - (count - 1) * step)), step


def _spread(places: IntArray, shape: tuple[int, int, int]) -> Gathering | None:
    outputs, *size = places.shape
    channels, height, width = shape
    block = size[0] // height, size[1] // width
    if [height * block[0], width * block[1]] != size:
        return None
    channel, row, column = np.unravel_index(
        places.reshape(outputs, height, block[0], width, block[1]), shape
    )
    at = np.arange(height)[:, None, None, None], np.arange(width)[:, None]
    if (channel != channel[:, :1, :, :1]).any() or (row != at[0]).any() or (column != at[1]).any():
        return None
    sources = channel[:, 0, :, 0]
    kernel = np.zeros((outputs, channels, *block), np.int64)
    for i, j in np.ndindex(*block):
        kernel[np.arange(outputs), sources[:, i, j], block[0] - 1 - i, block[1] - 1 - j] = 1
    return Gathering(
        kernel, sources.reshape(outputs, -1), pads=(block[0] - 1, block[1] - 1, 0, 0), between=block
    )


def runs_of(places: IntArray, count: int) -> list[list[int]] | None:
    """An order of ``count`` elements as nested runs [count, step], the outermost first.

    None if ``places`` does not have each of their numbers from 0 on once, or is no such order:
    whatever Reshape and Transpose make is one.
    """
    flat = places.reshape(-1)
    if flat[0] != 0 or not np.array_equal(np.sort(flat), np.arange(count)):
        return None
    runs: list[list[int]] = []
    while flat.size > 1:
        step = int(flat[1] - flat[0])
        other = np.flatnonzero(np.diff(flat) != step)
        count = int(other[0]) + 1 if other.size else flat.size
        if flat.size % count:
            return None
        blocks = flat.reshape(-1, count)
        if (blocks != blocks[:, :1] + step * np.arange(count)).any():
            return None
        runs.insert(0, [count, step])
        flat = blocks[:, 0]
    return runs
