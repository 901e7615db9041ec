# SPDX-License-Identifier: Apache-2.0
"""How far each eye is open, relative to what is usual for this person.

The usual opening is a high quantile of what was seen lately, each eye by itself. It is taken only
where it is plausible for an open eye of the population, and learning goes on: it rises within
seconds, falls within minutes, and never by much below the best that this person has shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from host.common.arrays import Points
from host.face.eyes import Look
from host.face.landmarks import LEFT_EYE, RIGHT_EYE
from host.monitor.events import Distribution
from host.monitor.thresholds import Thresholds

QUANTILE = 0.7
"""Of the aspect ratios seen: the usual one. Above the median because of blinks."""

LOWEST, HIGHEST, BINS = 0.0, 0.8, 800
"""Aspect ratios that are told apart."""

FADE_S, QUICK_S = 120.0, 5.0
"""Time constants of what is remembered: for the usual opening, and for one that has risen."""

QUICK_QUANTILE = 0.5
FALL_S = 600.0
"""Time constant with which the usual opening may fall."""

FLOOR = 0.85
"""It never falls below this share of the highest usual opening of the same person."""

BLINKS_S, BLINK_QUANTILE, BLINK_DIP, BLINK_LEAST = 10.0, 0.03, 0.82, 0.8
"""An eye with a usual opening below ``eye_least``, but not below BLINK_LEAST of it, is taken for a
small one when it blinks: after so many seconds its lowest openings lie below BLINK_DIP of it."""

PAIR = 0.7
"""An eye whose usual opening is below this share of the other one's is shut or not seen."""

APART = 0.5
"""Openings that differ by more are told by the wider eye alone, not by their mean."""

LEARN_DEG = 15.0
"""Only faces turned by less than this from their usual pose teach the usual opening."""

FAR_EYE_DEG = 35.0
"""Beyond this turn the eye on the far side is hidden by the nose."""

DOWN, UP, TURNED, SIDE = 0.30, 0.20, 0.15, 0.09
"""Fall of the logarithm of the aspect ratio at 30 degrees of pitch down and up (with the square of
the angle), rise at 30 degrees of yaw (square), and rise of the farther eye (linear). Measured with
pfld_eyes_fp32.onnx on frames of ytf, differences within people (``python -m model
evaluate-driver``). Lids follow the eyes down: 0.18 among eyes that two labels call open (earlier
weights 0.15 and 0.21, and 0.74 among all that the tracker calls so)."""

LOOK_SHARE, LOOK_SHUT, LOOK_OPEN = 0.5, 0.1, 0.3
"""How much the look at the picture counts beside the landmarks, and the aspect ratios for which its
0 and 1 stand."""

LEAST_SPAN = 0.02
"""Between the aspect ratios of a shut and of an open eye, whatever a profile says."""

LEARN_S = 0.2
"""The usual opening is found anew after so much more time."""

STEEPEST_DEG = 35.0
"""Pitch and yaw count as no more than this in the correction."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What the eyes of one frame tell."""

    left: float | None
    """0 closed, 1 usual for this person; None while unknown, hidden or not calibrated."""
    right: float | None
    both: float | None
    """What decides: the mean, or the wider eye where they are far apart."""
    judged: float | None
    """As ``both``, but before calibration relative to a small-eyed person's opening."""


def aspect_ratio(outline: Points) -> float:
    """Height over width of an eye or of the inner lips.

    The mean of the three vertical distances over the horizontal one (after Soukupova and Cech,
    2016, who had six points).

    Args:
        outline: (8, 2), from one corner over the upper edge to the other corner and back.
    """
    p = outline.tolist()
    heights = [math.dist(p[upper], p[8 - upper]) for upper in (1, 2, 3)]
    return math.fsum(heights) / 3 / max(math.dist(p[0], p[4]), 1e-9)


def eye_ratios(landmarks: Points) -> tuple[float, float]:
    """Aspect ratios of the eyes on the picture's left and right; landmarks (98, 2)."""
    return aspect_ratio(landmarks[[*LEFT_EYE]]), aspect_ratio(landmarks[[*RIGHT_EYE]])


def straightened(
    ratios: tuple[float, float], yaw_deg: float, pitch_deg: float
) -> tuple[float, float]:
    """The aspect ratios that the same open eyes would have on a frontal face."""
    yaw, pitch = (
        min(max(angle, -STEEPEST_DEG), STEEPEST_DEG) / 30 for angle in (yaw_deg, pitch_deg)
    )
    fall = (DOWN if pitch > 0 else UP) * pitch**2 - TURNED * yaw**2
    left, right = ratios
    return left * math.exp(fall + SIDE * yaw), right * math.exp(fall - SIDE * yaw)


