# SPDX-License-Identifier: Apache-2.0
"""All that decides about an alarm, with its meaning and where its default comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from host.common.errors import UserError
from host.common.json_file import read_object
from host.monitor.state import ALARMS, STATES

MEASURED = "pfld_eyes"
"""What the names of the networks begin with whose lids the defaults were measured with."""


RANGES: dict[str, tuple[float, float]] = {
    "calibration_s": (0.5, 60), "eye_shut": (0.02, 0.4), "uncalibrated_s": (0.5, 60),
    "eye_least": (0.05, 0.4), "eye_most": (0.2, 1), "eye_small": (0.1, 0.6),
    "eye_visible": (0.01, 0.99), "eyes_hidden_s": (0.3, 30), "unseen_s": (0.5, 60),
    "blind_s": (5, 3600), "pitch_gain": (0.3, 3), "person_change": (0.3, 20),
    "person_gap_s": (0.1, 30), "wrong_way_deg": (20, 180), "wrong_way_s": (0.3, 30),
    "closed_below": (0.02, 0.6), "open_above": (0.05, 0.9), "blink_max_s": (0.1, 2),
    "asleep_s": (0.3, 10), "perclos_window_s": (5, 600), "perclos_least_s": (1, 600),
    "perclos_tired": (0.01, 1), "yawn_mar": (0.01, 2), "yawn_s": (0.3, 20), "nod_deg": (2, 60),
    "nod_max_s": (0.3, 20), "away_yaw_deg": (5, 90), "away_pitch_deg": (5, 90),
    "away_s": (0.1, 30), "no_face_s": (0.1, 30), "no_picture_s": (0.3, 30),
    "count_window_s": (5, 3600), "tired_microsleeps": (1, 1000), "tired_yawns": (1, 1000),
    "tired_nods": (1, 1000), "release_s": (0.1, 30),
}  # fmt: skip
"""Least and greatest value of each threshold: beyond it, as with milliseconds for seconds, nothing
would sound any more, or all the time."""


def doubt(network: str, own: bool) -> str | None:
    """Why closed eyes may be missed with a network, in a line; None if there is no reason.

    own: whether the thresholds are the user's own.
    """
    if own or network.startswith(MEASURED):
        return None
    return (
        f"the limits for eyes were measured with {MEASURED}, not with {network}, which may "
        "show closed eyes as open ones; use that network, or measure yours (python -m model "
        "evaluate-driver) and give --thresholds"
    )


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Numbers of the measures and of the state machine, within RANGES, and the states that sound.

    Raises UserError for a value that is not possible.
    """

    calibration_s: float = 3.0
    """Time of a face near its usual pose after which the eyes' usual opening is judged."""

    eye_shut: float = 0.1
    """Aspect ratio of a shut eye, as the landmarks and the look give it together: nearly the same
    for small and for wide eyes (measured with model/zoo/pfld_eyes_fp32.onnx). A network that
    follows the lids less needs more (pfld_1x: 0.2, with ``eye_least`` no less)."""

    uncalibrated_s: float = 5.0
    """A face whose eyes have not been calibrated for so long is a state that warns."""

    eye_least: float = 0.19
    """Least usual aspect ratio of an open eye; below it the eye may as well be shut. This network
    gives less to 1.4 % of open and to all of the 6 closed-eyed faces (300-W's test folders)."""

    eye_most: float = 0.5
    """Greatest usual aspect ratio of an eye; 97 % of 300-W's open eyes are below 0.45."""

    eye_small: float = 0.3
    """Usual aspect ratio that is assumed before calibration, so that an eye below 0.15 counts as
    closed."""

    eye_visible: float = 0.5
    """An eye that is seen with less confidence than this is not judged."""

    eyes_hidden_s: float = 2.0
    """Time without an eye that can be judged before it is a state."""

    unseen_s: float = 4.0
    """Time without an eye that was seen open, but for moments of less than 0.3 s, before it is the
    same state: face, eyes and picture may come and go."""

    blind_s: float = 120.0
    """Eyes that have not been seen to close for so long count as not calibrated any more: people
    blink, so what sees no blink would see no sleep."""

    pitch_gain: float = 1.1
    """True pitch over what this network's points tell: slope 0.90 on faces of 300-W's test folders
    and ytf with a yaw below 20 degrees (``python -m model evaluate-driver``)."""

    person_change: float = 1.6
    """Another person from this distance of the face's proportions on, in scatters of one person's
    frames: 17 % of the same people, in other videos, and 90 % of others are beyond it (132 people,
    ``python -m model evaluate-driver``)."""

    person_gap_s: float = 1.0
    """After a face was gone for this long its proportions are compared before it counts as the
    same person."""

    wrong_way_deg: float = 60.0
    """A head tilted by more than this to either side is the wrong way up."""

    wrong_way_s: float = 2.0
    """Time the wrong way up before it is a state."""

    closed_below: float = 0.25
    """An eye opening below this counts as closed: 0 is closed, 1 the calibrated normal. PERCLOS P80
    (Wierwille et al., 1994) means 0.2, but what is measured of shut eyes scatters: of 509 faces
    whose eyes are drawn shut 88.6 % are below 0.2, 91.2 % below 0.25 and 93.5 % below 0.3, and
    0.0, 0.3 and 0.5 % of the open eyes of known people (300-W's test folders and ytf)."""

    open_above: float = 0.4
    """A closed eye counts as open again above this opening."""

    blink_max_s: float = 0.5
    """A closure up to this long is a blink, a longer one a microsleep. Blinks take 0.1 to 0.4 s
    (Soukupova and Cech, 2016)."""

    asleep_s: float = 1.5
    """Eyes closed for this long: asleep."""

    perclos_window_s: float = 60.0
    """PERCLOS is the share of this time with closed eyes (Dinges and Grace, 1998: one minute)."""

    perclos_least_s: float = 30.0
    """PERCLOS is not judged before a face was seen for this long within the window."""

    perclos_tired: float = 0.15
    """Tired above this PERCLOS (Wierwille et al., 1994: drowsy above 0.15)."""

    yawn_mar: float = 0.33
    """Mouth aspect ratio (inner lips) of a yawn. This network gives more to 1.1 % of the 2,458
    mouths that are not wide open (true ratio below 0.4) and to all of the 6 that are (0.6 and
    more; 300-W's test folders and ytf), more than 0.3 to 2.6 %."""

    yawn_s: float = 1.5
    """A mouth open for this long is a yawn, 1.8 times as long for who speaks or sings."""

    nod_deg: float = 10.0
    """A head that falls by this angle below its usual pitch and comes back has nodded."""

    nod_max_s: float = 2.0
    """A head that stays down for longer has not nodded."""

    away_yaw_deg: float = 25.0
    """Looking away beyond this turn to either side."""

    away_pitch_deg: float = 25.0
    """Looking away beyond this turn up or down."""

    away_s: float = 2.0
    """Time of looking away before it is a state. NHTSA's guidelines of 2013 ask for glances of at
    most 2 s."""

    no_face_s: float = 2.0
    """Time without a face before it is a state."""

    no_picture_s: float = 2.0
    """Time without a new picture of a live source before it is a state."""

    alarm_states: tuple[str, ...] = ALARMS
    """States that sound the alarm: start its programs, switch its output, beep on the dashboard."""

    count_window_s: float = 60.0
    """Microsleeps, yawns and nods of this last time count for "tired"; blink rate too."""

    tired_microsleeps: float = 1.0
    """Tired from so many microsleeps on."""

    tired_yawns: float = 3.0
    """Tired from so many yawns on."""

    tired_nods: float = 3.0
    """Tired from so many nods on."""

    release_s: float = 1.0
    """A state is left for a milder one after its cause was absent for this long."""

    def __post_init__(self) -> None:
        self._check_alarms()
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and least <= value <= most):
                raise UserError(
                    f"threshold {name}={value!r}; give a number from {least:g} to {most:g}"
                )
        for low, high in (
            ("eye_shut", "eye_least"),
            ("eye_least", "eye_most"),
            ("closed_below", "open_above"),
            ("blink_max_s", "asleep_s"),
            ("perclos_least_s", "perclos_window_s"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise UserError(
                    f"{low}={getattr(self, low):g} is above {high}={getattr(self, high):g}; "
                    f"give {low} at most {high}"
                )

    def _check_alarms(self) -> None:
        """Take a list for a tuple, as JSON has it."""
        given: object = self.alarm_states
        known = isinstance(given, list | tuple) and all(state in STATES for state in given)
        if not (known and isinstance(given, list | tuple)):
            raise UserError(
                f"threshold alarm_states={given!r}; give a list of states out of "
                f"{', '.join(STATES)}"
            )
        object.__setattr__(self, "alarm_states", tuple(given))

    @property
    def silent(self) -> list[str]:
        """States that would sound the alarm by default and do not."""
        return [state for state in ALARMS if state not in self.alarm_states]

    def changed(self, /, **values: object) -> Thresholds:
        """Return a copy with some other values.

        Raises:
            UserError: a name is unknown or a value not possible.
        """
        known = [field.name for field in fields(self)]
        for name in values:
            if name not in known:
                raise UserError(f"unknown threshold {name!r}; known are {', '.join(known)}")
        return replace(self, **values)  # type: ignore[arg-type]


def read_thresholds(path: Path) -> Thresholds:
    """Read a JSON object of names and values; the others keep their defaults.

    Raises:
        UserError: the file is missing or no JSON object, a name unknown or a value not possible.
    """
    return Thresholds().changed(**read_object(path, "thresholds"))
