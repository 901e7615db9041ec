# SPDX-License-Identifier: Apache-2.0
"""One face from frame to frame: the landmarks of a frame give the crop of the next one.

The detector is asked only for the first face, after a loss, and now and then to make sure.
A face counts as lost when the crop suddenly looks different, when the landmarks are no face, or
when the detector does not find it there several times in a row.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from host.backends.base import Backend
from host.common.arrays import F32Array, Image, Points
from host.common.errors import UserError
from host.common.timing import timed
from host.face.crop import (
    UPRIGHT_DEG,
    Transform,
    crop_turned,
    square_around_box,
    turned_square,
)
from host.face.detect.faces import Box, Detector, Face
from host.face.landmarks import OUTER_CORNERS
from host.monitor.capture import Frame
from host.monitor.seat import ANYWHERE, DriverPlace, Seat

RECHECK_S = 2.0
"""The detector confirms the face this often."""

MISSES = 3
"""So many checks in a row without the face mean that it is lost."""

LOST_LIKENESS = 0.3
"""A crop that correlates less than this with the last ones shows something else."""

MEMORY = 0.2
"""Weight of the newest crop in the mean crop."""

SMALL = (28, 28)
"""Size at which crops are compared."""

SEARCH_S = 0.25
"""Time between two searches while there is no face."""

GROWS, MOVES = 1.25, 0.4
"""From frame to frame a face's square grows or shrinks by less, and moves by less of its side;
landmarks that do more have slid onto something else."""

WRONG_WAY = math.radians(60)
"""The network is for faces that are turned by less than this in the picture."""

WRONG_WAY_S = 1.5
"""A face that was found the wrong way up is there for so long: a quick detector does not try every
turn of the picture at once."""

MIN_EYES = 8.0
"""Least distance of the outer eye corners, in pixels of the picture."""


class Search(Protocol):
    """A detector at work, in the way of the landmarks or beside it."""

    searched: tuple[int, ...]
    """Height and width of the picture that the last result is about."""

    def start(self, image: Image) -> None:
        """Search this picture unless a search is going on."""

    def result(self) -> list[Face] | None:
        """Return the faces of the search that has ended since, once; None without one."""

    def close(self) -> None:
        """End it."""


class DirectSearch:
    """Searches at once: the same frames always give the same result."""

    def __init__(self, finder: Detector) -> None:
        self._finder = finder
        self._found: list[Face] | None = None
        self.searched: tuple[int, ...] = ()

    def start(self, image: Image) -> None:
        """Search now."""
        self._found, self.searched = self._finder.find(image), image.shape[:2]

    def result(self) -> list[Face] | None:
        """Return what ``start`` found, once."""
        found, self._found = self._found, None
        return found

    def close(self) -> None:
        """Nothing is held."""


class BackgroundSearch:
    """Searches in a thread of its own, so that landmarks never wait for the detector."""

    def __init__(self, finder: Detector) -> None:
        self._finder = finder
        self._image: Image | None = None
        self._found: list[Face] | None = None
        self._error: Exception | None = None
        self.searched: tuple[int, ...] = ()
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="detect", daemon=True)
        self._thread.start()

    def start(self, image: Image) -> None:
        """Hand over a picture unless a search is going on."""
        with self._changed:
            if not self._busy:
                self._image, self._busy = image, True
                self._changed.notify()

    def result(self) -> list[Face] | None:
        """Return the faces of the search that has ended, once; raises what the detector raised."""
        with self._changed:
            if self._error is not None:
                raise self._error
            found, self._found = self._found, None
            return found

    def close(self) -> None:
        """End the thread; a search that is going on may take its time."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._image is not None)
                if self._closed or self._image is None:
                    return
                image, self._image = self._image, None
            try:
                found, error = self._finder.find(image), None
            except Exception as failure:  # noqa: BLE001 - raised again by result()
                found, error = [], failure
            with self._changed:
                self._found, self._error, self._busy = found, error, False
                self.searched = image.shape[:2]


@dataclass(frozen=True, kw_only=True)
class Track:
    """The face of one frame, or that there is none."""

    landmarks: Points | None
    """(98, 2) in pixels of the picture."""
    square: Transform | None = None
    """What the network saw; of a tilted face turned upright about its middle."""
    new: bool = False
    """True for the first frame of a face."""
    wrong_way: bool = False
    """The detector has found a face, but it is the wrong way up."""
    times_ms: dict[str, float] = field(default_factory=dict)
    """Time by stage: detect (when it was asked or waited for), crop, landmarks, track."""


