# SPDX-License-Identifier: Apache-2.0
"""Landmarks of all faces in a picture: find, turn upright, crop, infer, crop again.

The steps are those of the monitor, where the landmarks of a frame give the crop of the next one:
here they give another crop of the same picture, until it stays where it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from host.common.arrays import F64Array, Image, Points
from host.common.errors import UserError
from host.common.timing import timed
from host.face.crop import (
    UPRIGHT_DEG,
    Transform,
    crop_square,
    square_around_box,
    square_around_landmarks,
)
from host.face.detect.faces import Box, Detector, Face

ROUNDS = 5
"""Most crops of one face."""

STABLE = 0.02
"""Crops that differ by less than this share of their side, in place and size, are the same."""

STRAY = 0.6
"""A crop whose middle is further from the detector's than this share of its side has strayed."""

PATCH = 3.0
"""Side of the turned part of the picture over the longer side of the face's box."""


class Network(Protocol):
    """What is needed of a backend; see host.backends.base."""

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""

    def infer(self, images: Image) -> Points:
        """Return landmarks (N, points, 2) as fractions of the crops (N, side, side)."""


@dataclass(frozen=True, kw_only=True)
class FaceLandmarks:
    """A face and its landmarks."""

    box: Box
    """The detector's box, as it lies when the face is turned upright about its middle."""
    score: float
    """How sure the detector is; see host.face.detect."""
    roll_deg: float
    """How far the picture was turned anticlockwise about the box's middle; 0 for upright faces."""
    crop: Transform
    """The square that the network saw last, in the picture so turned."""
    landmarks: Points
    """(points, 2), x then y, in pixels of the picture."""


class Landmarker:
    """A detector and a network; open once, use for many pictures."""

    def __init__(self, network: Network, detector: Detector, equalise: bool = False) -> None:
        """equalise: histogram equalisation of the crops."""
        self._network, self._detector, self._equalise = network, detector, equalise

    def find(self, image: Image, times_ms: dict[str, float] | None = None) -> list[FaceLandmarks]:
        """Return all faces, the one to take first.

        Args:
            image: picture, (H, W, 3) BGR, uint8.
            times_ms: gets the wall time of ``detect``, ``crop`` and ``infer``.

        Raises:
            UserError: the picture has another type or shape.
            ToolError, DeviceError: the network's backend fails.
        """
        times = {} if times_ms is None else times_ms
        with timed(times, "detect"):
            faces = self._detector.find(image)
        return [self._mark(image, face, times) for face in faces]

    def _mark(self, image: Image, face: Face, times: dict[str, float]) -> FaceLandmarks:
        roll = face.roll or 0.0
        if abs(math.degrees(roll)) < UPRIGHT_DEG:
            landmarks, square = self._settle(image, square_around_box(face.box), times)
            return FaceLandmarks(
                box=face.box, score=face.score, roll_deg=0.0, crop=square, landmarks=landmarks
            )
        with timed(times, "crop"):
            patch, to_patch, (left, top) = turn_upright(image, face.box, roll)
        box = Box(face.box.x - left, face.box.y - top, face.box.width, face.box.height)
        landmarks, square = self._settle(patch, square_around_box(box), times)
        back = cv2.invertAffineTransform(to_patch)
        return FaceLandmarks(
            box=face.box, score=face.score, roll_deg=math.degrees(roll),
            crop=Transform(square.left + left, square.top + top, square.side),
            landmarks=landmarks @ back[:, :2].T + back[:, 2],
        )  # fmt: skip

    def _settle(
        self, image: Image, square: Transform, times: dict[str, float]
    ) -> tuple[Points, Transform]:
        """Crop and infer until the crop stays; the landmarks of the last one and its square."""
        first = square
        landmarks = self._look(image, square, times)
        for _ in range(ROUNDS - 1):
            try:
                following = square_around_landmarks(landmarks)
            except UserError:  # no square holds them: these landmarks are no face
                break
            if moved(square, following) < STABLE or moved(first, following) > STRAY:
                break
            try:
                landmarks, square = self._look(image, following, times), following
            except UserError:  # it lies beside the picture
                break
        return landmarks, square

    def _look(self, image: Image, square: Transform, times: dict[str, float]) -> Points:
        with timed(times, "crop"):
            crop = crop_square(image, square, self._network.input_size, self._equalise)
        with timed(times, "infer"):
            fractions = self._network.infer(crop[np.newaxis])[0]
        return square.to_image(fractions)


def moved(before: Transform, after: Transform) -> float:
    """How far a square has moved or grown, as a share of its side before."""
    across = after.left + after.side / 2 - before.left - before.side / 2
    down = after.top + after.side / 2 - before.top - before.side / 2
    return max(abs(across), abs(down), abs(after.side - before.side)) / before.side


def turn_upright(image: Image, box: Box, roll: float) -> tuple[Image, F64Array, tuple[int, int]]:
    """Turn the surroundings of a face anticlockwise by ``roll``, radians, about its box's middle.

    Returns:
        The turned square part of the picture, black outside of it; the affine map (2, 3) from the
        picture to that part; and where in the turned picture its left upper corner lies.
    """
    side = math.ceil(PATCH * max(box.width, box.height))
    middle = (box.x + box.width / 2, box.y + box.height / 2)
    left, top = (round(at - side / 2) for at in middle)
    to_patch = cv2.getRotationMatrix2D(middle, math.degrees(roll), 1.0)
    to_patch[:, 2] -= (left, top)
    centres = to_patch.copy()  # OpenCV counts from the middles of pixels, we from their corners
    centres[:, 2] += to_patch[:, :2] @ (0.5, 0.5) - 0.5
    patch = cv2.warpAffine(image, centres, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(patch, np.uint8), np.asarray(to_patch, np.float64), (left, top)
