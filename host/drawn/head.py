# SPDX-License-Identifier: Apache-2.0
"""A drawn driver: a head in three dimensions whose eyes, mouth and pose follow numbers.

The face is painted on a flat canvas, lit by its height field and seen through a weak perspective.
Unit of the canvas: the distance of the outer eye corners; origin between the eyes, x to the
picture's right, y down, z towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from host.common.arrays import F32Array, I32Array, Image, Points

Colour = tuple[float, float, float]

RESOLUTION = 110
"""Canvas pixels a unit."""

LEFT, TOP, RIGHT, BOTTOM = -1.1, -1.25, 1.1, 1.95
COARSE = 3
"""The height field and the view's map have one value for so many pixels each way."""

DEPTHS = 24
"""Planes in depth between which the surface is looked for, from the nearest to the farthest."""

NEAREST, FARTHEST, AXIS = 1.3, -0.05, 0.4
"""z of the first and last plane, and of the axis about which the head turns, in units."""

SKIN: Colour = (118, 152, 205)
HAIR: Colour = (26, 30, 40)
LIPS: Colour = (92, 92, 170)
SHIRT: Colour = (96, 78, 60)
EYE_INNER, EYE_OUTER = 0.19, 0.5
UPPER_LID, LOWER_LID = 0.105, 0.055
"""How far the open lids are from the line of the corners, in units."""

CLOSED_LID = 0.6
"""How far the lower lid is from that line when the eye is closed, of LOWER_LID."""

MOUTH_Y, MOUTH_HALF = 0.74, 0.31
CHIN, JAW_DROP = 1.25, 0.18
WIDTH, CROWN = 0.77, 1.15


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where a head is and what its face does."""

    x: float
    """Column of the point between the eyes, in pixels."""
    y: float
    """Row of that point, in pixels."""
    unit: float
    """Distance of the outer eye corners in pixels, frontal."""
    eyes: float = 1.0
    """Opening of the lids, 0 closed to 1 open."""
    mouth: float = 0.0
    """Opening of the mouth, 0 closed to 1 as in a yawn."""
    yaw: float = 0.0
    """Turn to the picture's right in degrees."""
    pitch: float = 0.0
    """Turn downwards in degrees."""
    roll: float = 0.0
    """Tilt clockwise in degrees."""


def draw_head(picture: Image, head: Head) -> None:
    """Draw ``head`` over the picture, (H, W, 3) BGR uint8, in place."""
    height = _height_field(head.mouth)
    turn = _rotation(head)
    _draw_behind(picture, head, turn)
    canvas, cover = _paint(head, height, turn)
    rows = slice(*_limits(head.y, -1.6 * head.unit, 2.2 * head.unit, picture.shape[0]))
    columns = slice(*_limits(head.x, -1.3 * head.unit, 1.3 * head.unit, picture.shape[1]))
    part = picture[rows, columns]
    if part.size == 0:
        return
    where = _view(head, height, turn, columns.start, rows.start, part.shape[:2])
    colour = cv2.remap(canvas, where, None, cv2.INTER_LINEAR)
    alpha = cv2.remap(cover, where, None, cv2.INTER_LINEAR)[..., None]
    part[:] = np.rint(part * (1 - alpha) + colour * alpha).astype(np.uint8)


# -- geometry --------------------------------------------------------------------------------------


def _limits(middle: float, before: float, after: float, end: int) -> tuple[int, int]:
    """First and last + 1 of the rows or columns of a window, inside of a picture's 0..``end``."""
    low, high = (int(np.clip(middle + offset, 0, end)) for offset in (before, after))
    return low, high


def _grid(step: int) -> tuple[F32Array, F32Array]:
    """Columns (1, W) and rows (H, 1) of the canvas, in units, at every ``step``-th pixel."""
    pixel = step / RESOLUTION
    x = np.arange(LEFT + pixel / 2, RIGHT, pixel).astype(np.float32)[None]
    y = np.arange(TOP + pixel / 2, BOTTOM, pixel).astype(np.float32)[:, None]
    return x, y


