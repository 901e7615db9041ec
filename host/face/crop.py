# SPDX-License-Identifier: Apache-2.0
"""From a picture and a face box to the network's input: square crop, grey, 112x112.

The one preprocessing code: training, evaluation, PC and board all crop through this module.

Coordinates are continuous pixels: pixel (column i, row j) covers [i, i+1) x [j, j+1), so the
picture spans 0..width and 0..height, and a crop spans exactly its square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from host.common.arrays import F64Array, Image, Points
from host.common.errors import UserError
from host.face.detect.faces import Box

INPUT_SIZE = 112
"""Side of the network's input in pixels."""

LANDMARK_MARGIN = 1.2
"""Side of the training crop over the longer side of the landmarks' bounding box."""

UPRIGHT_DEG = 15.0
"""A face that is tilted further is turned upright before it is cropped."""

MAX_SIDE = 32768
"""Longest side of a crop in pixels; a longer one can only come from a wrong box."""


@dataclass(frozen=True)
class Transform:
    """The square of the picture that a crop shows: left, top and side in whole pixels.

    The square may reach beyond the picture (negative left or top); the crop is black there.
    """

    left: int
    top: int
    side: int

    def to_image(self, fractions: npt.ArrayLike) -> Points:
        """Map landmarks (..., 2) from fractions 0..1 of the crop to picture coordinates."""
        return np.asarray(fractions, np.float64) * self.side + (self.left, self.top)

    def to_crop(self, points: npt.ArrayLike) -> Points:
        """Map points (..., 2) from picture coordinates to fractions 0..1 of the crop."""
        return (np.asarray(points, np.float64) - (self.left, self.top)) / self.side


PORTRAIT_SQUARE = Transform(172, 76, 107)
"""Face of host.face.image.astronaut as golden vectors show it: fixed, whatever detector finds."""


def square_at(centre_x: float, centre_y: float, side: float) -> Transform:
    """Return the square of whole pixels nearest to the given one (all in pixels).

    Raises:
        UserError: the side is not between 1 and MAX_SIDE pixels.
    """
    if not (math.isfinite(centre_x + centre_y) and 1 <= side <= MAX_SIDE):
        raise UserError(
            f"crop of {side:g} pixels at ({centre_x:g}, {centre_y:g}) is not possible; "
            f"the box must be finite and the crop 1 to {MAX_SIDE} pixels wide"
        )
    whole = round(side)
    return Transform(
        math.floor(centre_x - whole / 2 + 0.5), math.floor(centre_y - whole / 2 + 0.5), whole
    )


def square_around_box(box: Box) -> Transform:
    """Return the crop square for a detector's box, which is where it expects the landmarks."""
    x, y, width, height = box
    return square_at(x + width / 2, y + height / 2, LANDMARK_MARGIN * max(width, height))


def square_around_landmarks(points: npt.ArrayLike) -> Transform:
    """Return the training crop square for known landmarks (N, 2) in picture coordinates.

    It is centred on the landmarks' bounding box, LANDMARK_MARGIN times its longer side wide.
    """
    array = np.asarray(points, np.float64)
    left, top = array.min(axis=0).tolist()
    right, bottom = array.max(axis=0).tolist()
    longer = max(right - left, bottom - top)
    return square_at((left + right) / 2, (top + bottom) / 2, LANDMARK_MARGIN * longer)


