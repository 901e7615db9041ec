# SPDX-License-Identifier: Apache-2.0
"""Any function of an accumulator as a table of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from host.common.arrays import F64Array, IntArray

GRID = 1025  #: accumulators of each channel that are looked at first
NOISE = 1e-13  #: of the largest value; what changes by less is even
FINE = 65  #: accumulators of each part of it in which a function turns

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

    ``codes`` rounds and clips what ``function`` gives, which must not leave its way and come back
    to it within a 1024th of the range. Channels with fewer steps repeat their last.
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
    rises or falls.

    A grid over the range, and a finer one wherever it turns or begins to rise or fall, until there
    are all accumulators. So what lies between two flat or steep parts is seen however narrow it is.
    """
    low, high, points, noise = least[None], most[None], GRID, 0.0
    marks = []
    while True:
        share = np.linspace(0, 1, points)[:, None, None]
        grid = np.rint(low + share * (high - low)).astype(np.int64)  # (points, windows, channels)
        values = function(grid.reshape(-1, len(least))).reshape(grid.shape)
        noise = noise or NOISE * float(np.abs(values).max())
        change = np.diff(values, axis=0)
        rises = np.sign(np.where(np.abs(change) > noise, change, 0.0))
        marks.append(grid.reshape(-1, len(least)))
        turns = (rises[1:] != rises[:-1]) & (grid[2:] - grid[:-2] > 2)
        before, after, turns = (a.reshape(-1, len(least)) for a in (grid[:-2], grid[2:], turns))
        count = int(turns.sum(axis=0).max(initial=0))
        if not count:
            found: IntArray = np.sort(np.concatenate(marks), axis=0)
            return found
        order = np.argsort(~turns, axis=0, kind="stable")[:count]
        low, high, turned = (np.take_along_axis(a, order, axis=0) for a in (before, after, turns))
        high, points = np.where(turned, high, low), FINE
