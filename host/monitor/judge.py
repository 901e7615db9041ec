# SPDX-License-Identifier: Apache-2.0
"""From a frame and its track to an observation: measures, state, alarm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from host.common.arrays import Image, Points
from host.common.timing import timed
from host.face.draw import Colour, draw_driver
from host.face.eyes import Look
from host.monitor.capture import Frame
from host.monitor.measures import Measurer, Measures
from host.monitor.profile import Profile
from host.monitor.state import (
    ASLEEP,
    AWAY,
    EYES_HIDDEN,
    NO_FACE,
    NO_PICTURE,
    NORMAL,
    NOT_CALIBRATED,
    TIRED,
    WRONG_WAY,
    StateMachine,
)
from host.monitor.thresholds import Thresholds
from host.monitor.track import Track

STATE_COLOURS: dict[str, Colour] = {
    NORMAL: (110, 170, 70),
    NOT_CALIBRATED: (180, 110, 160),
    TIRED: (60, 180, 240),
    EYES_HIDDEN: (150, 80, 120),
    WRONG_WAY: (120, 100, 90),
    AWAY: (220, 140, 60),
    NO_FACE: (130, 130, 130),
    NO_PICTURE: (70, 70, 70),
    ASLEEP: (60, 60, 230),
}
"""BGR colour of each state."""

JUDGED_S = 0.015
"""What is found out about a frame counts for so many seconds: nothing that is judged is quicker,
and fast sources leave the time to the network."""

Looker = Callable[[Image, Points], Look]
"""Looks at the eyes in a picture (H, W, 3) with landmarks (98, 2) in its pixels."""


@dataclass
class Observation:
    """A frame with all that was found out about it."""

    frame: Frame
    track: Track
    measures: Measures
    state: str
    times_ms: dict[str, float]
    """Wall time by stage."""
    alarm: bool = False
    """True if the state sounds the alarm."""
    limits: Thresholds | None = None
    """What decided."""
    clock_s: float = field(default_factory=time.time)
    """When it was judged, in seconds since 1970."""
    look: Look | None = None
    """What the picture tells of the eyes; None when nobody has looked."""
    ended: bool = False
    """True if a failure ends the run: nobody watches from now on."""

    @cached_property
    def picture(self) -> Image:
        """The annotated frame, drawn once for all sinks."""
        found = self.measures
        parts = [self.state.upper(), f"{found.time_s:.1f} s"]
        parts += [self.frame.fault] if self.frame.fault else []
        for name, value in (
            ("eyes", found.opening), ("mouth", found.mar), ("PERCLOS", found.perclos)
        ):  # fmt: skip
            parts += [] if value is None else [f"{name} {value:.2f}"]
        if found.yaw_deg is not None and found.pitch_deg is not None:
            parts.append(f"yaw {found.yaw_deg:.0f} pitch {found.pitch_deg:.0f}")
        parts.append(f"blinks {found.blinks} yawns {found.yawns} nods {found.nods}")
        caption = "  ".join(parts)
        return draw_driver(
            self.frame.image, self.track.landmarks, caption, STATE_COLOURS[self.state]
        )


def unwatched(
    last: Observation | None, limits: Thresholds, fault: str, silent_s: float
) -> Observation:
    """What sinks are told while no frame is judged: NO_PICTURE, with the last frame.

    last: the last observation, None where there was none. fault: why, in a line.
    """
    frame = Frame(0, 0.0, np.zeros((480, 640, 3), np.uint8)) if last is None else last.frame
    frame = frame._replace(fault=fault, stale_s=silent_s)
    measures = Measures(time_s=0.0) if last is None else last.measures
    measures = replace(measures, no_picture_s=silent_s)
    alarm = NO_PICTURE in limits.alarm_states
    return Observation(frame, Track(landmarks=None), measures, NO_PICTURE, {}, alarm, limits)


class Judge:
    """Measures frame after frame and decides on the state."""

    def __init__(
        self,
        thresholds: Thresholds,
        profile: Profile | None = None,
        looker: Looker | None = None,
    ) -> None:
        """profile: of the driver who is expected. looker: without it nobody looks at the eyes."""
        self._measurer, self._machine = Measurer(thresholds, profile), StateMachine(thresholds)
        self._looker = looker
        self._judged: Observation | None = None
        self._recalibrate = threading.Event()

    @property
    def thresholds(self) -> Thresholds:
        """What decides now; may be replaced at any time, from any thread."""
        return self._measurer.thresholds

    @thresholds.setter
    def thresholds(self, limits: Thresholds) -> None:
        self._measurer.thresholds = self._machine.thresholds = limits

    def recalibrate(self) -> None:
        """Learn the present driver anew from the next frame on; from any thread."""
        self._recalibrate.set()

    @property
    def profile(self) -> Profile | None:
        """What is known of the driver; None before the calibration."""
        return self._measurer.profile()

    def update(self, frame: Frame, track: Track) -> Observation:
        """Judge the next frame, or pass on what was found out about the last one just now."""
        last = self._judged
        if last is not None and self._holds(last, frame, track):
            measures = replace(last.measures, time_s=frame.time_s)
            times = dict(track.times_ms)
            return replace(last, frame=frame, track=track, measures=measures, times_ms=times)
        self._judged = self._judge(frame, track)
        return self._judged

    def _holds(self, last: Observation, frame: Frame, track: Track) -> bool:
        """Whether what was judged last counts for this frame too."""
        return (
            track.landmarks is not None
            and last.track.landmarks is not None
            and not track.new
            and frame.time_s - last.frame.time_s < JUDGED_S
            and not self._recalibrate.is_set()
            and last.limits is self.thresholds
        )

    def _judge(self, frame: Frame, track: Track) -> Observation:
        times = dict(track.times_ms)
        if self._recalibrate.is_set():
            self._recalibrate.clear()
            self._measurer.recalibrate()
        look = None
        if track.landmarks is not None and self._looker is not None:
            with timed(times, "eyes"):
                look = self._looker(frame.image, track.landmarks)
        with timed(times, "measures"):
            measures = self._measurer.update(
                frame.time_s, track.landmarks, frame.stale_s, look, track.wrong_way
            )
            state = self._machine.update(measures)
        limits = self.thresholds
        alarm = state in limits.alarm_states
        return Observation(frame, track, measures, state, times, alarm, limits, look=look)
