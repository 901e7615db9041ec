# SPDX-License-Identifier: Apache-2.0
"""Yawns, told from speech, song and laughter by how long and how rarely the mouth opens."""

from __future__ import annotations

from host.monitor.events import Happenings
from host.monitor.thresholds import Thresholds

CLOSES_BELOW = 0.8
"""An open mouth counts as closed below this share of ``yawn_mar``."""

VOICE_S, VOICE_OPENINGS = 8.0, 2
"""Somebody whose mouth opened more often than this within this time speaks or sings."""

VOICE_FACTOR = 1.8
"""Who speaks or sings must open the mouth for so many times longer to yawn."""

BLINK_OUT_S = 0.12
"""A mouth that seems closed for less than this stays open: noise."""


class Mouth:
    """Counts yawns."""

    def __init__(self) -> None:
        self.yawns = Happenings()
        self._openings = Happenings()
        self.renew()

    def renew(self) -> None:
        """A face was lost or is another one: nothing that lasts goes on."""
        self._open_since: float | None = None
        self._closed_since: float | None = None
        self._needed_s = 0.0
        self._counted = False
        self._openings.forget()

    def update(self, time_s: float, ratio: float, limits: Thresholds) -> None:
        """Take the aspect ratio of the inner lips at a time; count a yawn once."""
        if ratio < CLOSES_BELOW * limits.yawn_mar:
            self._close(time_s)
            return
        self._closed_since = None
        if self._open_since is None and ratio > limits.yawn_mar:
            self._open(time_s, limits)
        begin = self._open_since
        if begin is not None and not self._counted and time_s - begin >= self._needed_s:
            self._counted = True
            self.yawns.add(time_s)

    def _open(self, time_s: float, limits: Thresholds) -> None:
        speaks = self._openings.recent(time_s, VOICE_S) > VOICE_OPENINGS
        self._openings.add(time_s)
        self._open_since, self._counted = time_s, False
        self._needed_s = limits.yawn_s * (VOICE_FACTOR if speaks else 1)

    def _close(self, time_s: float) -> None:
        if self._closed_since is None:
            self._closed_since = time_s
        if time_s - self._closed_since >= BLINK_OUT_S:
            self._open_since = None