def cut_square(image: Image, square: Transform) -> Image:
    """Return the pixels (side, side[, 3]) under ``square``, black outside of the picture."""
    height, width = image.shape[:2]
    right, bottom = square.left + square.side, square.top + square.side
    inner = image[max(square.top, 0) : max(bottom, 0), max(square.left, 0) : max(right, 0)]
    if inner.size == 0:
        raise UserError(
            f"crop at ({square.left}, {square.top}), {square.side} pixels wide, lies outside "
            f"of the {width}x{height} picture; give a box that touches it"
        )
    if inner.shape[:2] == (square.side, square.side):
        return inner
    cut = np.zeros((square.side, square.side, *image.shape[2:]), np.uint8)
    row, column = max(-square.top, 0), max(-square.left, 0)
    cut[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
    return cut


def crop_square(
    image: Image, square: Transform, size: int = INPUT_SIZE, equalise: bool = False
) -> Image:
    """Cut a square out of a picture and return it grey, (size, size) uint8.

    Args:
        image: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        square: what to cut; may reach beyond the picture.
        size: side of the result in pixels.
        equalise: spread the grey levels (histogram equalisation) of the result.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise UserError(
            f"picture is {image.dtype} of shape {image.shape}; "
            "give uint8 of shape (H, W, 3), BGR, or (H, W), grey"
        )
    cut = cut_square(image, square)
    grey = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY) if cut.ndim == 3 else cut
    shrinks = square.side > size
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(grey, (size, size), interpolation=method)
    return np.asarray(cv2.equalizeHist(small) if equalise else small, np.uint8)


def turned_square(points: npt.ArrayLike, roll: float) -> Transform:
    """The square for a crop of landmarks (N, 2) that is turned by ``roll``, see ``crop_turned``."""
    if roll == 0:
        return square_around_landmarks(points)
    back = _rotation(roll)
    square = square_around_landmarks(np.asarray(points, np.float64) @ back)
    middle = back @ (square.left + square.side / 2, square.top + square.side / 2)
    return square_at(float(middle[0]), float(middle[1]), square.side)


def crop_turned(
    image: Image, square: Transform, roll: float, size: int = INPUT_SIZE, equalise: bool = False
) -> tuple[Image, Callable[[npt.ArrayLike], Points]]:
    """As ``crop_square``, of the picture turned anticlockwise about the square's middle.

    Args:
        roll: how far the face is tilted clockwise, in radians.

    Returns:
        The crop, and what takes landmarks from fractions of it back to the picture.

    Raises:
        UserError: as ``crop_square``.
    """
    if roll == 0:
        return crop_square(image, square, size, equalise), square.to_image
    half = square.side / 2
    middle = np.array([square.left, square.top]) + half
    beside = (middle <= -half) | (middle >= np.array(image.shape[1::-1]) + half)
    if beside.any():
        return crop_square(image, square, size, equalise), square.to_image
    rotation = _rotation(roll)
    corner = middle - rotation @ (half, half)
    # OpenCV counts from the middles of pixels, we from their corners
    matrix = np.column_stack([rotation, corner + rotation @ (0.5, 0.5) - 0.5])
    patch = cv2.warpAffine(
        image, matrix, (square.side, square.side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    crop = crop_square(np.asarray(patch, np.uint8), Transform(0, 0, square.side), size, equalise)

    def to_image(fractions: npt.ArrayLike) -> Points:
        return np.asarray(corner + square.side * np.asarray(fractions) @ rotation.T, np.float64)

    return crop, to_image


def _rotation(roll: float) -> F64Array:
    """Matrix (2, 2) that turns directions clockwise as one sees them, y pointing down."""
    cosine, sine = math.cos(roll), math.sin(roll)
    return np.array([[cosine, -sine], [sine, cosine]])


def crop_face(
    image_bgr: Image, box: Box, size: int = INPUT_SIZE, equalise: bool = False
) -> tuple[Image, Transform]:
    """Crop the face in a detector's box as the network was trained to see it.

    Args:
        image_bgr: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        box: x, y, width, height of the face in pixels, as host.face.detect finds it.
        size: side of the crop in pixels.
        equalise: histogram equalisation of the crop.

    Returns:
        The crop, (size, size) uint8 grey, and the transform whose ``to_image`` takes landmarks
        from fractions of the crop back to the picture.

    Raises:
        UserError: the picture has another type or shape, or the box is impossible.
    """
    square = square_around_box(box)
    return crop_square(image_bgr, square, size, equalise), square
