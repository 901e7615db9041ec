# SPDX-License-Identifier: Apache-2.0
"""What 98 landmarks tell about a driver: eyes, mouth, head, and what has happened so far.

Times are those of the frames, in seconds, so that a recording gives the same result at any speed.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from host.common.arrays import Points
from host.face.crop import square_around_landmarks
from host.face.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from host.face.pose import head_pose
from host.monitor.thresholds import Thresholds

FRONTAL_DEG = 15.0
"""Only faces turned by less than this calibrate the eyes."""

POSE_S = 4.0
"""Time constant with which the usual pose follows the present one."""

CALIBRATION_QUANTILE = 0.6
"""Of the eye aspect ratios seen while calibrating; above the median because of blinks."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is known at one frame; None where there is no face or no calibration yet."""

    time_s: float
    ear_left: float | None = None
    """Eye aspect ratio of the eye on the picture's left: height over width."""
    ear_right: float | None = None
    opening: float | None = None
    """Both eyes' opening: 0 closed, 1 this person's normal one."""
    mar: float | None = None
    """Mouth aspect ratio of the inner lips: height over width."""
    yaw_deg: float | None = None
    """Turn to the picture's right."""
    pitch_deg: float | None = None
    """Turn downwards."""
    roll_deg: float | None = None
    """Tilt clockwise."""
    calibrated: bool = False
    closed_s: float = 0.0
    """How long the eyes have been closed."""
    away_s: float = 0.0
    """How long the driver has been looking away."""
    no_face_s: float = 0.0
    """How long there has been no face."""
    no_picture_s: float = 0.0
    """How long a live source has given no new picture."""
    perclos: float | None = None
    """Share of the last minute's frames with closed eyes; None while too few."""
    blinks: int = 0
    """Counts since the beginning."""
    microsleeps: int = 0
    yawns: int = 0
    nods: int = 0
    blink_rate: float = 0.0
    """Blinks a minute over the last minute."""
    recent_microsleeps: int = 0
    """Counts within the window of the thresholds."""
    recent_yawns: int = 0
    recent_nods: int = 0


def aspect_ratio(outline: npt.ArrayLike) -> float:
    """Height over width of an eye or of the inner lips.

    The mean of the three vertical distances over the horizontal one (after Soukupova and Cech,
    2016, who had six points).

    Args:
        outline: (8, 2), from one corner over the upper edge to the other corner and back.
    """
    p = np.asarray(outline, np.float64)
    heights = np.hypot(*(p[1:4] - p[7:4:-1]).T)
    return float(heights.mean() / max(float(np.hypot(*(p[4] - p[0]))), 1e-9))


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


