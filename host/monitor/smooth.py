# SPDX-License-Identifier: Apache-2.0
"""One-euro filter (Casiez, Roussel, Vogel, CHI 2012): calm at rest, quick in motion."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from host.common.arrays import F64Array
from host.face.landmarks import inter_ocular
from host.monitor.capture import Frame
from host.monitor.track import Track

CUTOFF_HZ, BETA = 4.0, 3.0
"""Of the landmarks; speeds are in inter-ocular distances a second."""

SPEED_CUTOFF_HZ = 1.0
"""Cutoff of the speed's own low pass, as in the paper."""


class OneEuro:
    """Smooths an array of numbers; forget its past with ``reset``."""

    def __init__(self, cutoff_hz: float, beta: float) -> None:
        """cutoff_hz: at rest; beta: how much it rises per unit of speed (1 / unit)."""
        self.cutoff_hz, self.beta = cutoff_hz, beta
        self.reset()

    def reset(self) -> None:
        """Start anew with the next values."""
        self._time_s: float | None = None

    def smooth(self, values: npt.ArrayLike, time_s: float, unit: float = 1.0) -> F64Array:
        """Return smoothed ``values`` of any shape; a time that does not grow is like the first.

        unit: what speeds are measured in, in the unit of the values.
        """
        given = np.asarray(values, np.float64)
        if self._time_s is None or time_s <= self._time_s:
            self._values, self._speed = given, np.zeros_like(given)
        else:
            step = time_s - self._time_s
            speed = (given - self._values) / (step * unit)
            self._speed = self._speed + _share(SPEED_CUTOFF_HZ, step) * (speed - self._speed)
            cutoff = self.cutoff_hz + self.beta * np.abs(self._speed)
            self._values = self._values + _share(cutoff, step) * (given - self._values)
        self._time_s = time_s
        return self._values


def _share(cutoff_hz: npt.ArrayLike, step_s: float) -> F64Array:
    """Weight of the new value in a first-order low pass, for one cutoff or for each."""
    return 1 / (1 + 1 / (2 * math.pi * np.asarray(cutoff_hz, np.float64) * step_s))


class Smoother:
    """Smooths the landmarks of tracks; begins anew with each face."""

    def __init__(self) -> None:
        self._filter = OneEuro(CUTOFF_HZ, BETA)

    def update(self, frame: Frame, track: Track) -> Track:
        """The track of the next frame with smoothed landmarks."""
        if track.landmarks is None or track.new:
            self._filter.reset()
        if track.landmarks is None:
            return track
        unit = float(inter_ocular(track.landmarks))
        smooth = self._filter.smooth(track.landmarks, frame.time_s, unit)
        return replace(track, landmarks=smooth)
