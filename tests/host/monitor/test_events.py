# SPDX-License-Identifier: Apache-2.0
"""Distributions over time that fade."""

import math

import numpy as np
import pytest

from host.monitor.events import Distribution

FADE_S = 5.0


def quantile(values, spans, share, low, high, bins):
    """The same from all that was ever added: a histogram of faded weights."""
    age = np.cumsum(spans[::-1])[::-1] - spans
    weights, edges = np.histogram(
        np.clip(values, low, high), bins, (low, high), weights=spans * np.exp(-age / FADE_S)
    )
    below = np.concatenate([[0], np.cumsum(weights)])
    return np.interp(share * below[-1], below, edges), below[-1]


def test_the_past_fades_for_as_long_as_one_likes():
    rng = np.random.default_rng(3)
    spans = rng.uniform(0.001, 0.5, 8000)  # 2,000 s are 400 time constants
    values = rng.normal(0.3, 0.2, len(spans)) + np.linspace(0, 0.3, len(spans))
    found = Distribution(0.0, 0.8, 64, FADE_S)
    for number, (value, span) in enumerate(zip(values, spans, strict=True), 1):
        found.add(value, span)
        if number % 500 == 1:
            for share in (0.03, 0.5, 0.7):
                true, total = quantile(values[:number], spans[:number], share, 0.0, 0.8, 64)
                assert found.quantile(share) == pytest.approx(true, abs=1e-9)
                assert found.total_s == pytest.approx(total)


def test_an_interruption_of_any_length_and_no_time_at_all():
    found = Distribution(0.0, 1.0, 10, FADE_S)
    assert math.isnan(found.quantile(0.5))
    found.add(0.25, 0.0)
    assert found.total_s == 0
    found.add(0.25, 1.0)
    found.add(0.75, 1e9)
    assert found.quantile(0.01) > 0.7


def test_what_is_doubted_weighs_less():
    found = Distribution(0.0, 1.0, 10, FADE_S)
    for _ in range(100):
        found.add(0.25, 0.1)
    found.shrink(0.5)
    assert found.total_s == 0.5
    for _ in range(10):
        found.add(0.75, 0.1)
    assert found.quantile(0.5) > 0.7
    found.shrink(0.0)
    assert found.total_s == 0
    found.add(0.35, 0.1)
    assert 0.3 <= found.quantile(0.5) <= 0.4