class Measurer:
    """Turns the landmarks of frame after frame into Measures."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        """May be replaced at any time."""
        self.blinks, self.microsleeps = Happenings(), Happenings()
        self.yawns, self.nods = Happenings(), Happenings()
        self._closed_share = Share()
        self._last_s: float | None = None
        self._seen_s: float | None = None
        self._no_picture_s = 0.0
        self._eyes = _Eyes()
        self._forget()

    def recalibrate(self) -> None:
        """Learn the present driver's eyes and pose anew."""
        self._eyes = _Eyes()
        self._forget()

    def _forget(self) -> None:
        """A face was lost: nothing that lasts goes on."""
        self._closed_since: float | None = None
        self._slept = False
        self._open_since: float | None = None
        self._yawned = False
        self._down_since: float | None = None
        self._away_since: float | None = None
        self._usual: Points | None = None

    def update(
        self, time_s: float, landmarks: Points | None, no_picture_s: float = 0.0
    ) -> Measures:
        """Measure one frame.

        Args:
            time_s: time of the frame; must not fall.
            landmarks: (98, 2) in pixels of the picture, None without a face.
            no_picture_s: how long there has been no new picture, if this is none.
        """
        step = 0.0 if self._last_s is None else max(0.0, time_s - self._last_s)
        self._last_s, self._no_picture_s = time_s, no_picture_s
        if landmarks is None:
            return self._no_face(time_s)
        self._seen_s = time_s
        square = square_around_landmarks(landmarks)
        yaw, pitch, roll = (
            None if math.isnan(angle) else math.degrees(angle)
            for angle in head_pose(square.to_crop(landmarks))
        )
        ears = aspect_ratio(landmarks[[*LEFT_EYE]]), aspect_ratio(landmarks[[*RIGHT_EYE]])
        mar = aspect_ratio(landmarks[[*INNER_LIPS]])
        frontal = yaw is not None and pitch is not None and max(abs(yaw), abs(pitch)) < FRONTAL_DEG
        opening = self._eyes.opening(ears, step if frontal else 0.0, self.thresholds)
        self._watch_eyes(time_s, step, opening)
        self._watch_mouth(time_s, mar)
        self._watch_head(time_s, step, yaw, pitch)
        return self._sum_up(
            time_s, ear_left=ears[0], ear_right=ears[1], opening=opening, mar=mar,
            yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll,
        )  # fmt: skip

    def _no_face(self, time_s: float) -> Measures:
        self._forget()
        self._seen_s = time_s if self._seen_s is None else self._seen_s
        return self._sum_up(time_s)

    def _watch_eyes(self, time_s: float, step: float, opening: float | None) -> None:
        """Count blinks when the eyes open again, microsleeps while they are closed."""
        if opening is None:
            return
        limits = self.thresholds
        if self._closed_since is None and opening < limits.closed_below:
            self._closed_since, self._slept = time_s, False
        elif self._closed_since is not None and opening > limits.open_above:
            if not self._slept:
                self.blinks.add(time_s)
            self._closed_since = None
        closed = self._closed_since is not None
        self._closed_share.add(time_s, step, closed, limits.perclos_window_s)
        if not self._slept and _since(self._closed_since, time_s) > limits.blink_max_s:
            self._slept = True
            self.microsleeps.add(time_s)

    def _watch_mouth(self, time_s: float, mar: float) -> None:
        """Count a yawn once, when the mouth has been open for long enough."""
        if mar < 0.8 * self.thresholds.yawn_mar:
            self._open_since, self._yawned = None, False
        elif self._open_since is None and mar > self.thresholds.yawn_mar:
            self._open_since = time_s
        if not self._yawned and _since(self._open_since, time_s) >= self.thresholds.yawn_s:
            self._yawned = True
            self.yawns.add(time_s)

    def _watch_head(
        self, time_s: float, step: float, yaw: float | None, pitch: float | None
    ) -> None:
        """Count nods when the head is up again; follow the usual pose while it is near."""
        if yaw is None or pitch is None:
            return
        limits, now = self.thresholds, np.array([yaw, pitch])
        usual = self._usual = now if self._usual is None else self._usual
        turned, fallen = abs(yaw - usual[0]), pitch - usual[1]
        if self._down_since is None and limits.nod_deg < fallen:
            self._down_since = time_s
        elif self._down_since is not None and fallen < limits.nod_deg / 2:
            if time_s - self._down_since <= limits.nod_max_s:
                self.nods.add(time_s)
            self._down_since = None
        away = turned > limits.away_yaw_deg or abs(fallen) > limits.away_pitch_deg
        self._away_since = (self._away_since or time_s) if away else None
        if max(turned, abs(fallen)) < limits.nod_deg / 2:
            self._usual = usual + (now - usual) * min(1.0, step / POSE_S)

    def _sum_up(self, time_s: float, **present: float | None) -> Measures:
        window = self.thresholds.count_window_s
        share = self._closed_share
        judged = share.total_s >= self.thresholds.perclos_least_s
        blinks = self.blinks.recent(time_s, window)
        return Measures(
            time_s=time_s,
            calibrated=self._eyes.calibrated,
            closed_s=_since(self._closed_since, time_s),
            away_s=_since(self._away_since, time_s),
            no_face_s=time_s - (time_s if self._seen_s is None else self._seen_s),
            no_picture_s=self._no_picture_s,
            perclos=share.true_s / share.total_s if judged else None,
            blinks=self.blinks.count,
            microsleeps=self.microsleeps.count,
            yawns=self.yawns.count,
            nods=self.nods.count,
            blink_rate=blinks * 60 / window,
            recent_microsleeps=self.microsleeps.recent(time_s, window),
            recent_yawns=self.yawns.recent(time_s, window),
            recent_nods=self.nods.recent(time_s, window),
            **present,
        )


class _Eyes:
    """The opening of the eyes relative to this person's normal one."""

    def __init__(self) -> None:
        self.calibrated = False
        self._seen: list[tuple[float, float]] = []
        self._time_s = 0.0
        self._normal = np.zeros(2)

    def opening(
        self, ears: tuple[float, float], frontal_s: float, limits: Thresholds
    ) -> float | None:
        """Mean opening of both eyes; None while calibrating. frontal_s: time to calibrate with."""
        if not self.calibrated:
            self._calibrate(ears, frontal_s, limits.calibration_s)
            return None
        ratio = np.array(ears) / self._normal
        return float(((ratio - limits.closed_ratio) / (1 - limits.closed_ratio)).mean())

    def _calibrate(self, ears: tuple[float, float], frontal_s: float, needed_s: float) -> None:
        if frontal_s <= 0:
            return
        self._seen.append(ears)
        self._time_s += frontal_s
        if self._time_s >= needed_s:
            self._normal = np.maximum(np.quantile(self._seen, CALIBRATION_QUANTILE, axis=0), 1e-3)
            self._seen.clear()
            self.calibrated = True


def _since(begin_s: float | None, time_s: float) -> float:
    return 0.0 if begin_s is None else time_s - begin_s
