# SPDX-License-Identifier: Apache-2.0
"""The usual pose of the head, so that the camera may stand at an angle."""

from __future__ import annotations

import math

from host.monitor.events import Distribution

FADE_S = 60.0
"""Time constant of what is remembered."""

SETTLE_S = 20.0
"""For this long after a face was met, every pose teaches; then only those near the usual one, so
that whoever looks away for long does not become one who looks ahead."""

LEARN_S = 0.2
"""The medians are found anew after so much more time."""

NEAR_DEG = 12.0
"""Poses that differ by less teach for ever."""

FARTHEST_DEG = 90.0
BINS = 180


class UsualPose:
    """Median yaw and pitch over the last minute or so."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Another person or seat: forget."""
        self._yaw = Distribution(-FARTHEST_DEG, FARTHEST_DEG, BINS, FADE_S)
        self._pitch = Distribution(-FARTHEST_DEG, FARTHEST_DEG, BINS, FADE_S)
        self._seen_s = self._since_s = 0.0
        self.known: tuple[float, float] | None = None
        """Yaw and pitch in degrees; None before the first face."""

    def use(self, yaw_deg: float, pitch_deg: float, seconds: float) -> None:
        """Begin with a known pose, which weighs as much as ``seconds``."""
        self.renew()
        self._yaw.add(yaw_deg, seconds)
        self._pitch.add(pitch_deg, seconds)
        self._seen_s, self.known = SETTLE_S, (yaw_deg, pitch_deg)

    def learn(self, yaw_deg: float, pitch_deg: float, span_s: float) -> None:
        """The head was held like this for ``span_s``."""
        far = self.known is not None and math.dist(self.known, (yaw_deg, pitch_deg)) > NEAR_DEG
        if self._seen_s < SETTLE_S or not far:
            self._yaw.add(yaw_deg, span_s)
            self._pitch.add(pitch_deg, span_s)
        self._seen_s += span_s
        self._since_s += span_s
        if self._yaw.total_s > 0 and (self.known is None or self._since_s >= LEARN_S):
            self.known = self._yaw.quantile(0.5), self._pitch.quantile(0.5)
            self._since_s = 0.0
