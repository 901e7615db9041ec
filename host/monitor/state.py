# SPDX-License-Identifier: Apache-2.0
"""From measures to one state, with hold times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.monitor.measures import Measures
    from host.monitor.thresholds import Thresholds

NORMAL, TIRED, AWAY, NO_FACE, ASLEEP = "normal", "tired", "looking away", "no face", "asleep"
NOT_CALIBRATED, EYES_HIDDEN = "not calibrated", "eyes not visible"
NO_PICTURE, WRONG_WAY = "no picture", "wrong way up"
STATES = (
    NORMAL, NOT_CALIBRATED, TIRED, EYES_HIDDEN, WRONG_WAY, AWAY, NO_FACE, NO_PICTURE, ASLEEP,
)  # fmt: skip
"""From the mildest to the most urgent; the most urgent one whose cause is there wins."""

ALARMS = (EYES_HIDDEN, WRONG_WAY, AWAY, NO_FACE, NO_PICTURE, ASLEEP)
"""States that sound the alarm unless the threshold ``alarm_states`` says otherwise."""


def causes(measures: Measures, limits: Thresholds) -> list[str]:
    """The states whose cause is there, mildest first; NORMAL always is."""
    tired = (
        (measures.perclos or 0.0) > limits.perclos_tired
        or measures.recent_microsleeps >= limits.tired_microsleeps
        or measures.recent_yawns >= limits.tired_yawns
        or measures.recent_nods >= limits.tired_nods
    )
    present = {
        NORMAL: True,
        NOT_CALIBRATED: measures.uncalibrated_s >= limits.uncalibrated_s,
        TIRED: tired,
        EYES_HIDDEN: measures.eyes_hidden_s >= limits.eyes_hidden_s
        or measures.unseen_s >= limits.unseen_s,
        WRONG_WAY: measures.wrong_way_s >= limits.wrong_way_s,
        AWAY: measures.away_s >= limits.away_s,
        NO_FACE: measures.no_face_s >= limits.no_face_s,
        NO_PICTURE: measures.no_picture_s >= limits.no_picture_s,
        ASLEEP: measures.closed_s >= limits.asleep_s,
    }
    return [state for state in STATES if present[state]]


class StateMachine:
    """Enters a more urgent state at once and leaves it after its cause was absent for a while."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        """May be replaced at any time."""
        self.state = NORMAL
        self._last_s = 0.0

    def update(self, measures: Measures) -> str:
        """Return the state after these measures."""
        worst = causes(measures, self.thresholds)[-1]
        now = measures.time_s
        milder = STATES.index(worst) < STATES.index(self.state)
        if not milder or now - self._last_s >= self.thresholds.release_s:
            self.state, self._last_s = worst, now
        return self.state
