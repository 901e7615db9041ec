# SPDX-License-Identifier: Apache-2.0
"""Counts, shares and distributions over time; everything is weighted by time, not by frames."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from host.common.arrays import F64Array


class Happenings:
    """Counts events and remembers the times of the recent ones."""

    def __init__(self) -> None:
        self.count = 0
        self._times: deque[float] = deque(maxlen=1000)

    def add(self, time_s: float) -> None:
        """Count one more."""
        self.count += 1
        self._times.append(time_s)

    def recent(self, time_s: float, window_s: float) -> int:
        """How many there were within the last ``window_s``."""
        while self._times and self._times[0] < time_s - window_s:
            self._times.popleft()
        return len(self._times)

    def forget(self) -> None:
        """None of them counts as recent any more; the count stays."""
        self._times.clear()


class Share:
    """Share of time that something was true within a sliding window."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, bool]] = deque()
        self.total_s, self.true_s = 0.0, 0.0

    def add(self, time_s: float, span_s: float, value: bool, window_s: float) -> None:
        """Add ``span_s`` seconds that end now; what is older than the window falls out."""
        self._spans.append((time_s, span_s, value))
        self._count(span_s, value)
        while self._spans and self._spans[0][0] <= time_s - window_s:
            _, old, was = self._spans.popleft()
            self._count(-old, was)

    def _count(self, span_s: float, value: bool) -> None:
        self.total_s += span_s
        self.true_s += span_s if value else 0.0


FAINTEST = 1e-100
"""How far the past fades before its weights are computed anew, so that none gets lost."""


class Distribution:
    """A histogram over time whose past fades: quantiles of the last minutes in constant memory."""

    def __init__(self, low: float, high: float, bins: int, fade_s: float) -> None:
        """low, high: range; values beyond count as its ends. fade_s: time constant of the past."""
        self.low, self.high, self.fade_s = low, high, fade_s
        self.total_s = 0.0
        """Seconds that are remembered."""
        self._weights = np.zeros(bins)
        self._edges = np.linspace(low, high, bins + 1)
        self._faded = 1.0  # what a weight counts now: the past fades without a touch of its bins

    def add(self, value: float, span_s: float) -> None:
        """The value held for ``span_s`` seconds that end now."""
        if span_s <= 0:
            return
        fade = math.exp(-span_s / self.fade_s)
        self._faded *= fade
        if self._faded < FAINTEST:
            self._weights *= self._faded
            self._faded = 1.0
        place = (value - self.low) / (self.high - self.low) * len(self._weights)
        self._weights[int(min(max(place, 0), len(self._weights) - 1))] += span_s / self._faded
        self.total_s = self.total_s * fade + span_s

    def shrink(self, total_s: float) -> None:
        """Let the past weigh ``total_s`` at most."""
        if self.total_s > total_s:
            self._faded *= total_s / self.total_s
            self.total_s = total_s

    def quantile(self, share: float) -> float:
        """The value below which ``share`` of the time lies; nan without any."""
        if self.total_s <= 0:
            return math.nan
        below: F64Array = np.concatenate([[0.0], np.cumsum(self._weights)])
        return float(np.interp(share * below[-1], below, self._edges))
