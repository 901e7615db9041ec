# SPDX-License-Identifier: Apache-2.0
"""What 98 landmarks tell about a driver: eyes, mouth, head, and what has happened so far.

Times are those of the frames, in seconds, so that a recording gives the same result at any speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from host.common.arrays import Points
from host.face.crop import square_around_landmarks
from host.face.eyes import Look
from host.face.landmarks import INNER_LIPS
from host.face.pose import head_pose
from host.monitor.events import Happenings, Share
from host.monitor.eyes import (
    FAR_EYE_DEG,
    LEARN_DEG,
    Eyes,
    Opening,
    aspect_ratio,
    eye_ratios,
    straightened,
    visible_sides,
    with_look,
)
from host.monitor.mouth import Mouth
from host.monitor.person import Person
from host.monitor.profile import Profile
from host.monitor.thresholds import Thresholds
from host.monitor.usual import UsualPose

LONGEST_STEP_S = 0.5
"""A frame counts for the time since the last one, but for no more than this."""

PAUSE_S = 2.0
"""After so long without a frame nothing that lasts goes on."""

COMPARE_S = 1.0
"""How long a face is looked at before it counts as the same person or as another one."""

STRANGER_S = 1.5
"""After so long a face that was met after a gap, and is not held as usual, is compared anyway."""

DOUBT_S = 6.0
"""What is known of the eyes weighs no more than this after the face was gone."""

BEFORE_S = 2.0
"""Time constant of the opening before a closure."""

BRIDGE_S = 0.3
"""What lasts goes on after a shorter break: a face that is found for a moment is none yet."""

REOPEN_S = 0.1
"""Eyes that seem open for less than this stay closed: noise."""

HANGING_DEG = 35.0
"""Pitch to either side beyond which lids cannot be judged, unless it is usual: of a camera that is
far below or above, or with a mask, that hides the chin."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is known at one frame; None where there is no face or no calibration yet."""

    time_s: float
    ear_left: float | None = None
    """Eye aspect ratio of the eye on the picture's left: height over width."""
    ear_right: float | None = None
    opening_left: float | None = None
    """Opening of that eye: 0 closed, 1 this person's usual one; None where it cannot be judged."""
    opening_right: float | None = None
    opening: float | None = None
    """Both eyes' opening: their mean, or the wider one where they are far apart."""
    mar: float | None = None
    """Mouth aspect ratio of the inner lips: height over width."""
    yaw_deg: float | None = None
    """Turn to the picture's right."""
    pitch_deg: float | None = None
    """Turn downwards."""
    roll_deg: float | None = None
    """Tilt clockwise."""
    calibrated: bool = False
    """The eyes' usual opening is known, and is that of the present person."""
    uncalibrated_s: float = 0.0
    """How long there has been a face without calibration."""
    eyes_hidden_s: float = 0.0
    """How long there has been a face without an eye that could be judged."""
    unseen_s: float = 0.0
    """How long no eye has been seen open, whatever the reason, but for moments."""
    wrong_way_s: float = 0.0
    """How long the head has been the wrong way up."""
    no_picture_s: float = 0.0
    """How long a live source has given no new picture."""
    closed_s: float = 0.0
    """How long the eyes have been closed."""
    away_s: float = 0.0
    """How long the driver has been looking away."""
    no_face_s: float = 0.0
    """How long there has been no face."""
    perclos: float | None = None
    """Share of the last minute's time with closed eyes; None while too few."""
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


class Since:
    """How long something has been true, but for short breaks."""

    def __init__(self, bridge_s: float = BRIDGE_S) -> None:
        """bridge_s: breaks of less do not count."""
        self._bridge_s = bridge_s
        self.forget()

    def forget(self) -> None:
        """It is not true."""
        self._begin_s: float | None = None
        self._last_s = -math.inf
        self._true = False

    def update(self, time_s: float, true: bool) -> None:
        """It is true now, or it is not."""
        self._true = true
        if true:
            self._begin_s = time_s if self._begin_s is None else self._begin_s
            self._last_s = time_s
        elif time_s - self._last_s >= self._bridge_s:
            self._begin_s = None

    @property
    def begun(self) -> bool:
        """Whether it is true, or has been so a moment ago."""
        return self._begin_s is not None

    @property
    def lasted_s(self) -> float:
        """Seconds; 0 when it is not true."""
        return self._last_s - self._begin_s if self._true and self._begin_s is not None else 0.0


