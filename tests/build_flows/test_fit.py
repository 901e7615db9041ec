# SPDX-License-Identifier: Apache-2.0
"""Integers of requantisations against the float64 they stand for, over all accumulators."""

from dataclasses import replace

import numpy as np
import pytest

from build_flows.graph.fit import Staircase, apply_line, fit, fit_sum, on_grid, round_even
from hw.ops.requant import rounded_shift


def staircase(multiplier, offset, reach, low=0, high=255):
    multiplier, offset = (np.atleast_1d(np.asarray(v, np.float64)) for v in (multiplier, offset))
    ends = np.full(len(multiplier), reach)
    return Staircase(multiplier, np.broadcast_to(offset, multiplier.shape), -ends, ends, low, high)


def check(stairs, bits=None, even=None):
    """Every accumulator that can occur gives what the file gives."""
    found = fit(stairs)
    acc = np.arange(int(stairs.least.min()), int(stairs.most.max()) + 1)[:, None]
    sent = acc.clip(stairs.least, stairs.most)
    given = apply_line(sent, found.params, found.ties_even).clip(stairs.low, stairs.high)
    np.testing.assert_array_equal(given, stairs.results(sent))
    assert found.wrong == 0
    assert np.abs(found.params.scale).max() < 1 << (found.scale_bits - 1)
    assert bits is None or found.scale_bits == bits
    assert even is None or found.ties_even == even
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reach", [90, 3_000, 70_000])
def test_random_layers_are_exact(seed, reach):
    """Rising, falling and almost flat channels, offsets in and outside of the range."""
    rng = np.random.default_rng(seed)
    multiplier = rng.uniform(-400, 400, 6) / reach * np.array([1, 1, 1, 1e-1, 1e-3, 0])
    low, high = [(0, 255), (-128, 127), (-127, 127), (0, 3)][seed]
    check(staircase(multiplier, rng.uniform(-300, 300, 6), reach, low, high))


def test_ties_go_to_the_even_side():
    found = check(staircase([0.5, 0.25, -0.5], 0.0, 500, -128, 127), bits=18, even=True)
    assert found.params.shift > 0


@pytest.mark.parametrize("zero", [7, 8])
def test_an_odd_zero_point_turns_ties_to_the_odd_side(zero):
    """Which no line gives; without ties one gives every result."""
    stairs = replace(staircase([0.5, 0.25, -0.5], 0.0, 500, -128, 127), zero=zero)
    assert stairs.results(np.array([[1, 2, 3]])).tolist() == [[zero % 2, zero % 2, zero % 2 - 2]]
    assert bool(fit(stairs).wrong) == bool(zero % 2)
    check(replace(staircase([0.37, -0.11], 0.0123, 500, -128, 127), zero=zero))


@pytest.mark.parametrize("reach", [30, 100_000])
def test_ties_of_a_sum_behind_an_odd_zero_point(reach):
    """They are wrong whether all combinations are looked at or some."""
    pair = [staircase([2.0**-shift], 0.0, reach, -128, 127) for shift in (3, 5)]
    assert fit_sum(pair).wrong == 0
    assert fit_sum([replace(stairs, zero=7) for stairs in pair]).wrong > 0


def test_biases_stay_in_their_registers():
    """Of channels that are always clipped too, where any large bias would do."""
    stairs = staircase([1e-6, 0.01, 0.0], [900.0, 0.301, -5e3], 400, 0, 3)
    found = check(stairs)
    sums = np.abs(found.params.scale) * 800 + np.abs(found.params.bias)
    assert sums.max() < 1 << 47


def test_few_bits_where_they_do():
    check(staircase([0.01], 0.301, 400, 0, 3), bits=18)


def test_more_bits_where_few_do_not():
    """255 steps over 17 bits of accumulator leave less room than 18 bits of scale hit."""
    rng = np.random.default_rng(2)
    multiplier = rng.uniform(0.0030, 0.0045, 64)
    assert check(staircase(multiplier, 0.123, 60_000)).scale_bits == 27
    assert check(staircase(multiplier * 0.4, 0.123, 150_000)).scale_bits == 35


def test_what_no_line_gives_is_counted():
    """A tenth: of every ten halves five go down and five up, which no shift of a line does."""
    found = fit(staircase([0.1], 0.0, 1000, -128, 127))
    assert found.wrong > 0


def test_halves_but_for_errors_of_float64():
    values = np.array([0.5, 0.5 - 1e-13, 1.5 + 1e-13, 2.5, -0.5, -1.5, 0.5 - 1e-7])
    assert round_even(values).tolist() == [0, 0, 2, 2, 0, -2, 0]