def _to_pixels(points: Points, resolution: float = RESOLUTION) -> Points:
    """Canvas pixels, centres at integers, of points (..., 2)."""
    return (points - (LEFT, TOP)) * resolution - 0.5


def _chin(mouth: float) -> float:
    return CHIN + JAW_DROP * mouth


def _half_width(y: F32Array, mouth: float) -> F32Array:
    """Half width of the face at heights ``y``."""
    reach = np.where(y < 0, CROWN, _chin(mouth)).astype(np.float32)
    inside = np.clip(1 - np.abs(y / reach) ** 2.3, 0, 1)
    return np.asarray(WIDTH * inside ** np.float32(1 / 2.3), np.float32)


def _height_field(mouth: float) -> F32Array:
    """z over the coarse canvas: the oval of the face with brow, eyes, nose, cheeks and lips."""
    x, y = _grid(COARSE)
    across = np.minimum(np.abs(x) / np.maximum(_half_width(y, mouth), 0.02), 1)
    up, down = np.clip(-y / CROWN, 0, 1), np.clip(y / _chin(mouth), 0, 1)
    back = 0.1 * down + 0.62 * down**4
    front = 0.98 - 0.75 * up**3.2 - 0.13 * down**2
    z = back + np.maximum(front - back, 0) * np.sqrt(1 - across * across)
    drop = JAW_DROP * mouth
    for middle, wide, row, tall, rise in (
        (0.34, 0.18, -0.02, 0.10, -0.09), (0.34, 0.11, 0.0, 0.06, 0.045),
        (0.34, 0.20, -0.15, 0.07, 0.05), (0.45, 0.20, 0.33, 0.17, 0.06),
        (0.14, 0.05, 0.43, 0.055, 0.06), (0.0, 0.16, MOUTH_Y - 0.05, 0.05, 0.04),
        (0.0, 0.14, MOUTH_Y + 0.06 + 0.9 * drop, 0.05, 0.05),
        (0.0, 0.14, _chin(mouth) - 0.15, 0.12, 0.06),
    ):  # fmt: skip
        for side in {middle, -middle}:
            z = z + rise * np.exp(-(((x - side) / wide) ** 2)) * np.exp(-(((y - row) / tall) ** 2))
    return np.asarray(z + _nose(x, y), np.float32)


def _nose(x: F32Array, y: F32Array) -> F32Array:
    """Height of the nose: a ridge that widens and rises to the tip at y = 0.48."""
    along = np.clip((y + 0.08) / 0.51, 0, 1)
    rise = 0.22 * along**1.3 + 0.03 * np.sin(np.pi * along)
    end = 1 / (1 + np.exp((y - 0.445) / 0.018))
    return np.asarray(rise * end * np.exp(-((x / (0.075 + 0.07 * along**2)) ** 2)), np.float32)