class Lids:
    """The usual opening of one eye."""

    def __init__(self) -> None:
        self.usual: float | None = None
        """Aspect ratio; None while unknown."""
        self.renew()

    def renew(self) -> None:
        """Another person: forget."""
        self.usual = None
        self._best = self._since_s = 0.0
        self._long = Distribution(LOWEST, HIGHEST, BINS, FADE_S)
        self._quick = Distribution(LOWEST, HIGHEST, BINS, QUICK_S)

    def use(self, usual: float, seconds: float) -> None:
        """Begin with a known usual opening, which weighs as much as ``seconds``."""
        self.renew()
        self.usual = self._best = usual
        self._long.add(usual, seconds)

    def doubt(self, seconds: float) -> None:
        """Let the past weigh no more than ``seconds``."""
        self._long.shrink(seconds)

    def learn(self, ratio: float, span_s: float, limits: Thresholds) -> None:
        """The aspect ratio, as on a frontal face, was seen for ``span_s``."""
        self._long.add(ratio, span_s)
        self._quick.add(ratio, span_s)
        self._since_s += span_s
        if self._since_s >= LEARN_S and self._long.total_s >= limits.calibration_s:
            self._renew_usual(limits)
            self._since_s = 0.0

    def _renew_usual(self, limits: Thresholds) -> None:
        seen = self._long.quantile(QUANTILE)
        if self._quick.total_s >= limits.calibration_s:
            seen = max(seen, self._quick.quantile(QUICK_QUANTILE))
        if self.usual is None:
            least = limits.eye_least * (BLINK_LEAST if self._blinks(seen) else 1)
            self.usual = seen if least <= seen <= limits.eye_most else None
        else:
            slowest = self.usual * math.exp(-self._since_s / FALL_S)
            least = max(slowest, FLOOR * self._best)
            self.usual = min(max(seen, least), limits.eye_most)
        self._best = max(self._best, self.usual or 0.0)

    def _blinks(self, usual: float) -> bool:
        """Whether the eye was seen to close now and then, which a shut one does not."""
        lowest = self._long.quantile(BLINK_QUANTILE)
        return self._long.total_s >= BLINKS_S and lowest < BLINK_DIP * usual


class Eyes:
    """Both eyes of the driver."""

    def __init__(self) -> None:
        self._lids = (Lids(), Lids())

    @property
    def usual(self) -> tuple[float | None, float | None]:
        """Usual aspect ratios, left and right; None for an eye that is not calibrated."""
        left, right = (lids.usual for lids in self._lids)
        if left is not None and right is not None and min(left, right) < PAIR * max(left, right):
            return (None, right) if left < right else (left, None)
        return left, right

    @property
    def calibrated(self) -> bool:
        """True when at least one eye's usual opening is known."""
        return any(usual is not None for usual in self.usual)

    def renew(self) -> None:
        """Another person: forget."""
        for lids in self._lids:
            lids.renew()

    def use(self, usual: tuple[float | None, float | None], seconds: float) -> None:
        """Begin with usual openings, which weigh as much as ``seconds``."""
        for lids, value in zip(self._lids, usual, strict=True):
            if value is not None:
                lids.use(value, seconds)

    def doubt(self, seconds: float) -> None:
        """The face was gone: let the past weigh no more than ``seconds``."""
        for lids in self._lids:
            lids.doubt(seconds)

    def learn(
        self,
        ratios: tuple[float, float],
        visible: tuple[bool, bool],
        span_s: float,
        limits: Thresholds,
    ) -> None:
        """These aspect ratios, as on a frontal face, were seen for ``span_s``."""
        for lids, ratio, seen in zip(self._lids, ratios, visible, strict=True):
            if seen:
                lids.learn(ratio, span_s, limits)

    def judge(
        self, ratios: tuple[float, float], visible: tuple[bool, bool], limits: Thresholds
    ) -> Opening:
        """How far open they are."""
        left, right = (
            _opening(ratio, usual, limits) if seen else None
            for ratio, usual, seen in zip(ratios, self.usual, visible, strict=True)
        )
        both = together(left, right)
        if self.calibrated:
            return Opening(left=left, right=right, both=both, judged=both)
        small = limits.eye_small
        judged = together(*(
            _opening(ratio, small, limits) if seen else None
            for ratio, seen in zip(ratios, visible, strict=True)
        ))  # fmt: skip
        return Opening(left=None, right=None, both=None, judged=judged)


def with_look(ratios: tuple[float, float], look: Look | None) -> tuple[float, float]:
    """Aspect ratios of landmarks, as on a frontal face, and of the picture itself, mixed."""
    if look is None:
        return ratios
    left, right = (
        (1 - LOOK_SHARE) * ratio + LOOK_SHARE * (LOOK_SHUT + (LOOK_OPEN - LOOK_SHUT) * seen)
        for ratio, seen in zip(ratios, look.open, strict=True)
    )
    return left, right


def visible_sides(
    look: Look | None, yaw_deg: float | None, limits: Thresholds
) -> tuple[bool, bool]:
    """Which eyes can be judged: those that the picture shows and the nose does not hide."""
    left, right = (True, True) if look is None else (
        look.visible[0] >= limits.eye_visible, look.visible[1] >= limits.eye_visible
    )  # fmt: skip
    turn = 0.0 if yaw_deg is None else yaw_deg
    return left and turn > -FAR_EYE_DEG, right and turn < FAR_EYE_DEG


def together(left: float | None, right: float | None) -> float | None:
    """One opening from two: their mean, the wider one where they are far apart."""
    if left is None or right is None:
        return right if left is None else left
    return max(left, right) if abs(left - right) > APART else (left + right) / 2


def _opening(ratio: float, usual: float | None, limits: Thresholds) -> float | None:
    if usual is None:
        return None
    return (ratio - limits.eye_shut) / max(usual - limits.eye_shut, LEAST_SPAN)
