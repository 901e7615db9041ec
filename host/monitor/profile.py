# SPDX-License-Identifier: Apache-2.0
"""What has been learnt about a driver, kept in a file for the next journey."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from host.common.arrays import F64Array
from host.common.atomic import write_text
from host.common.errors import UserError
from host.common.json_file import read_object
from host.monitor.person import SPREAD

FORMAT = 1
"""Version of the file."""

EYE_RANGE, ANGLE_DEG, LENGTH = (0.05, 0.8), 90.0, 10.0
"""What can be: aspect ratios of eyes, largest angle, largest logarithm of a proportion."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One driver's usual eyes, pose and proportions."""

    eye_left: float | None
    """Usual aspect ratio of the eye on the picture's left; None for one that is never seen open."""
    eye_right: float | None
    yaw_deg: float
    """Usual pose."""
    pitch_deg: float
    proportions: tuple[float, ...]
    """See host.monitor.person.proportions."""

    def __post_init__(self) -> None:
        eyes = [eye for eye in (self.eye_left, self.eye_right) if eye is not None]
        if not eyes or not all(_within(eye, *EYE_RANGE) for eye in eyes):
            low, high = EYE_RANGE
            raise UserError(
                f"profile's eyes {self.eye_left!r} and {self.eye_right!r} are not possible; give "
                f"aspect ratios from {low:g} to {high:g}, at most one of them null"
            )
        for name in ("yaw_deg", "pitch_deg"):
            if not _within(getattr(self, name), -ANGLE_DEG, ANGLE_DEG):
                raise UserError(
                    f"profile's {name}={getattr(self, name)!r} is not possible; give degrees from "
                    f"-{ANGLE_DEG:g} to {ANGLE_DEG:g}"
                )
        values = self.proportions
        if len(values) != len(SPREAD) or not all(_within(v, -LENGTH, LENGTH) for v in values):
            raise UserError(
                f"profile's proportions are not {len(SPREAD)} numbers from -{LENGTH:g} to "
                f"{LENGTH:g}; let the monitor write the file"
            )

    def check(self, least: float, most: float) -> None:
        """UserError for eyes that no calibration with these thresholds would have given."""
        for eye in (self.eye_left, self.eye_right):
            if eye is not None and not least <= eye <= most:
                raise UserError(
                    f"the profile has an eye of {eye:g}, outside of eye_least={least:g} to "
                    f"eye_most={most:g}"
                )

    def vector(self) -> F64Array:
        """The proportions as an array."""
        return np.array(self.proportions, np.float64)


def _within(value: object, low: float, high: float) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return low <= value <= high  # nan is not


def write_profile(path: Path, profile: Profile) -> None:
    """Write a profile as JSON; OSError when that fails."""
    write_text(path, json.dumps({"format": FORMAT, **asdict(profile)}, indent=1) + "\n")


def read_profile(path: Path) -> Profile:
    """Read what ``write_profile`` wrote.

    Raises:
        UserError: the file is missing, damaged, of another format or holds impossible values.
    """
    values = read_object(path, "a driver's profile")
    if values.pop("format", None) != FORMAT:
        raise UserError(f"{path} is no profile of format {FORMAT}; let the monitor write it anew")
    known = {field.name for field in fields(Profile)}
    if set(values) != known:
        raise UserError(f"{path} has the keys {sorted(values)}; a profile has {sorted(known)}")
    given = values.pop("proportions")
    listed = tuple(given) if isinstance(given, list) else ()
    return Profile(proportions=listed, **values)  # type: ignore[arg-type]