def _rotation(head: Head) -> Points:
    """Rotation (3, 3): pitch first, then yaw, then roll."""
    yaw, pitch, roll = np.radians((head.yaw, head.pitch, head.roll))
    cy, sy, cp, sp, cr, sr = (float(f(a)) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    around_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(around_z @ around_y @ around_x, np.float64)


def _view(
    head: Head, height: F32Array, turn: Points, left: int, top: int, shape: tuple[int, ...]
) -> F32Array:
    """Canvas pixel (H, W, 2) that each pixel of a window of the picture shows.

    Looks along each pixel's ray, from near to far, for the first plane below the surface.
    """
    rows, columns = (np.arange(0, side + COARSE, COARSE, dtype=np.float32) for side in shape)
    seen = np.stack(np.meshgrid(
        (columns + (left + 0.5 - head.x)) / head.unit,
        (rows + (top + 0.5 - head.y)) / head.unit,
    ), axis=-1).astype(np.float32)  # fmt: skip
    flat = np.linalg.inv(turn[:2, :2])
    start = _to_pixels(seen @ flat.T, RESOLUTION / COARSE).astype(np.float32)
    slope = (flat @ turn[:2, 2] * (RESOLUTION / COARSE)).astype(np.float32)
    shown = start - _depths(height, start, slope)[..., None] * slope
    size = (len(columns) * COARSE, len(rows) * COARSE)
    matrix = np.array([[COARSE, 0, 0], [0, COARSE, 0]], np.float64)
    fine = cv2.warpAffine(shown * np.float32(COARSE) + np.float32((COARSE - 1) / 2), matrix, size,
                          flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    return np.asarray(fine[: shape[0], : shape[1]], np.float32)


def _depths(height: F32Array, start: F32Array, slope: F32Array) -> F32Array:
    """z (H, W), from the axis, at which rays first meet the surface, from near to far.

    At depth d a ray is over pixel ``start - d * slope`` (H, W, 2) of the height field.
    """
    planes = np.linspace(NEAREST, FARTHEST, DEPTHS, dtype=np.float32) - np.float32(AXIS)
    found = np.full(start.shape[:2], planes[-1], np.float32)
    searching = np.ones(start.shape[:2], np.bool_)
    above = np.ones(start.shape[:2], np.float32)
    for plane in planes:
        z = cv2.remap(height, start - plane * slope, None, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_CONSTANT, borderValue=FARTHEST)  # fmt: skip
        gap = plane + np.float32(AXIS) - z
        hit = searching & (gap <= 0)
        share = -gap[hit] / np.maximum(above[hit] - gap[hit], np.float32(1e-6))
        found[hit] = plane + share * (planes[0] - planes[1])
        searching &= ~hit
        above = gap
    return found


# -- paint -----------------------------------------------------------------------------------------


def _curve(points: npt.ArrayLike, closed: bool = True, steps: int = 6) -> Points:
    """Catmull-Rom curve through ``points`` (N, 2)."""
    p = np.asarray(points, np.float64)
    ends = (p[-1:], p[:2]) if closed else (p[:1], p[-1:])
    p = np.concatenate([ends[0], p, ends[1]])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
             + (3 * b - 3 * c + d - a) * t**3) / 2  # fmt: skip
    flat = np.asarray(curve.reshape(-1, 2), np.float64)
    return flat if closed else np.concatenate([flat, p[-2:-1]])


def _fixed(points: Points) -> I32Array:
    """Pixels as OpenCV's fixed-point numbers with four fraction bits."""
    return np.asarray(np.rint(points * 16), np.int32)


def _fill(image: Image, points: npt.ArrayLike, colour: Colour) -> None:
    where = _fixed(_to_pixels(np.asarray(points, np.float64)))
    cv2.fillPoly(image, [where], colour, cv2.LINE_AA, 4)


def _line(image: Image, points: npt.ArrayLike, thick: float, colour: Colour) -> None:
    where = _fixed(_to_pixels(np.asarray(points, np.float64)))
    cv2.polylines(image, [where], False, colour, max(1, round(thick * RESOLUTION)), cv2.LINE_AA, 4)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (factor * channel for channel in colour)
    return blue, green, red


def _paint(head: Head, height: F32Array, turn: Points) -> tuple[F32Array, F32Array]:
    """Lit canvas (H, W, 3), 0..255, and what of it the face covers, (H, W), 0..1."""
    shape = (round((BOTTOM - TOP) * RESOLUTION), round((RIGHT - LEFT) * RESOLUTION))
    image = np.empty((*shape, 3), np.uint8)
    image[:] = SKIN
    for side in (-1, 1):
        _paint_brow(image, side)
        _paint_eye(image, side, head.eyes)
        _line(image, _curve([[0.19 * side, 0.38], [0.28 * side, 0.52], [0.35 * side, 0.68]], False),
              0.02, _shade(SKIN, 0.9))  # fmt: skip
        _fill(image, _ellipse(0.09 * side, 0.46, 0.045, 0.022), _shade(SKIN, 0.25))
    _paint_mouth(image, head.mouth)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.9), np.uint8)
    _paint_hairline(image)
    y = np.linspace(-CROWN, _chin(head.mouth), 160, dtype=np.float32)
    half = _half_width(y, head.mouth) * np.float32(0.985)
    outline = np.concatenate([np.stack([-half, y], 1), np.stack([half, y], 1)[::-1]])
    cover = np.zeros(shape, np.uint8)
    cv2.fillPoly(cover, [_fixed(_to_pixels(outline))], 255, cv2.LINE_AA, 4)
    light = cv2.resize(_light(height, turn), shape[::-1], interpolation=cv2.INTER_LINEAR)
    lit = np.minimum(image * light[..., None], 255).astype(np.float32)
    soft = cv2.GaussianBlur(cover, (0, 0), 1.5).astype(np.float32) / np.float32(255)
    return lit, soft


