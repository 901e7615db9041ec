# SPDX-License-Identifier: Apache-2.0
"""What a detector finds, the same for all detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from host.common.arrays import Image
from host.common.errors import UserError


class Box(NamedTuple):
    """A face: left, top, width and height in pixels of the picture.

    It is the detector's estimate of the box around the 98 landmarks, so from the brows to the
    chin, as it lies when the face is turned upright about its middle.
    """

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face in a picture."""

    box: Box
    score: float
    """How sure the detector is: 0 to 1 of BlazeFace, number of agreeing windows of Haar."""
    roll: float | None = None
    """How far the face is turned clockwise in the picture, radians in -pi..pi; None: not told."""


class Detector(Protocol):
    """Finds faces in a picture."""

    def find(self, image: Image) -> list[Face]:
        """Return all faces of a picture, (H, W, 3) BGR or (H, W) grey.

        The first is the one to take if there is to be one: the largest among sure ones.
        """


def find_first(detector: Detector, image: Image) -> Face:
    """Return the first face of a picture, (H, W, 3) BGR or (H, W) grey.

    Raises:
        UserError: no face is found.
    """
    faces = detector.find(image)
    if not faces:
        raise UserError(no_face(image))
    return faces[0]


def no_face(image: Image) -> str:
    """What to say of a picture in which nothing was found."""
    height, width = image.shape[:2]
    return (
        f"no face found in the {width}x{height} picture; give one that shows a face from the "
        "front, at least a twentieth of the picture wide"
    )


def square_box(centre_x: float, centre_y: float, side: float) -> Box:
    """Return the box of whole pixels nearest to a square (all in pixels)."""
    whole = max(1, round(side))
    return Box(round(centre_x - whole / 2), round(centre_y - whole / 2), whole, whole)
