# SPDX-License-Identifier: Apache-2.0
"""One face from frame to frame: the landmarks of a frame give the crop of the next one.

The detector is asked only for the first face, after a loss, and now and then to make sure.
A face counts as lost when the crop suddenly looks different, when the landmarks are no face, or
when the detector does not find it there several times in a row.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from host.backends.base import Backend
from host.common.arrays import F32Array, Image, Points
from host.common.errors import UserError
from host.common.timing import timed
from host.face.crop import (
    Transform,
    crop_square,
    square_around_box,
    square_around_landmarks,
)
from host.face.detect.faces import Box, Detector, Face
from host.face.landmarks import inter_ocular
from host.monitor.capture import Frame
from host.monitor.smooth import OneEuro

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

MIN_EYES = 8.0
"""Least distance of the outer eye corners, in pixels of the picture."""

CUTOFF_HZ, BETA = 4.0, 3.0
"""One-euro filter; speeds are in inter-ocular distances a second."""


class Search(Protocol):
    """A detector at work, in the way of the landmarks or beside it."""

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

    def start(self, image: Image) -> None:
        """Search now."""
        self._found = self._finder.find(image)

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


@dataclass(frozen=True, kw_only=True)
class Track:
    """The face of one frame, or that there is none."""

    landmarks: Points | None
    """(98, 2) in pixels of the picture, smoothed."""
    square: Transform | None = None
    """What the network saw."""
    new: bool = False
    """True for the first frame of a face."""
    eyes_visible: tuple[float, float] | None = None
    """How sure it is, 0 to 1, that the eye on the picture's left and the one on its right are seen;
    None when nobody has looked."""
    times_ms: dict[str, float] = field(default_factory=dict)
    """Time by stage: detect (when it was asked or waited for), crop, landmarks, track."""


class Tracker:
    """Follows the largest face until it is lost."""

    def __init__(self, backend: Backend, search: Search, equalise: bool = False) -> None:
        self._backend, self._search, self._equalise = backend, search, equalise
        self._filter = OneEuro(CUTOFF_HZ, BETA)
        self._square: Transform | None = None
        self._likeness: F32Array | None = None
        self._asked_s = -np.inf
        self._misses = 0

    def update(self, frame: Frame) -> Track:
        """Find the face in the next frame.

        Raises:
            UserError, ToolError: the backend or the detector fails.
        """
        times: dict[str, float] = {}
        with timed(times, "detect"):
            self._listen(frame)
        new = self._likeness is None
        if self._square is None:
            return Track(landmarks=None, times_ms=times)
        square = self._square
        try:
            with timed(times, "crop"):
                crop = crop_square(frame.image, square, self._backend.input_size, self._equalise)
        except UserError:  # the face has left the picture
            self._lose()
            return Track(landmarks=None, times_ms=times)
        if not self._looks_alike(crop):
            self._lose()
            return Track(landmarks=None, times_ms=times)
        with timed(times, "landmarks"):
            fractions = self._backend.infer(crop[np.newaxis])[0]
        with timed(times, "track"):
            landmarks = self._follow(square.to_image(fractions), frame)
        return Track(landmarks=landmarks, square=square, new=new, times_ms=times)

    def _listen(self, frame: Frame) -> None:
        """Ask the detector when it is time to, and take what it has found."""
        waits = SEARCH_S if self._square is None else RECHECK_S
        if frame.time_s - self._asked_s >= waits:
            self._asked_s = frame.time_s
            self._search.start(frame.image)
        faces = self._search.result()
        if faces is None:
            return
        if self._square is None:
            if faces:
                self._square = square_around_box(faces[0].box)
                self._misses = 0
        elif any(_same_face(self._square, face.box) for face in faces):
            self._misses = 0
        else:
            self._misses += 1
            if self._misses >= MISSES:
                self._lose()

    def _looks_alike(self, crop: Image) -> bool:
        """Compare with the mean of the last crops, and add this one to it."""
        small = cv2.resize(crop, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.mean()
        if self._likeness is None:
            self._likeness = small
            return True
        norm = float(np.linalg.norm(small) * np.linalg.norm(self._likeness))
        alike = float((small * self._likeness).sum()) > LOST_LIKENESS * max(norm, 1e-6)
        self._likeness += np.float32(MEMORY) * (small - self._likeness)
        return alike

    def _follow(self, landmarks: Points, frame: Frame) -> Points | None:
        """Smooth the landmarks and put the next crop around them; None if they are no face."""
        eyes = float(inter_ocular(landmarks))
        height, width = frame.image.shape[:2]
        middle = landmarks.mean(axis=0)
        inside = 0 <= middle[0] < width and 0 <= middle[1] < height
        if not (np.isfinite(landmarks).all() and inside and eyes >= MIN_EYES):
            self._lose()
            return None
        self._square = square_around_landmarks(landmarks)
        return self._filter.smooth(landmarks, frame.time_s, eyes)

    def _lose(self) -> None:
        self._square = self._likeness = None
        self._asked_s = -np.inf
        self._misses = 0
        self._filter.reset()


def _same_face(square: Transform, box: Box) -> bool:
    """True if the box's middle lies in the inner half of the square."""
    middle = np.array([box.x + box.width / 2, box.y + box.height / 2])
    return bool((np.abs(square.to_crop(middle) - 0.5) < 0.3).all())
