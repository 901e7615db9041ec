# SPDX-License-Identifier: Apache-2.0
"""Any function of an accumulator as a table of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.common.arrays import F64Array, IntArray

GRID = 1025  #: accumulators of each channel that are looked at first
NOISE = 1e-13  #: of the largest value; what changes by less is even
NARROWINGS = 64  #: of the interval in which a function turns

Codes = Callable[[IntArray], IntArray]  #: accumulators (n, channels) -> codes of the same shape
Function = Callable[[IntArray], F64Array]  #: the same before rounding


@dataclass(frozen=True)
class Lookup:
    """Codes of every accumulator: ``codes[c, k]`` where ``k`` of ``starts[c]`` are reached."""

    starts: IntArray
    """(channels, steps), ascending."""
    codes: IntArray
    """(channels, steps + 1)."""

    def to(self, levels: int) -> Lookup:
        """With ``2**levels - 1`` steps, the last repeated."""
        missing = (1 << levels) - self.codes.shape[1]
        starts, codes = (np.pad(a, ((0, 0), (0, missing)), mode="edge") for a in
                         (self.starts, self.codes))  # fmt: skip
        return Lookup(starts, codes)

    @property
    def levels(self) -> int:
        """Of a binary search over the steps."""
        return max(int(self.starts.shape[1]).bit_length(), 1)

    def shared(self) -> Lookup:
        """One row where all channels have the same."""
        if (self.starts == self.starts[:1]).all() and (self.codes == self.codes[:1]).all():
            return Lookup(self.starts[:1], self.codes[:1])
        return self


def lookup_of(codes: Codes, function: Function, least: IntArray, most: IntArray) -> Lookup:
    """Table of ``codes`` from ``least`` to ``most``, both (channels,).

    ``codes`` rounds and clips what ``function`` gives, which must not turn twice within a 1024th of
    the range. Channels with fewer steps repeat their last.
    """
    marks = _marks(function, least, most)
    low, high = marks[:-1], marks[1:]
    while True:
        middle = (low + high) // 2
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        differs = codes(low) != codes(high)
        count = int(differs.sum(axis=0).max(initial=0))
        order = np.argsort(~differs, axis=0, kind="stable")[:count]
        low, high, differs = (np.take_along_axis(a, order, axis=0) for a in (low, high, differs))
        if not (differs & (high - low > 1)).any():
            break
        high = np.where(differs, high, low)
    return _table(codes, np.where(differs, high, np.iinfo(np.int64).min), least)


def _table(codes: Codes, starts: IntArray, least: IntArray) -> Lookup:
    """``starts`` (steps, channels) in any order; the smallest integer where there is none."""
    starts = np.maximum(np.sort(starts, axis=0), least)
    if not len(starts):
        starts = least[None]
    found = codes(np.concatenate([least[None], starts]))
    return Lookup(starts.T, found.T)


def _marks(function: Function, least: IntArray, most: IntArray) -> IntArray:
    """Ascending accumulators (n, channels) from ``least`` to ``most``, between which ``function``
    rises or falls."""
    share = np.linspace(0, 1, GRID)[:, None]
    grid = np.rint(least + share * (most - least)).astype(np.int64)
    values = function(grid)
    change = np.diff(values, axis=0)
    rises = np.sign(np.where(np.abs(change) > NOISE * np.abs(values).max(), change, 0.0))
    turns = np.zeros(grid.shape, bool)
    turns[1:-1] = rises[1:] != rises[:-1]
    count = int(turns.sum(axis=0).max(initial=0))
    order = np.argsort(~turns, axis=0, kind="stable")[:count]
    rows = np.clip(order, 1, GRID - 2)
    low, high = (np.take_along_axis(grid, rows + i, axis=0) for i in (-1, 1))
    turned = _turning(function, low, high, np.take_along_axis(rises, rows - 1, axis=0))
    return np.sort(np.concatenate([grid, turned - 1, turned, turned + 1]).clip(least, most), axis=0)


def _turning(function: Function, low: IntArray, high: IntArray, sign: F64Array) -> IntArray:
    """Where ``sign * function`` is largest between ``low`` and ``high``."""
    for _ in range(NARROWINGS):
        left, right = low + (high - low) // 3, high - (high - low) // 3
        better = sign * function(left) >= sign * function(right)
        low, high = np.where(better, low, left), np.where(better, right, high)
    middle: IntArray = (low + high) // 2
    return middle
