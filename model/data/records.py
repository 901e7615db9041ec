# SPDX-License-Identifier: Apache-2.0
"""What is known about one face of a data set, whatever layout it came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from host.common.arrays import BoolArray, Bytes, Image, Points
from host.common.errors import UserError

ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
"""WFLW's attributes of a face, in the order of its lists."""

FEWEST_POINTS = 10  #: a face with fewer known points is left out


@dataclass(frozen=True, kw_only=True)
class Record:
    """One face of a picture."""

    image: Path
    """File of the picture."""
    points: Points
    """(98, 2), or (68, 2) in 300-W's scheme, in pixels of the picture; nan where unknown. A point
    that is given with a coordinate of inf or nan is unknown."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom in pixels as the data set gives it."""
    attributes: tuple[bool, ...] = (False,) * len(ATTRIBUTES)
    """One flag for each of ATTRIBUTES; all False where the data set has none."""
    weight: float = 1.0
    """Weight in the training's loss, 0..1; below 1 for pseudo points of large spread."""
    lids: float = 1.0
    """Weight of the eyelids' term, 0..1; below 1 where the lids are pseudo points."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.where(self.mask[:, None], self.points, np.nan))
        known = int(self.mask.sum())
        if known < FEWEST_POINTS:
            raise UserError(f"{known} known points; a face needs {FEWEST_POINTS} or more")

    @property
    def mask(self) -> BoolArray:
        """Which points are known, (98,) or (68,)."""
        return np.asarray(np.isfinite(self.points).all(1))


@dataclass
class Listing:
    """Faces of one data set, and one line of text for each one that had to be left out."""

    name: str
    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def checked(self) -> Listing:
        """The listing itself; UserError when no face is left."""
        if not self.records:
            first = f": {self.problems[0]}" if self.problems else ""
            raise UserError(
                f"{self.name} has no usable face ({len(self.problems)} left out{first}); "
                "check the data set's folder"
            )
        return self


def read_picture(path: Path) -> Image:
    """Picture (H, W) grey uint8; UserError naming the file when it cannot be decoded."""
    if not path.is_file():
        raise UserError(f"{path} is missing")
    image = decode_grey(np.fromfile(path, np.uint8))
    if image is None:
        raise UserError(f"{path} is not a picture that OpenCV can decode")
    return image


def decode_grey(data: Bytes) -> Image | None:
    """Picture (H, W) grey uint8 of a file's bytes; None where they are none, or no picture."""
    try:
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # no bytes at all
        return None
    return None if image is None else np.asarray(image, np.uint8)


def read_lines(path: Path) -> list[str]:
    """Lines of a list; UserError where it is no text."""
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a list in a text file: {error}") from error