class Measurer:
    """Turns the landmarks of frame after frame into Measures."""

    def __init__(self, thresholds: Thresholds, profile: Profile | None = None) -> None:
        """profile: what is known of the driver whose face is expected."""
        self.thresholds = thresholds
        """May be replaced at any time."""
        self.blinks, self.microsleeps, self.nods = Happenings(), Happenings(), Happenings()
        self._mouth = Mouth()
        self._closed_share = Share()
        self._eyes, self._person, self._usual = Eyes(), Person(), UsualPose()
        self._uncalibrated, self._hidden, self._tilted = Since(), Since(), Since()
        self._no_face, self._no_picture_s = Since(), 0.0
        self._away = Since(bridge_s=0.0)  # who looks from mirror to mirror passes the road
        self._unseen = Since()  # nothing but an open eye ends it, once it is more than a moment
        self._last_s: float | None = None
        self._last_face_s: float | None = None
        self._judged_s = -math.inf
        self._compared = True
        self._last_closure_s = math.inf
        self._forget()
        if profile is not None:
            self._use(profile)

    def recalibrate(self) -> None:
        """Learn the present person and pose anew; what was counted lately counts no more."""
        self._learn_anew()
        self._mouth.renew()
        for events in (self.blinks, self.microsleeps, self._mouth.yawns, self.nods):
            events.forget()
        self._closed_share = Share()
        self._forget()

    def _learn_anew(self) -> None:
        """Learn the present person and pose anew."""
        for part in (self._eyes, self._person, self._usual):
            part.renew()
        self._compared, self._last_closure_s = True, math.inf
        self._uncalibrated.forget()

    def profile(self) -> Profile | None:
        """What is known of the driver; None before the calibration."""
        pose, known = self._usual.known, self._person.known
        if not (self._eyes.calibrated and pose is not None and known is not None):
            return None
        left, right = self._eyes.usual
        return Profile(
            eye_left=left, eye_right=right, yaw_deg=pose[0], pitch_deg=pose[1],
            proportions=tuple(float(value) for value in known),
        )  # fmt: skip

    def _use(self, profile: Profile) -> None:
        self._eyes.use((profile.eye_left, profile.eye_right), DOUBT_S)
        self._usual.use(profile.yaw_deg, profile.pitch_deg, DOUBT_S)
        self._person.use(profile.vector())
        self._compared = False

    def _forget(self) -> None:
        """A face was gone for long: nothing that lasts goes on."""
        self._closed_since: float | None = None
        self._open_since: float | None = None
        self._shut_s = -math.inf
        self._before = self._lowest = 1.0
        self._slept = False
        self._down_since: float | None = None
        for lasting in (self._away, self._hidden, self._uncalibrated):
            lasting.forget()
        self._mouth.renew()

    def update(
        self,
        time_s: float,
        landmarks: Points | None,
        no_picture_s: float = 0.0,
        look: Look | None = None,
        wrong_way: bool = False,
    ) -> Measures:
        """Measure one frame.

        Args:
            time_s: time of the frame; must not fall.
            landmarks: (98, 2) in pixels of the picture, None without a face.
            no_picture_s: how long there has been no new picture, if this is none.
            look: what the picture tells of the eyes; None when nobody has looked.
            wrong_way: there is a face, but the wrong way up, so that it has no landmarks.
        """
        step = 0.0 if self._last_s is None else max(0.0, time_s - self._last_s)
        self._last_s = time_s
        self._no_picture_s = no_picture_s or (step if step > PAUSE_S else 0.0)
        if self._no_picture_s >= PAUSE_S:
            self._no_face.forget()
        elif no_picture_s == 0:
            self._no_face.update(time_s, landmarks is None and not wrong_way)
        if step > PAUSE_S or self._is_gone(time_s, landmarks):
            self._forget()
        if landmarks is None or no_picture_s > 0:
            self._tilted.update(time_s, wrong_way)
            self._unseen.update(time_s, True)
            return self._sum_up(time_s)
        self._meet(time_s, step)
        return self._face(time_s, min(step, LONGEST_STEP_S), landmarks, look)

    def _is_gone(self, time_s: float, landmarks: Points | None) -> bool:
        """Whether the face has been away too long for anything to go on; it may be lost for a
        moment again and again, in flickering light or a stream that stutters."""
        if self._no_picture_s > 0:
            return self._no_picture_s >= PAUSE_S
        last = -math.inf if self._last_face_s is None else self._last_face_s
        return landmarks is None and time_s - last > self.thresholds.person_gap_s

    def _meet(self, time_s: float, step: float) -> None:
        """A face is there: the last one, or one that must be compared first."""
        last, self._last_face_s = self._last_face_s, time_s
        gone = last is not None and time_s - last > self.thresholds.person_gap_s + step
        if gone or step > PAUSE_S:
            self._eyes.doubt(DOUBT_S)
            self._person.doubt()
            self._compared = self._person.known is None
            self._last_closure_s = math.inf

    def _face(
        self,
        time_s: float,
        step: float,
        landmarks: Points,
        look: Look | None,
    ) -> Measures:
        limits = self.thresholds
        yaw, pitch, roll = self._pose(landmarks)
        ears, mar = eye_ratios(landmarks), aspect_ratio(landmarks[[*INNER_LIPS]])
        tilted = roll is not None and abs(roll) > limits.wrong_way_deg
        self._tilted.update(time_s, tilted)
        visible = visible_sides(look, yaw, limits)
        near = self._is_near(yaw, pitch)
        hanging = pitch is None or (abs(pitch) > HANGING_DEG and not near)
        if tilted or hanging:
            visible = (False, False)
        level = with_look(straightened(ears, yaw or 0.0, pitch or 0.0), look)
        stranger = not self._compared and self._waited(STRANGER_S, yaw, pitch)
        if (near or stranger) and not tilted:
            self._compare(landmarks, step)
        if (near or self._waited(limits.uncalibrated_s, yaw, pitch)) and not tilted:
            self._eyes.learn(level, visible, step, limits)
        opening = self._eyes.judge(level, visible, limits)
        self._watch_eyes(time_s, step, opening)
        self._watch_for_eyes(time_s, opening)
        self._mouth.update(time_s, mar, limits)
        seen = look is None or max(look.visible) >= limits.eye_visible
        self._watch_head(time_s, step, yaw, pitch, seen)
        calibrated = self._is_calibrated(time_s)
        self._uncalibrated.update(time_s, not calibrated)
        return self._sum_up(
            time_s, ear_left=ears[0], ear_right=ears[1],
            opening_left=opening.left, opening_right=opening.right, opening=opening.both, mar=mar,
            yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll,
        )  # fmt: skip

    def _pose(self, landmarks: Points) -> tuple[float | None, float | None, float | None]:
        """Yaw, pitch and roll in degrees; None where none fits."""
        square = square_around_landmarks(landmarks)
        yaw, pitch, roll = (math.degrees(angle) for angle in head_pose(square.to_crop(landmarks)))
        if math.isnan(yaw + pitch + roll):
            return None, None, None
        return yaw, pitch * self.thresholds.pitch_gain, roll

    def _is_near(self, yaw: float | None, pitch: float | None) -> bool:
        """Whether the head is near its usual pose; the first one is."""
        if yaw is None or pitch is None:
            return False
        return math.dist(self._usual.known or (yaw, pitch), (yaw, pitch)) < LEARN_DEG

    def _waited(self, seconds: float, yaw: float | None, pitch: float | None) -> bool:
        """Whether any pose that shows the eyes will do: after so long without calibration."""
        waits = self._uncalibrated.lasted_s >= seconds
        if yaw is None or pitch is None or not waits:
            return False
        return max(abs(yaw), abs(pitch)) < FAR_EYE_DEG

    def _compare(self, landmarks: Points, step: float) -> None:
        """Find out whether the driver is another person, and learn anew if so.

        Of a face that was never gone it is a guess, as of a head that sinks: what was counted and
        what lasts goes on.
        """
        limits, person = self.thresholds, self._person
        person.see(landmarks, step)
        distance = person.distance()
        if person.compared_s >= COMPARE_S and distance is not None:
            if distance > limits.person_change:
                if self._compared:
                    self._learn_anew()
                else:
                    self.recalibrate()
                return
            self._compared = True
        if self._compared:
            person.learn(step)

    def _is_calibrated(self, time_s: float) -> bool:
        """Whether the eyes can be judged as this person's; eyes that never close cannot."""
        if not self._eyes.calibrated or not self._compared:
            self._last_closure_s = math.inf
            return False
        self._last_closure_s = min(self._last_closure_s, time_s)
        return time_s - self._last_closure_s < self.thresholds.blind_s

    def _watch_eyes(self, time_s: float, step: float, opening: Opening) -> None:
        """Count blinks when the eyes open again, microsleeps while they are closed."""
        if opening.judged is None:
            if time_s - self._judged_s > self.thresholds.person_gap_s:
                self._open_since = self._closed_since = None
            return
        self._judged_s = time_s
        limits = self.thresholds
        self._track_closure(time_s, step, opening.judged)
        closed = self._closed_since is not None
        if closed:
            self._last_closure_s = time_s
        if opening.both is not None:
            shut = closed and self._open_since is None
            self._closed_share.add(time_s, step, shut, limits.perclos_window_s)
        if closed and not self._slept and self._closed_s > limits.blink_max_s:
            self._slept = True
            self.microsleeps.add(time_s)

    def _track_closure(self, time_s: float, step: float, opening: float) -> None:
        """Begin or end a closure; narrowed eyes need not open wide to count as open again."""
        limits = self.thresholds
        self._lowest = min(self._lowest, opening)
        halfway = max(limits.closed_below, (self._before + self._lowest) / 2)
        if opening > min(limits.open_above, halfway):
            self._open_since = time_s if self._open_since is None else self._open_since
            if self._closed_since is not None and time_s - self._open_since >= REOPEN_S:
                if not self._slept:
                    self.blinks.add(time_s)
                self._closed_since = None
        else:
            self._open_since, self._shut_s = None, time_s
            if self._closed_since is None and opening < limits.closed_below:
                self._closed_since, self._slept = time_s, False
        if self._closed_since is None:
            self._before += min(1.0, step / BEFORE_S) * (opening - self._before)
            self._lowest = opening

    @property
    def _closed_s(self) -> float:
        """Seconds of the present closure, up to the last frame that showed the eyes closed."""
        return 0.0 if self._closed_since is None else self._shut_s - self._closed_since

    def _watch_for_eyes(self, time_s: float, opening: Opening) -> None:
        """Follow how long no eye could be judged; one that is shut when it is seen does not end it.

        The time without an eye seen open, into which the loss of the face goes too, runs beside.
        """
        unjudged, shut = opening.judged is None, self._closed_since is not None
        self._hidden.update(time_s, unjudged or (shut and self._hidden.begun))
        self._unseen.update(time_s, unjudged or (shut and self._open_since is None))

    def _watch_head(
        self, time_s: float, step: float, yaw: float | None, pitch: float | None, seen: bool
    ) -> None:
        """Count nods when the head is up again; follow the usual pose.

        seen: whether an eye is seen; where none is, as in the dark, a head that falls is a guess.
        """
        if yaw is None or pitch is None:  # turned so far that no pose fits: it goes on as it was
            self._away.update(time_s, self._away.begun)
            return
        limits, usual = self.thresholds, self._usual.known or (yaw, pitch)
        turned, fallen = abs(yaw - usual[0]), pitch - usual[1]
        if self._down_since is None and limits.nod_deg < fallen:
            self._down_since = time_s if seen else -math.inf
        elif self._down_since is not None and fallen < limits.nod_deg / 2:
            if time_s - self._down_since <= limits.nod_max_s:
                self.nods.add(time_s)
            self._down_since = None
        away = turned > limits.away_yaw_deg or abs(fallen) > limits.away_pitch_deg
        self._away.update(time_s, away)
        self._usual.learn(yaw, pitch, step)

    def _sum_up(self, time_s: float, **present: float | None) -> Measures:
        window = self.thresholds.count_window_s
        share = self._closed_share
        judged = share.total_s >= self.thresholds.perclos_least_s
        blinks, yawns = self.blinks.recent(time_s, window), self._mouth.yawns
        return Measures(
            time_s=time_s,
            calibrated=self._is_calibrated(time_s),
            uncalibrated_s=self._uncalibrated.lasted_s,
            eyes_hidden_s=self._hidden.lasted_s,
            unseen_s=self._unseen.lasted_s,
            wrong_way_s=self._tilted.lasted_s,
            no_picture_s=self._no_picture_s,
            closed_s=self._closed_s,
            away_s=self._away.lasted_s,
            no_face_s=self._no_face.lasted_s,
            perclos=share.true_s / share.total_s if judged else None,
            blinks=self.blinks.count,
            microsleeps=self.microsleeps.count,
            yawns=yawns.count,
            nods=self.nods.count,
            blink_rate=blinks * 60 / window,
            recent_microsleeps=self.microsleeps.recent(time_s, window),
            recent_yawns=yawns.recent(time_s, window),
            recent_nods=self.nods.recent(time_s, window),
            **present,
        )