def _light(height: F32Array, turn: Points) -> F32Array:
    """Reflected light over the coarse canvas: sky and one lamp above the camera, to the left."""
    smooth = cv2.GaussianBlur(height, (0, 0), 1.2)
    per_unit = RESOLUTION / COARSE / 8
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) * per_unit
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) * per_unit
    lamp = np.array([-0.35, -0.45, 0.82])
    x, y, z = (float(value) for value in turn.T @ (lamp / np.linalg.norm(lamp)))
    facing = np.clip((z - x * dx - y * dy) / np.sqrt(1 + dx * dx + dy * dy), 0, 1)
    return np.asarray(0.38 + 0.78 * facing, np.float32)


def _ellipse(x: float, y: float, half_x: float, half_y: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + half_x * np.cos(turn), y + half_y * np.sin(turn)], 1)


def _paint_brow(image: Image, side: int) -> None:
    upper = [[0.15, -0.2], [0.28, -0.27], [0.45, -0.28], [0.62, -0.19]]
    lower = [[0.45, -0.225], [0.28, -0.205], [0.15, -0.145]]
    _fill(image, _curve(np.array(upper + lower) * (side, 1)), _shade(HAIR, 1.3))


def _paint_eye(image: Image, side: int, opening: float) -> None:
    """Eye between lids; closing, the upper lid comes down to the lower one."""
    middle, half = (EYE_INNER + EYE_OUTER) / 2, (EYE_OUTER - EYE_INNER) / 2
    t = np.array([-1.0, -0.5, 0.02, 0.52, 1.0])
    sag = CLOSED_LID + (1 - CLOSED_LID) * opening
    low = LOWER_LID * sag * np.array([0, 0.82, 1, 0.76, 0])
    high = -UPPER_LID * np.array([0, 0.76, 1, 0.72, 0])
    x = side * (middle + half * t)
    upper = np.stack([x, low + (high - low) * opening], 1)
    lower = np.stack([x, low], 1)
    _fill(image, _ellipse(side * middle, -0.03, 0.2, 0.12), _shade(SKIN, 0.93))
    if opening > 0.03:
        eye = _curve(np.concatenate([upper, lower[3:0:-1]]))
        _paint_ball(image, eye, side * middle)
    lash = _curve(upper, False)
    crease = lash - (0, 0.06 * (1 - 0.4 * opening))
    _line(image, crease, 0.014, _shade(SKIN, 0.72))
    _line(image, lash, 0.03, _shade(SKIN, 0.16))
    _line(image, _curve(lower, False), 0.012, _shade(SKIN, 0.6))


def _paint_ball(image: Image, eye: Points, middle: float) -> None:
    """Sclera, iris, pupil and glint inside the outline ``eye``."""
    mask = np.zeros(image.shape[:2], np.uint8)
    _fill(mask, eye, (255, 255, 255))
    ball = image.copy()
    ball[mask > 0] = (205, 210, 215)
    for radius, colour in ((0.075, (52, 70, 88)), (0.036, (12, 12, 12))):
        _fill(ball, _ellipse(middle, -0.025, radius, radius), colour)
    _fill(ball, _ellipse(middle - 0.025, -0.055, 0.014, 0.014), (250, 250, 250))
    alpha = mask[..., None].astype(np.float32) / np.float32(255)
    image[:] = np.rint(image * (1 - alpha) + ball * alpha).astype(np.uint8)


