# SPDX-License-Identifier: Apache-2.0
"""Integers of a requantisation that give what the file gives, for every accumulator that can occur.

What the file computes is ``round(acc * multiplier + offset + zero) - zero``, clipped, halves to
even. On the accumulators of one channel that is a staircase of at most 255 steps. Here a line
``(acc * scale + bias) >> shift`` is fitted to it: for a scale, each step bounds the bias from both
sides; the bounds leave most room near one slope, and the integers on both sides of that slope are
tried, first with few bits of scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from build_flows.graph.rounding_modes import TIE, round_even
from host.common.arrays import F64Array, IntArray
from hw.ops.requant import (
    BIAS_FRACTION,
    SHIFT_LIMIT,
    WIDE_SCALE_BITS,
    RequantParams,
    quantise_affine,
    rounded_shift,
    scale_widths,
)
from hw.ops.widths import signed_bits

NOISE = 2e-6  #: relative error of a product of a few float32 numbers
SEARCH = 90  #: steps of the search for the slope with most room
COMBINATIONS = 1 << 22  #: of operands of a sum up to which all are looked at
DRAWN = 1 << 18  #: of more of them
ObjectArray = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Staircase:
    """What the file gives for accumulators of each channel, arrays of shape (channels,)."""

    multiplier: F64Array
    offset: F64Array
    least: IntArray
    """Smallest accumulator that can occur."""
    most: IntArray
    low: int
    """Smallest result, as the clip leaves it."""
    high: int
    zero: int = 0
    """Added before it is rounded, taken off afterwards: an odd one turns halves to the odd side."""

    def rounded(self, exact: F64Array) -> F64Array:
        """What the file makes of ``exact``, before the clip."""
        return round_even(exact + self.zero) - self.zero

    def results(self, acc: IntArray) -> IntArray:
        """Results for accumulators (..., channels)."""
        rounded = self.rounded(acc * self.multiplier + self.offset)
        result: IntArray = rounded.clip(self.low, self.high).astype(np.int64)
        return result

    @property
    def reach(self) -> float:
        """Most that an offset need be, in steps, for any result."""
        return float(np.abs(self.offset).max()) + max(abs(self.low), abs(self.high)) + 1.0

    def rising(self) -> Staircase:
        """The same with the sign of falling channels taken into their accumulators."""
        falls = self.multiplier < 0
        ends = -self.most, -self.least
        least, most = (np.where(falls, end, old) for end, old in
                       zip(ends, (self.least, self.most), strict=True))  # fmt: skip
        return replace(self, multiplier=np.abs(self.multiplier), least=least, most=most)


@dataclass(frozen=True)
class Fit:
    """Integers of a layer, and how many results of its channels they get wrong."""

    params: RequantParams
    scale_bits: int
    ties_even: bool
    wrong: int
    """Accumulators that can occur whose result differs."""


def on_grid(multiplier: F64Array, offset: F64Array) -> tuple[RequantParams, bool]:
    """Integers after :func:`quantise_affine`; whether they are, to float32 precision, what is
    given."""
    params = quantise_affine(multiplier, offset)
    grid, unit = 2.0**params.shift, 2.0**BIAS_FRACTION
    scaled, offsets = multiplier * grid, offset * unit
    scale_error = np.abs(scaled - np.rint(scaled))
    offset_error = np.abs(offsets - np.rint(offsets))
    near = (scale_error <= NOISE * np.abs(scaled) + TIE).all() and (
        offset_error <= 10 * NOISE * np.maximum(unit, np.abs(offsets))
    ).all()
    return params, bool(near)


def fit(stairs: Staircase) -> Fit:
    """The narrowest integers that give every result, else the widest, with what they get wrong."""
    acc_bits = max(signed_bits(np.stack([stairs.least, stairs.most])), 2)
    found = None
    for bits in scale_widths(acc_bits):
        for even in (False, True):
            found = _fit(stairs, bits, even)
            if found is not None and not found.wrong:
                return found
    params = _rounded(stairs, WIDE_SCALE_BITS)
    return Fit(params, WIDE_SCALE_BITS, False, _wrong(stairs, params, False))


@dataclass(frozen=True)
class SumFit:
    """Integers of a sum of tensors: a scale of each, bias, shift."""

    scales: tuple[IntArray, ...]
    bias: IntArray
    shift: int
    scale_bits: int
    ties_even: bool
    wrong: int
    """Combinations whose result differs, of those that were looked at."""


def fit_sum(stairs: Sequence[Staircase]) -> SumFit:
    """Integers for the rounded sum of tensors, each by its multiplier, and the offset of the first.

    All combinations are looked at where there are at most COMBINATIONS, else DRAWN at random and
    the ends; scales that are not those of the file are the widest then.
    """
    widths = [signed_bits(np.stack([s.least, s.most])) for s in stairs]
    narrow = (27,) if max(widths) <= 18 else ()
    operands, complete = _combinations(stairs)
    for bits in (*narrow, WIDE_SCALE_BITS):
        found = [_rounded_sum(stairs, bits, even, operands) for even in (False, True)]
        best = min(found, key=lambda fit: fit.wrong)  # the first of several: halves up
        if not complete and _is_exact(stairs, best):  # but for the halves of an odd zero point
            return replace(found[1], wrong=found[1].wrong + stairs[0].zero % 2)
        if not complete and bits < WIDE_SCALE_BITS:
            continue
        plane = _plane(stairs, found[0], operands) if best.wrong else best
        if plane is not None:
            return plane
    return best


def _is_exact(stairs: Sequence[Staircase], found: SumFit) -> bool:
    """Whether the integers are what the file has: with halves to the even side none is wrong."""
    grid = 2.0**found.shift
    same = [np.array_equal(scale, s.multiplier * grid)
            for scale, s in zip(found.scales, stairs, strict=True)]  # fmt: skip
    return all(same) and np.array_equal(found.bias, stairs[0].offset * grid + grid / 2)


def _plane(
    stairs: Sequence[Staircase], rounded: SumFit, operands: Sequence[IntArray]
) -> SumFit | None:
    """Scales near the rounded ones and a bias with which no combination is wrong; None if there are
    none.

    Each combination bounds the bias from both sides.
    """
    first, codes = stairs[0], _wanted(stairs, operands)
    free = np.int64(1) << 62
    scales, bias = [s.copy() for s in rounded.scales], rounded.bias.copy()
    missing = np.ones(len(bias), bool)
    for moves in _moves(len(stairs)):
        tried = [s + move for s, move in zip(rounded.scales, moves, strict=True)]
        products = _weighted(operands, tried)
        lower = (codes << rounded.shift) - products
        upper = lower + (1 << rounded.shift) - 1
        least = np.where(codes > first.low, lower, -free).max(axis=0)
        most = np.where(codes < first.high, upper, free).min(axis=0)
        good = missing & (least <= most)
        for kept, new in zip((*scales, bias), (*tried, least + (most - least) // 2), strict=True):
            kept[good] = new[good]
        missing &= ~good
        if not missing.any():
            return replace(rounded, scales=tuple(scales), bias=bias, wrong=0)
    return None


def _moves(count: int) -> Iterator[tuple[int, ...]]:
    """By how much scales are moved: each by one or not, of more than four one at a time."""
    every = itertools.product((0, -1, 1), repeat=count)
    return every if count <= 4 else (moves for moves in every if np.count_nonzero(moves) <= 1)


def _weighted(
    operands: Sequence[npt.NDArray[Any]], factors: Sequence[npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """Sum of all, each times its factor."""
    first, *others = (x * factor for x, factor in zip(operands, factors, strict=True))
    found: npt.NDArray[Any] = sum(others, first)
    return found


def _wanted(stairs: Sequence[Staircase], operands: Sequence[IntArray]) -> IntArray:
    """What the file gives."""
    first = stairs[0]
    exact = _weighted(operands, [s.multiplier for s in stairs]) + first.offset
    codes: IntArray = first.rounded(exact).clip(first.low, first.high).astype(np.int64)
    return codes


def _combinations(stairs: Sequence[Staircase]) -> tuple[list[IntArray], bool]:
    """Operands (combinations, channels) that can occur, and whether they are all."""
    channels, count = len(stairs[0].offset), len(stairs)
    sizes = [int((s.most - s.least).max()) + 1 for s in stairs]
    if prod(sizes) * channels <= COMBINATIONS:
        steps = np.unravel_index(np.arange(prod(sizes)), sizes)
        return [np.minimum(s.least + n[:, None], s.most)
                for s, n in zip(stairs, steps, strict=True)], True  # fmt: skip
    rng = np.random.default_rng(0)
    sides = np.unravel_index(np.arange(2**count), (2,) * count)
    return [
        np.concatenate([
            rng.integers(s.least, s.most, (DRAWN // channels, channels), endpoint=True),
            np.stack([s.least, s.most])[side],
        ])
        for s, side in zip(stairs, sides, strict=True)
    ], False  # fmt: skip


def _rounded_sum(
    stairs: Sequence[Staircase], bits: int, even: bool, operands: Sequence[IntArray]
) -> SumFit:
    """Scales and offset rounded to the nearest at the largest shift at which they fit."""
    first = stairs[0]
    slopes = [np.abs(s.multiplier) for s in stairs]
    ends = [np.abs(np.stack([s.least, s.most])).max(axis=0) for s in stairs]
    peak = max(float(slope.max()) for slope in slopes)
    most = float(_weighted(ends, slopes).max()) + first.reach
    shift = SHIFT_LIMIT[1]
    while shift > 0 and (peak * 2.0**shift > (1 << (bits - 1)) - 2 or most * 2.0**shift > 2.0**61):
        shift -= 1
    scales = tuple(np.rint(s.multiplier * 2.0**shift).astype(np.int64) for s in stairs)
    bias = np.rint(first.offset * 2.0**shift).astype(np.int64) + ((1 << shift) >> 1)
    found = rounded_shift(_weighted(operands, scales) + bias, shift, even)
    wrong = found.clip(first.low, first.high) != _wanted(stairs, operands)
    return SumFit(scales, bias, shift, bits, even, int(wrong.sum()))


def _fit(stairs: Staircase, bits: int, even: bool) -> Fit | None:
    """With ``bits`` of scale; None where no line goes through."""
    if even:
        params = _rounded(stairs, bits)
        return Fit(params, bits, True, _wrong(stairs, params, True))
    line = _line(stairs, bits)
    return None if line is None else Fit(line, bits, False, _wrong(stairs, line, False))


def _shift(stairs: Staircase, bits: int) -> int:
    """The largest shift at which every scale and its offset fit."""
    peak = float(np.abs(stairs.multiplier).max())
    shift = SHIFT_LIMIT[bits > 27]
    limit = (1 << (bits - 1)) - 2
    sums = (1 << (46 if bits <= 27 else 61)) - 1  # the type may hold twice what can occur
    ends = np.abs(np.stack([stairs.least, stairs.most])).max(axis=0)
    peak_sum = float((ends * np.abs(stairs.multiplier)).max()) + stairs.reach
    while shift > 0 and (peak * 2.0**shift > limit or peak_sum * 2.0**shift > sums):
        shift -= 1
    return shift


def _rounded(stairs: Staircase, bits: int) -> RequantParams:
    """Scale and offset rounded to the nearest."""
    shift = _shift(stairs, bits)
    scale = np.rint(stairs.multiplier * 2.0**shift).astype(np.int64)
    bias = np.rint(stairs.offset * 2.0**shift).astype(np.int64) + ((1 << shift) >> 1)
    return RequantParams(scale, bias, shift)


def _line(stairs: Staircase, bits: int) -> RequantParams | None:
    shift, rising = _shift(stairs, bits), stairs.rising()
    results, first = _steps(rising)
    target = _most_room(rising, results, first) * 2.0**shift
    scale = np.zeros(len(target), np.int64)
    bias = np.zeros(len(target), object)
    missing = np.ones(len(target), bool)
    limit = (1 << (bits - 1)) - 1
    for candidate in (np.rint(target), np.floor(target), np.ceil(target)):
        tried = candidate.astype(np.int64).clip(0, limit)
        lower, upper = _bounds(rising, results, first, tried, shift)
        good = missing & (lower <= upper)
        scale[good] = tried[good]
        bias[good] = _roundest(lower[good], upper[good])
        missing &= ~good
    if missing.any():
        return None
    scale = np.where(stairs.multiplier < 0, -scale, scale)
    return RequantParams(scale, bias.astype(np.int64), shift)


def _steps(rising: Staircase) -> tuple[IntArray, IntArray]:
    """Results (steps,) and the first accumulator (channels, steps) that gives each or a higher."""
    results = np.arange(rising.low + 1, rising.high + 1)
    slope = rising.multiplier[:, None]
    flat = slope == 0
    exact = (results - 0.5 - rising.offset[:, None]) / np.where(flat, 1.0, slope)
    bound = (rising.least - 2)[:, None], (rising.most + 2)[:, None]
    first = np.ceil(np.clip(exact, *bound)).astype(np.int64)
    for move in (2, 1, 0, -1, -2):  # float64 may be one off, a half goes to the even side
        guess = np.ceil(np.clip(exact, *bound)).astype(np.int64) + move
        gives = rising.rounded(guess * slope + rising.offset[:, None]) >= results
        first = np.where(gives, guess, first if move < 2 else guess + 1)
    always = rising.rounded(rising.offset)[:, None] >= results
    ends = np.where(always, rising.least[:, None], rising.most[:, None] + 1)
    first = np.where(flat, ends, first)
    return results, first.clip(rising.least[:, None], rising.most[:, None] + 1)


def _most_room(rising: Staircase, results: IntArray, first: IntArray) -> F64Array:
    """For each channel the slope at which the bounds of the offset are furthest apart."""
    start = rising.multiplier
    below, above = start * (1 - 2**-9), start * (1 + 2**-9)
    golden = (np.sqrt(5) - 1) / 2

    def room(slope: F64Array) -> F64Array:
        """Of the offset, relative to the true line, so that the large terms are gone."""
        off = slope - start
        at = results - 0.5 - rising.offset[:, None] - start[:, None] * first
        lower = np.where(first <= rising.most[:, None], at - off[:, None] * first, -np.inf)
        before = first - 1
        at = results - 0.5 - rising.offset[:, None] - start[:, None] * before
        upper = np.where(before >= rising.least[:, None], at - off[:, None] * before, np.inf)
        least = np.minimum(upper.min(axis=1), 1e9)
        found: F64Array = least - np.maximum(lower.max(axis=1), -1e9)
        return found

    for _ in range(SEARCH):
        left, right = above - golden * (above - below), below + golden * (above - below)
        better = room(left) > room(right)
        below, above = np.where(better, below, left), np.where(better, right, above)
    middle: F64Array = (below + above) / 2
    return middle


def _bounds(
    rising: Staircase, results: IntArray, first: IntArray, scale: IntArray, shift: int
) -> tuple[ObjectArray, ObjectArray]:
    """Least and greatest bias of each channel with this scale."""
    steps = results.astype(object) << shift
    products = scale.astype(object)[:, None] * first.astype(object)
    reached = first <= rising.most[:, None]
    left = first > rising.least[:, None]
    free = int(rising.reach * 2.0**shift)
    lower = np.where(reached, steps - products, -free).max(axis=1)
    upper = np.where(left, steps - 1 - products + scale.astype(object)[:, None], free).min(axis=1)
    return lower, upper


def _roundest(lower: ObjectArray, upper: ObjectArray) -> ObjectArray:
    """Of the integers from ``lower`` to ``upper`` those with most zeros at the end."""
    found = np.empty(len(lower), object)
    for i, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        if low <= 0 <= high:
            found[i] = 0
            continue
        zeros = (high - low).bit_length() + 1
        while (-(-low >> zeros) << zeros) > high:
            zeros -= 1
        found[i] = -(-low >> zeros) << zeros
    return found


def _wrong(stairs: Staircase, params: RequantParams, even: bool) -> int:
    """Accumulators whose result differs, of those around the steps and at the ends."""
    rising = stairs.rising()
    _, first = _steps(rising)
    around = np.stack([first - 1, first, rising.least[:, None] + 0 * first,
                       rising.most[:, None] + 0 * first])  # fmt: skip
    around = around.clip(rising.least[:, None], rising.most[:, None])
    acc = np.where(stairs.multiplier[:, None] < 0, -around, around)
    acc = np.moveaxis(acc, 1, -1)  # channels last
    found = apply_line(acc, params, even).clip(stairs.low, stairs.high)
    return int((found != stairs.results(acc)).sum())


def apply_line(acc: IntArray, params: RequantParams, even: bool) -> IntArray:
    """``(acc * scale + bias) >> shift`` without a clip; channels are the last axis of ``acc``."""
    return rounded_shift(acc * params.scale + params.bias, params.shift, even)
