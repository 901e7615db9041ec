# SPDX-License-Identifier: Apache-2.0
"""The monitor as an object: a picture and its time in, an observation out, no thread."""

from __future__ import annotations

import logging
import math

import numpy as np

from host.backends.base import Backend
from host.common.arrays import Image
from host.common.errors import UserError
from host.face.detect.faces import Detector
from host.face.eyes import look_at_eyes
from host.monitor.capture import Frame
from host.monitor.eyes import BLINK_LEAST, FLOOR
from host.monitor.judge import Judge, Observation
from host.monitor.profile import Profile
from host.monitor.seat import ANYWHERE, Seat
from host.monitor.smooth import Smoother
from host.monitor.thresholds import Thresholds, doubt
from host.monitor.track import DirectSearch, Tracker


class Monitor:
    """Tracker and judge; what the command does with a recording, frame by frame."""

    def __init__(
        self,
        backend: Backend,
        detector: Detector,
        thresholds: Thresholds | None = None,
        equalise: bool = False,
        profile: Profile | None = None,
        seat: Seat = ANYWHERE,
    ) -> None:
        """Begin with a driver who is not known.

        Args:
            backend: an open backend; closing it stays with the caller.
            detector: an open detector.
            thresholds: what decides; the defaults without.
            equalise: histogram equalisation of the crops.
            profile: what is known of the driver who is expected.
            seat: where the driver's face is looked for.

        Raises:
            UserError: the profile has eyes that the thresholds exclude.
        """
        search = DirectSearch(detector)
        self._tracker = Tracker(backend, search, equalise, seat)
        limits = Thresholds() if thresholds is None else thresholds
        if profile is not None:
            profile.check(FLOOR * BLINK_LEAST * limits.eye_least, limits.eye_most)
        if doubted := doubt(backend.network, own=thresholds is not None):
            logging.getLogger(__name__).warning(doubted)
        self._judge = Judge(limits, profile, look_at_eyes)
        self._smoother = Smoother()
        self._number = 0
        self._time_s = float("-inf")

    @property
    def thresholds(self) -> Thresholds:
        """What decides; may be replaced between two frames."""
        return self._judge.thresholds

    @thresholds.setter
    def thresholds(self, limits: Thresholds) -> None:
        self._judge.thresholds = limits

    def recalibrate(self) -> None:
        """Learn the present driver anew from the next frame on."""
        self._judge.recalibrate()

    @property
    def profile(self) -> Profile | None:
        """What is known of the driver; None before the calibration."""
        return self._judge.profile

    def update(self, time_s: float, image: Image) -> Observation:
        """Judge the next frame.

        Args:
            time_s: when it was, in seconds from any beginning; must not fall.
            image: (H, W, 3) BGR uint8.

        Raises:
            UserError: the time falls, or the picture has another type or shape.
            ToolError, DeviceError: the backend fails.
        """
        if not self._time_s <= time_s < math.inf:
            raise UserError(f"time {time_s:g} s after {self._time_s:g} s; times must not fall")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise UserError(
                f"a picture of {image.dtype} and shape {image.shape}; give uint8 (H, W, 3), BGR"
            )
        self._time_s = time_s
        frame = Frame(self._number, time_s, image)
        self._number += 1
        track = self._smoother.update(frame, self._tracker.update(frame))
        return self._judge.update(frame, track)
