# SPDX-License-Identifier: Apache-2.0
"""Whose face: the seat in the picture, and the place where the driver was seen last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from host.common.errors import UserError
from host.face.crop import Transform, square_around_box
from host.face.detect.faces import Box, Face

KEEP_S = 30.0
"""After a loss only a face at the driver's place is taken, for this long; then any in the seat."""

REACH, LIKE = 1.0, 1.8
"""A face is at the driver's place within so many sides of its square, and when the squares' sides
differ less than so many times."""

MOVE_S = 3.0
"""Time constant with which the driver's place follows the face, so that it stays where it was while
landmarks slide over whatever hides the face."""


class Seat(NamedTuple):
    """The part of the picture where the driver's face is looked for, as fractions of its sides."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def holds(self, box: Box, size: tuple[int, int]) -> bool:
        """True if the middle of a box lies in the seat; size: width and height of the picture."""
        x = (box.x + box.width / 2) / size[0] - self.left
        y = (box.y + box.height / 2) / size[1] - self.top
        return 0 <= x <= self.width and 0 <= y <= self.height


ANYWHERE = Seat()
NAMED = {"left": Seat(width=0.5), "right": Seat(left=0.5, width=0.5)}
"""Halves of the picture."""


def parse_seat(text: str) -> Seat:
    """The seat that a name or four numbers mean.

    Args:
        text: ``left``, ``right`` or left, top, width and height as fractions of the picture's
            sides, for example ``0.1,0,0.4,1``.

    Raises:
        UserError: it is none of these.
    """
    if text in NAMED:
        return NAMED[text]
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    inside = len(values) == 4 and all(0 <= value <= 1 for value in values)
    if not inside or min(values[2:]) == 0 or values[0] >= 1 or values[1] >= 1:
        raise UserError(
            f"the seat '{text}' is none; give left, right or four fractions of the picture: "
            "left, top, width, height such as 0,0,0.5,1"
        )
    return Seat(*values)


class Place(NamedTuple):
    """Middle and side of a face's square, in pixels."""

    x: float
    y: float
    side: float


class DriverPlace:
    """Chooses the driver's face among those of a picture."""

    def __init__(self, seat: Seat = ANYWHERE) -> None:
        self._seat = seat
        self._place: Place | None = None
        self._last_s = -math.inf

    def follow(self, square: Transform, time_s: float) -> None:
        """The driver's face is there."""
        now = _place(square)
        if self._place is None or time_s - self._last_s >= KEEP_S:
            self._place = now
        else:
            share = min(1.0, max(0.0, time_s - self._last_s) / MOVE_S)
            pairs = zip(self._place, now, strict=True)
            self._place = Place(*(old + share * (new - old) for old, new in pairs))
        self._last_s = time_s

    def forget(self) -> None:
        """Pictures have another size from now on: any face in the seat is taken."""
        self._place = None

    def choose(self, faces: Sequence[Face], size: tuple[int, int], time_s: float) -> Face | None:
        """The face to follow; None when no face can be the driver's.

        Args:
            faces: those of a picture, the one to take first.
            size: width and height of the picture.
            time_s: time of the picture.
        """
        seated = [face for face in faces if self._seat.holds(face.box, size)]
        place = self._place
        if place is not None and time_s - self._last_s < KEEP_S:
            near = [face for face in seated if _at(place, face.box)]
            return min(near, key=lambda face: _distance(place, face.box), default=None)
        return seated[0] if seated else None


def _place(square: Transform) -> Place:
    half = square.side / 2
    return Place(square.left + half, square.top + half, square.side)


def _distance(place: Place, box: Box) -> float:
    """Between the middles, in sides of the place."""
    other = _place(square_around_box(box))
    return math.hypot(other.x - place.x, other.y - place.y) / place.side


def _at(place: Place, box: Box) -> bool:
    ratio = _place(square_around_box(box)).side / place.side
    return _distance(place, box) < REACH and 1 / LIKE < ratio < LIKE
