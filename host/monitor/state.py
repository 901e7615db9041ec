# SPDX-License-Identifier: Apache-2.0
"""From measures to one state, with hold times."""

from __future__ import annotations

from host.monitor.measures import Measures
from host.monitor.thresholds import Thresholds

NORMAL, TIRED, AWAY, NO_FACE, ASLEEP = "normal", "tired", "looking away", "no face", "asleep"
STATES = (NORMAL, TIRED, AWAY, NO_FACE, ASLEEP)
"""From the mildest to the most urgent; the most urgent one whose cause is there wins."""

ALARMS = (AWAY, NO_FACE, ASLEEP)
"""States that sound the alarm."""


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
        TIRED: tired,
        AWAY: measures.away_s >= limits.away_s,
        NO_FACE: measures.no_face_s >= limits.no_face_s,
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
