# SPDX-License-Identifier: Apache-2.0
"""Annotated pictures: lines and points coloured by part of the face, box, caption."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from host.common.arrays import I32Array, Image, Points
from host.common.errors import UserError
from host.face.crop import Transform, cut_square
from host.face.detect.faces import Box
from host.face.landmarks import COUNT, GROUPS

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "contour": (255, 214, 120),
    "brows": (120, 200, 255),
    "nose": (150, 235, 150),
    "eyes": (90, 240, 255),
    "lips": (150, 130, 255),
}
"""BGR colour of each part."""

WHITE: Colour = (245, 245, 245)
INK: Colour = (32, 28, 26)
"""Outline of everything drawn, and the strip under the caption."""

FACE_SIDE = 480
"""Faces smaller than this many pixels are drawn on an enlarged picture."""

LONGEST_SIDE = 1600
"""Enlarging stops at this length of the picture's longer side."""

PANEL = 720
"""Height of ``side_by_side`` without its caption, in pixels."""

STRIP = 32
"""Height of the caption's strip in pixels."""

SUBPIXEL_BITS = 4
FAR = 2.0**20
"""Coordinates are limited to this, so that OpenCV's fixed-point numbers hold them."""


def draw_landmarks(
    image_bgr: Image, points: npt.ArrayLike, box: Box | None = None, caption: str = ""
) -> Image:
    """Return a copy of the picture with the landmarks drawn on it; small faces are enlarged.

    Args:
        image_bgr: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        points: landmarks, (98, 2) x and y in picture coordinates.
        box: face to outline, or None.
        caption: one line of ASCII text for a strip below the picture; "" for no strip.

    Raises:
        UserError: the landmarks have another shape or are not finite.
    """
    array = _check_points(points)
    face = max(1.0, float(np.ptp(array, axis=0).max()))
    scale = max(1.0, min(FACE_SIDE / face, LONGEST_SIDE / max(image_bgr.shape[:2])))
    return _add_caption(_overlay(image_bgr, array, box, scale, face), caption)


def side_by_side(
    image_bgr: Image,
    points: npt.ArrayLike,
    face: Transform,
    box: Box | None = None,
    caption: str = "",
    others: Sequence[npt.ArrayLike] = (),
) -> Image:
    """Return the whole picture and, on its right, the enlarged face, each PANEL pixels high.

    Arguments and errors are those of ``draw_landmarks``; ``face`` is the square of the picture to
    enlarge, to which a margin is added; ``others`` are landmarks of further faces.
    """
    array = _check_points(points)
    scale = PANEL / max(image_bgr.shape[:2])
    whole = _overlay(image_bgr, array, box, scale, face.side)
    for other in others:
        more = _check_points(other)
        _draw_groups(whole, more * scale, float(np.ptp(more, axis=0).max()) * scale)
    above = (PANEL - whole.shape[0]) // 2
    below = PANEL - whole.shape[0] - above
    framed = cv2.copyMakeBorder(whole, above, below, 0, 4, cv2.BORDER_CONSTANT, value=INK)
    margin = face.side // 16
    square = Transform(face.left - margin, face.top - margin, face.side + 2 * margin)
    cut, local = cut_square(image_bgr, square), square.to_crop(array) * square.side
    zoomed = _overlay(cut, local, None, PANEL / square.side, face.side)
    return _add_caption(np.concatenate([framed, zoomed], axis=1), caption)


def draw_driver(
    image_bgr: Image, points: npt.ArrayLike | None, caption: str, colour: Colour
) -> Image:
    """Return a copy of a frame with landmarks and a strip below it.

    Args:
        image_bgr: frame, (H, W, 3) BGR uint8.
        points: landmarks, (98, 2) x and y in picture coordinates, or None.
        caption: one line of ASCII text for the strip.
        colour: BGR of a bar above the strip.

    Raises:
        UserError: the landmarks have another shape or are not finite.
    """
    canvas = image_bgr.copy()
    if points is not None:
        array = _check_points(points)
        _draw_groups(canvas, array, float(np.ptp(array, axis=0).max()))
    canvas[-6:] = colour
    return _add_caption(canvas, caption)


def tile(cells: list[Image], columns: int) -> Image:
    """Pictures of one size in rows of ``columns``, the last row filled up with black."""
    cells = cells + [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [cv2.hconcat(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.asarray(cv2.vconcat(rows), np.uint8)


def _check_points(points: npt.ArrayLike) -> Points:
    array = np.asarray(points, np.float64)
    if array.shape != (COUNT, 2) or not np.isfinite(array).all():
        raise UserError(
            f"landmarks to draw have shape {array.shape}, {np.isfinite(array).sum()} numbers "
            f"finite; give ({COUNT}, 2), all finite"
        )
    return array


def _overlay(image: Image, points: Points, box: Box | None, scale: float, face: float) -> Image:
    """Resize a copy by ``scale`` and draw; ``face``: width of the face in the original's pixels."""
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    height, width = (max(1, round(side * scale)) for side in colour.shape[:2])
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    canvas = np.array(cv2.resize(colour, (width, height), interpolation=method), np.uint8)
    if box is not None:
        _draw_box(canvas, box, scale)
    _draw_groups(canvas, points * scale, face * scale)
    return canvas


def _fixed(points: Points) -> I32Array:
    """Continuous coordinates as OpenCV's fixed-point ones, whose pixel centres are integers."""
    limited = np.clip(points - 0.5, -FAR, FAR)
    return np.asarray(np.rint(limited * 2**SUBPIXEL_BITS), np.int32)


def _draw_box(canvas: Image, box: Box, scale: float) -> None:
    corners = np.array([box[:2], (box[0] + box[2], box[1] + box[3])], np.float64) * scale
    low, high = (tuple(int(value) for value in row) for row in _fixed(corners))
    for colour, line in ((INK, 3), (WHITE, 1)):
        cv2.rectangle(canvas, low, high, colour, line, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_groups(canvas: Image, points: Points, face: float) -> None:
    """Draw points (98, 2) joined by group; sizes follow ``face``, its width in canvas pixels."""
    fixed = _fixed(points)
    line = round(min(max(face / 400, 1), 8))
    for group in GROUPS:
        chain = [fixed[group.indices]]
        for colour, width in ((INK, line + 1), (COLOURS[group.part], line)):
            cv2.polylines(canvas, chain, group.closed, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
    one = 2**SUBPIXEL_BITS
    radius = round(np.clip(face / 150, 1.8, 6.0) * one)
    for group in GROUPS:
        for x, y in fixed[group.indices].tolist():
            for colour, size in ((INK, radius + one // 2), (COLOURS[group.part], radius)):
                cv2.circle(canvas, (x, y), size, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _add_caption(canvas: Image, caption: str) -> Image:
    """Add a strip below with the caption, small enough to fit; the canvas itself without one."""
    if not caption:
        return canvas
    width, font = canvas.shape[1], cv2.FONT_HERSHEY_SIMPLEX
    (text_width, _), _ = cv2.getTextSize(caption, font, 1.0, 1)
    scale = min(0.6, (width - 16) / max(text_width, 1))
    strip = np.full((STRIP, width, 3), INK, np.uint8)
    if scale > 0:
        at = (8, round(STRIP / 2 + 11 * scale))
        cv2.putText(strip, caption, at, font, scale, WHITE, 1, cv2.LINE_AA)
    return np.concatenate([canvas, strip])