def _paint_mouth(image: Image, opening: float) -> None:
    """Lips, and between them the dark mouth with the upper teeth."""
    drop, half = JAW_DROP * opening * 1.25, MOUTH_HALF * (1 - 0.2 * opening)
    t = np.array([-1.0, -0.62, -0.2, 0, 0.2, 0.62, 1, 0.68, 0.33, 0, -0.33, -0.68])
    rise = np.array([0, 0.045, 0.07, 0.06, 0.07, 0.045, 0, 0, 0, 0, 0, 0])
    fall = np.array([0, 0, 0, 0, 0, 0, 0, 0.055, 0.09, 0.1, 0.09, 0.055])
    gap = 1 - t**4
    outer = MOUTH_Y - rise * (1 + 1.2 * opening) + fall + drop * gap * (fall > 0)
    _fill(image, _curve(np.stack([half * t, outer], 1)), LIPS)
    s = np.linspace(-0.93, 0.93, 9)
    if opening > 0.03:
        bow = 1 - (s / 0.95) ** 4
        top = np.stack([half * s, MOUTH_Y - 0.03 * opening * bow], 1)
        bottom = np.stack([half * s, MOUTH_Y + drop * bow], 1)
        hole = np.concatenate([top, bottom[::-1]])
        _fill(image, hole, (28, 22, 48))
        edge = top + np.outer(bow, (0, min(0.07, 0.6 * drop)))
        teeth = np.concatenate([top[1:-1], edge[-2:0:-1]])
        _fill(image, teeth, (190, 200, 205))
    else:
        seam = np.stack([half * s, MOUTH_Y + 0.01 * np.cos(3 * s)], 1)
        _line(image, seam, 0.018, _shade(LIPS, 0.4))


def _paint_hairline(image: Image) -> None:
    x = np.linspace(LEFT, RIGHT, 45)
    edge = -0.72 + 0.45 * (x - 0.15) ** 2 + 0.02 * np.sin(31 * x)
    _fill(image, np.concatenate([np.stack([x, edge], 1), [[RIGHT, TOP], [LEFT, TOP]]]), HAIR)


# -- around the face -------------------------------------------------------------------------------


def _draw_behind(picture: Image, head: Head, turn: Points) -> None:
    """Shoulders, neck, hair and ears; shoulders do not follow the head's turn."""

    def spot(x: float, y: float, z: float) -> Points:
        return np.asarray((turn[:2] @ (x, y, z - AXIS)) * head.unit + (head.x, head.y), np.float64)

    def blob(x: float, y: float, z: float, half_x: float, half_y: float, colour: Colour) -> None:
        at = spot(x, y, z) + _ellipse(0, 0, half_x * head.unit, half_y * head.unit)
        cv2.fillPoly(picture, [_fixed(at - 0.5)], colour, cv2.LINE_AA, 4)

    down = np.array([head.x, head.y])
    neck = np.array([[-0.5, 0.6], [0.5, 0.6], [0.55, 2.1], [-0.55, 2.1]])
    body = np.array([[-0.5, 1.75], [0.5, 1.75], [1.8, 2.2], [2.1, 5], [-2.1, 5], [-1.8, 2.2]])
    for outline, colour in ((neck, _shade(SKIN, 0.55)), (body, SHIRT)):
        cv2.fillPoly(picture, [_fixed(down + outline * head.unit)], colour, cv2.LINE_AA, 4)
    blob(0, -0.3, -0.1, 0.86, 1.05, HAIR)
    blob(0, 0.25, 0.2, 0.74, 0.66, _shade(SKIN, 0.6))
    for side in (-1, 1):
        blob(0.8 * side, 0.1, -0.05, 0.1, 0.25, _shade(SKIN, 0.75))