def test_what_is_snapped():
    grid = np.array([100_000.0, 3.0]) / 2.0**20
    params, near = on_grid(grid * (1 + 3e-7), np.array([1 / 64, -5.5]))
    assert near
    assert (params.scale.tolist(), params.shift) == ([100_000, 3], 20)
    assert on_grid(grid, np.array([1 / 64, -5.5]))[1]
    assert not on_grid(grid * 1.0001, np.array([1 / 64, -5.5]))[1]
    assert not on_grid(grid, np.array([1 / 63, -5.5]))[1]


@pytest.mark.parametrize("seed", range(6))
def test_sums_of_bytes_are_exact(seed):
    """All 65,536 pairs of two tensors of unlike scales."""
    rng = np.random.default_rng(seed)
    a = staircase(rng.uniform(0.1, 2), rng.uniform(-9, 9), 128)
    b = staircase(rng.uniform(0.1, 2), a.offset, 127)
    found = fit_sum([a, b])
    left, right = (v.reshape(-1, 1) for v in np.mgrid[-128:129, -127:128])
    sums = left * found.scales[0] + right * found.scales[1] + found.bias
    given = rounded_shift(sums, found.shift, found.ties_even).clip(0, 255)
    wanted = round_even(left * a.multiplier + right * b.multiplier + a.offset).clip(0, 255)
    np.testing.assert_array_equal(given, wanted)
    assert (found.wrong, found.scale_bits in (27, 35)) == (0, True)


def test_sums_of_accumulators_take_wide_scales():
    a, b = (
        staircase([np.pi * 1e-4] * 3, [0.1, 3, -7], 400_000),
        staircase([np.e * 3e-4] * 3, 0, 90_000),
    )
    found = fit_sum([a, b])
    assert (found.wrong, found.scale_bits) == (0, 35)
    assert fit_sum([staircase([0.5], 0, 60), staircase([0.25], 0, 60)]).ties_even


@pytest.mark.parametrize("seed", range(4))
def test_sums_of_accumulators_are_fitted_to_every_pair(seed):
    """Where rounded scales and bias are wrong on a few, others nearby are right."""
    rng = np.random.default_rng(seed)
    a, b = (staircase(rng.uniform(1e-4, 1e-3, 2), rng.uniform(-9, 9), 500_000) for _ in range(2))
    assert fit_sum([a, replace(b, offset=a.offset)]).wrong == 0


def wrong_of(found, stairs, operands):
    """Combinations (count, channels) of operands whose result is not that of the file."""
    sums = sum(x * scale for x, scale in zip(operands, found.scales, strict=True)) + found.bias
    given = rounded_shift(sums, found.shift, found.ties_even)
    exact = sum(x * s.multiplier for x, s in zip(operands, stairs, strict=True)) + stairs[0].offset
    low, high = stairs[0].low, stairs[0].high
    return int((given.clip(low, high) != round_even(exact).clip(low, high)).sum())


def branches(count, reach, seed=0, channels=2):
    rng = np.random.default_rng(seed)
    offset = rng.uniform(-9, 9, channels)
    return [staircase(rng.uniform(10, 90, channels) / reach, offset, reach) for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_three_narrow_tensors_are_exact(seed):
    """All of 61 * 61 * 61 combinations, with scales for one DSP."""
    stairs = branches(3, 30, seed)
    found = fit_sum(stairs)
    operands = [v.reshape(-1, 1) for v in np.mgrid[-30:31, -30:31, -30:31]]
    assert (found.wrong, found.scale_bits, wrong_of(found, stairs, operands)) == (0, 27, 0)


@pytest.mark.parametrize(("count", "reach"), [(3, 128), (5, 128), (8, 100_000)])
def test_sums_of_more_are_right_on_others_than_those_that_were_drawn(count, reach):
    stairs = branches(count, reach)
    found = fit_sum(stairs)
    operands = np.random.default_rng(9).integers(-reach, reach, (count, 100_000, 2), endpoint=True)
    assert (found.wrong, found.scale_bits, wrong_of(found, stairs, operands)) == (0, 35, 0)


def test_scales_that_are_powers_of_two_need_no_wide_ones():
    """Of any number of combinations: the sums are those of the file, halves to the even side."""
    stairs = [staircase([2.0**-shift], 0.25, 128) for shift in (3, 5, 6, 8)]
    found = fit_sum(stairs)
    operands = np.random.default_rng(9).integers(-128, 128, (4, 200_000, 1), endpoint=True)
    assert (found.scale_bits, found.ties_even, wrong_of(found, stairs, operands)) == (27, True, 0)
