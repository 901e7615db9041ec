# SPDX-License-Identifier: Apache-2.0
"""Annotated pictures: landmarks coloured by part of the face, box and caption."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from host.detect import Box
from host.errors import UserError
from host.landmarks import COUNT, GROUPS

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

COLOURS = {
    "contour": (60, 190, 255),
    "brows": (120, 230, 90),
    "nose": (240, 220, 70),
    "eyes": (255, 140, 70),
    "lips": (170, 90, 255),
}
"""BGR colour of each part."""

BOX_COLOUR = (235, 235, 235)
STRIP_COLOUR = (32, 28, 26)

FACE_SIDE = 400
"""Faces smaller than this many pixels are drawn on an enlarged picture."""

LONGEST_SIDE = 1280
"""Enlarging stops at this length of the picture's longer side."""

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
    array = np.asarray(points, np.float64)
    if array.shape != (COUNT, 2) or not np.isfinite(array).all():
        raise UserError(
            f"landmarks to draw have shape {array.shape}, {np.isfinite(array).sum()} numbers finite; "
            f"give ({COUNT}, 2), all finite"
        )
    colour = cv2.cvtColor(image_bgr, cv2.COLOR_GRAY2BGR) if image_bgr.ndim == 2 else image_bgr
    span = float(np.ptp(array, axis=0).max())
    factor = enlargement(span, max(colour.shape[:2]))
    canvas = np.array(
        cv2.resize(colour, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8
    )
    width = max(1, round(span * factor / 300))
    if box is not None:
        _draw_box(canvas, box, factor, width)
    _draw_groups(canvas, array * factor, width)
    return _add_caption(canvas, caption) if caption else canvas


def enlargement(span: float, longest: int) -> int:
    """Return the whole factor that makes a face ``span`` pixels wide well visible, 1 or more."""
    wanted = int(np.ceil(FACE_SIDE / max(span, 1.0)))
    return max(1, min(wanted, LONGEST_SIDE // longest))


def _fixed(points: Points) -> npt.NDArray[np.int32]:
    """Continuous coordinates as OpenCV's fixed-point ones, whose pixel centres are integers."""
    limited = np.clip(points - 0.5, -FAR, FAR)
    return np.asarray(np.round(limited * 2**SUBPIXEL_BITS), np.int32)


def _draw_box(canvas: Image, box: Box, factor: int, width: int) -> None:
    corners = np.array([box[:2], (box[0] + box[2], box[1] + box[3])], np.float64) * factor
    low, high = (tuple(int(value) for value in row) for row in _fixed(corners))
    cv2.rectangle(canvas, low, high, BOX_COLOUR, width, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_groups(canvas: Image, points: Points, width: int) -> None:
    fixed = _fixed(points)
    for group in GROUPS:
        line = [fixed[group.indices]]
        cv2.polylines(
            canvas, line, group.closed, COLOURS[group.part], width, cv2.LINE_AA, SUBPIXEL_BITS
        )
    radius = round((width + 0.8) * 2**SUBPIXEL_BITS)
    for group in GROUPS:
        for x, y in fixed[group.indices].tolist():
            colour = COLOURS[group.part]
            cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _add_caption(canvas: Image, caption: str) -> Image:
    font, longest = cv2.FONT_HERSHEY_DUPLEX, canvas.shape[1] * 0.94
    scale = float(np.clip(canvas.shape[1] / 1100, 0.4, 2.0))
    (text_width, _), _ = cv2.getTextSize(caption, font, scale, 1)
    scale *= min(1.0, longest / max(text_width, 1))
    (_, text_height), below = cv2.getTextSize(caption, font, scale, 1)
    strip = np.full((2 * text_height + 2 * below, canvas.shape[1], 3), STRIP_COLOUR, np.uint8)
    start = (round(canvas.shape[1] * 0.03), (strip.shape[0] + text_height) // 2)
    cv2.putText(strip, caption, start, font, scale, BOX_COLOUR, 1, cv2.LINE_AA)
    return np.concatenate([canvas, strip])