class Tracker:
    """Follows the driver's face until it is lost, and waits for it where it was."""

    def __init__(
        self,
        backend: Backend,
        search: Search,
        equalise: bool = False,
        seat: Seat = ANYWHERE,
    ) -> None:
        """Put the parts together.

        Args:
            backend: gives landmarks of crops.
            search: the detector at work.
            equalise: spread the grey levels of crops.
            seat: where the driver's face is looked for.
        """
        self._backend, self._search, self._equalise = backend, search, equalise
        self._place = DriverPlace(seat)
        self._steady = False
        self._wrong_way_s = -math.inf
        self._square: Transform | None = None
        self._roll = 0.0
        self._likeness: F32Array | None = None
        self._asked_s = -np.inf
        self._misses = 0
        self._size: tuple[int, int] | None = None

    def update(self, frame: Frame, meanwhile: Callable[[], None] | None = None) -> Track:
        """Find the face in the next frame.

        Args:
            frame: the next one.
            meanwhile: see Backend.infer; not called if the network does not run.

        Raises:
            UserError, ToolError: the backend or the detector fails.
        """
        times: dict[str, float] = {}
        if self._size not in (None, frame.image.shape[:2]):
            self._lose()
            self._place.forget()
        self._size = frame.image.shape[:2]
        with timed(times, "detect"):
            self._listen(frame)
        new = self._likeness is None
        if self._square is None:
            wrong_way = frame.time_s - self._wrong_way_s < WRONG_WAY_S
            return Track(landmarks=None, wrong_way=wrong_way, times_ms=times)
        square = self._square
        try:
            with timed(times, "crop"):
                crop, to_image = crop_turned(
                    frame.image, square, self._roll, self._backend.input_size, self._equalise
                )
        except UserError:  # the face has left the picture
            self._lose()
            return Track(landmarks=None, times_ms=times)
        if not self._looks_alike(crop):
            self._lose()
            return Track(landmarks=None, times_ms=times)
        with timed(times, "landmarks"):
            fractions = self._backend.infer(crop[np.newaxis], meanwhile)[0]
        with timed(times, "track"):
            landmarks = self._follow(to_image(fractions), frame)
        return Track(landmarks=landmarks, square=square, new=new, times_ms=times)

    def _listen(self, frame: Frame) -> None:
        """Ask the detector when it is time to, and take what it has found."""
        waits = SEARCH_S if self._square is None else RECHECK_S
        if frame.time_s - self._asked_s >= waits:
            self._asked_s = frame.time_s
            self._search.start(frame.image)
        faces = self._search.result()
        if faces is None or self._search.searched != frame.image.shape[:2]:
            return
        if self._square is None:
            self._meet(faces, frame)
        elif any(_same_face(self._square, face.box) for face in faces):
            self._misses = 0
        else:
            self._misses += 1
            if self._misses >= MISSES:
                self._lose()

    def _meet(self, faces: Sequence[Face], frame: Frame) -> None:
        """Begin to follow the driver's face if it is among these."""
        height, width = frame.image.shape[:2]
        found = self._place.choose(faces, (width, height), frame.time_s)
        if found is None:
            return
        if abs(found.roll or 0.0) > WRONG_WAY:
            self._wrong_way_s = frame.time_s
        else:
            self._square, self._misses = square_around_box(found.box), 0
            self._roll = _turn(found.roll or 0.0)

    def _looks_alike(self, crop: Image) -> bool:
        """Compare with the mean of the last crops, and add this one to it."""
        small = cv2.resize(crop, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.sum() / small.size
        if self._likeness is None:
            self._likeness = small
            return True
        like = self._likeness
        norm = math.sqrt(float(np.vdot(small, small)) * float(np.vdot(like, like)))
        alike = float(np.vdot(small, like)) > LOST_LIKENESS * max(norm, 1e-6)
        self._likeness += np.float32(MEMORY) * (small - self._likeness)
        return alike

    def _follow(self, landmarks: Points, frame: Frame) -> Points | None:
        """Put the next crop around the landmarks and return them; None if they are no face."""
        middle_x, middle_y = (landmarks.sum(axis=0) / len(landmarks)).tolist()
        height, width = frame.image.shape[:2]
        inside = 0 <= middle_x < width and 0 <= middle_y < height  # False for nan too
        right, down = eye_line(landmarks)
        eyes = math.hypot(right, down)
        if not (inside and eyes >= MIN_EYES):
            self._lose()
            return None
        self._roll = _turn(math.atan2(down, right))
        square = turned_square(landmarks, self._roll)
        if self._square is not None and self._steady and _jumps(self._square, square):
            self._lose()
            return None
        self._square, self._steady = square, True
        self._place.follow(self._square, frame.time_s)
        return landmarks

    def _lose(self) -> None:
        self._square = self._likeness = None
        self._steady = False
        self._asked_s = -np.inf
        self._misses = 0


def eye_line(landmarks: Points) -> tuple[float, float]:
    """From the left to the right outer eye corner of landmarks (98, 2): right and down."""
    first, second = OUTER_CORNERS
    right, down = (landmarks[second] - landmarks[first]).tolist()
    return right, down


def _turn(roll: float) -> float:
    """By how much the crop of a face tilted by ``roll`` is turned: not at all for little."""
    return roll if abs(math.degrees(roll)) >= UPRIGHT_DEG else 0.0


def _jumps(before: Transform, after: Transform) -> bool:
    """True for squares of neighbouring frames that no head could have moved between."""
    half, half_after = before.side / 2, after.side / 2
    right = after.left + half_after - before.left - half
    down = after.top + half_after - before.top - half
    ratio = after.side / before.side
    return math.hypot(right, down) > MOVES * before.side or not 1 / GROWS < ratio < GROWS


def _same_face(square: Transform, box: Box) -> bool:
    """True if the box's middle lies in the inner half of the square."""
    middle = np.array([box.x + box.width / 2, box.y + box.height / 2])
    return bool((np.abs(square.to_crop(middle) - 0.5) < 0.3).all())
