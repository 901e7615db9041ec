# SPDX-License-Identifier: Apache-2.0
"""Albedo of a procedural face: brows, eyes, lips and the rest, painted on the frontal canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from host.common.arrays import F32Array, F64Array, I32Array, Points
from host.face.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from model.faces.shape import CANVAS, COLUMNS_X, RESOLUTION, ROWS_Y, SIDE, TOP, Rng, Shape

_FRACTION = 4  #: fraction bits of the polygons' coordinates


@dataclass(frozen=True)
class Look:
    """Grey levels (albedo 0..1) and habits of one person."""

    skin: float
    hair: float
    brow: float  # how much the brows cover the skin, 0..1
    lips: float  # lips' albedo over the skin's
    iris: float
    lashes: float  # darkness of the lid line
    makeup: float  # darkness around the eyes
    beard: float  # cover of the beard, 0 none
    moustache: float
    hairline: float  # y of the hair's lower edge on the forehead
    fringe: float  # how ragged the hairline is
    parting: float  # x of the highest point of the hairline
    freckles: float


def draw_look(rng: Rng, shape: Shape) -> Look:
    """Look of a random person."""
    u = rng.uniform
    skin = float(np.clip(rng.choice([u(0.12, 0.4), u(0.4, 0.8), u(0.5, 0.8)]), 0.1, 0.85))
    hair = float(rng.choice([u(0.02, 0.12), u(0.05, 0.25), u(0.2, 0.8)]))
    bearded = rng.random() < 0.2
    low = shape.brow_y + u(-0.15, 0.08) if rng.random() < 0.2 else u(-0.85, -0.45)
    return Look(
        skin=skin,
        hair=hair,
        brow=u(0.25, 0.95),
        lips=u(0.4, 0.95) if rng.random() < 0.85 else u(0.15, 0.5),
        iris=u(0.03, 0.3),
        lashes=u(0.3, 1.0),
        makeup=u(0.3, 0.9) if rng.random() < 0.15 else u(0, 0.25),
        beard=u(0.2, 0.9) if bearded else 0.0,
        moustache=u(0.2, 0.9) if bearded or rng.random() < 0.08 else 0.0,
        hairline=max(low, -shape.crown + 0.15),
        fringe=u(0.0, 0.12),
        parting=u(-0.5, 0.5),
        freckles=u(0.0, 0.06),
    )


def noise(rng: Rng, shape: tuple[int, int], cells: tuple[int, int]) -> F32Array:
    """Smooth noise of standard deviation about 1 over ``shape``, ``cells`` lumps a side."""
    coarse = rng.standard_normal((cells[0] + 2, cells[1] + 2), np.float32)
    fine: F32Array = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return fine


def to_canvas(points: Points) -> F64Array:
    """Pixel coordinates (column, row; centres at integers) of frontal points (..., 2)."""
    return (points - (-SIDE, TOP)) * RESOLUTION - 0.5


def smooth_curve(points: Points, steps: int = 4, closed: bool = True) -> F64Array:
    """Catmull-Rom curve through ``points`` (N, 2), ``steps`` samples between neighbours."""
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([points[:1], points, points[-1:]])
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def fixed(points: Points) -> I32Array:
    """Coordinates for OpenCV's drawing functions with ``shift=_FRACTION``."""
    return np.round(points * (1 << _FRACTION)).astype(np.int32)


def fill(image: npt.NDArray[Any], points: Points, value: float) -> None:
    """Fill the polygon ``points`` (N, 2) of pixels in ``image``, anti-aliased if uint8."""
    line = cv2.LINE_AA if image.dtype == np.uint8 else cv2.LINE_8
    cv2.fillPoly(image, [fixed(points)], value, line, _FRACTION)


def soften(mask: npt.NDArray[Any], blur: float) -> F32Array:
    """``mask`` blurred with a standard deviation of ``blur`` units."""
    return cv2.GaussianBlur(mask, (0, 0), blur * RESOLUTION) if blur * RESOLUTION > 0.3 else mask


def blend(image: F32Array, mask: F32Array, value: float | F32Array) -> None:
    """Move ``image`` towards ``value`` where ``mask`` is 1, in place."""
    image += mask * (value - image)


class Canvas:
    """Albedo in the frontal plane, or a window of it that shares its pixels.

    ``x`` and ``y`` are the coordinates of its columns (1, W) and rows (H, 1), in units.
    """

    def __init__(self, image: F32Array, row: int = 0, column: int = 0) -> None:
        self.image, self.origin = image, np.array([column, row])
        height, width = image.shape
        self.x = COLUMNS_X[None, column : column + width].astype(np.float32)
        self.y = ROWS_Y[row : row + height, None].astype(np.float32)

    def window(self, points: Points, margin: float) -> Canvas:
        """The part of the canvas around ``points`` (N, 2)."""
        limit = np.array(self.image.shape[::-1]) - 1
        low = np.clip(to_canvas(points.min(0) - margin), 0, limit).astype(int)
        high = np.clip(to_canvas(points.max(0) + margin), 0, limit).astype(int) + 1
        return Canvas(self.image[low[1] : high[1], low[0] : high[0]], low[1], low[0])

    def area(self, points: Points, blur: float = 0.0) -> F32Array:
        """Coverage 0..1 of the polygon ``points`` (N, 2), softened by ``blur`` units."""
        mask = np.zeros(self.image.shape, np.uint8)
        fill(mask, to_canvas(points) - self.origin, 255)
        return soften(mask, blur) * np.float32(1 / 255)

    def line(self, points: Points, thick: float, blur: float = 0.0) -> F32Array:
        """Coverage 0..1 of the open line ``points`` (N, 2), ``thick`` units wide."""
        mask = np.zeros(self.image.shape, np.uint8)
        width = max(1, round(thick * RESOLUTION))
        pixels = fixed(to_canvas(points) - self.origin)
        cv2.polylines(mask, [pixels], False, 255, width, cv2.LINE_AA, _FRACTION)
        return soften(mask, blur) * np.float32(1 / 255)

    def distance(self, point: F64Array) -> F32Array:
        """Distance of every pixel from ``point``, in units."""
        away: F32Array = np.hypot(self.x - np.float32(point[0]), self.y - np.float32(point[1]))
        return away

    def noise(self, rng: Rng, lump_x: float, lump_y: float) -> F32Array:
        """Smooth noise of standard deviation about 1 with lumps of so many units."""
        height, width = self.image.shape
        rows, columns = height / RESOLUTION / lump_y, width / RESOLUTION / lump_x
        return noise(rng, (height, width), (max(1, int(rows)), max(1, int(columns))))


def paint_face(points: Points, shape: Shape, look: Look, rng: Rng) -> F32Array:
    """Albedo (CANVAS) of the face with frontal points (98, 2)."""
    canvas = Canvas(np.full(CANVAS, look.skin, np.float32))
    mottle = 0.04 * canvas.noise(rng, 0.5, 0.5) + 0.025 * canvas.noise(rng, 0.12, 0.12)
    canvas.image *= 1 + mottle + look.freckles * canvas.noise(rng, 0.035, 0.035)
    _paint_creases(canvas, shape, rng)
    _paint_beard(canvas, points, shape, look, rng)
    for brow in (LEFT_BROW, RIGHT_BROW):
        _paint_brow(canvas, points[list(brow)], look, rng)
    for side, eye in enumerate((LEFT_EYE, RIGHT_EYE)):
        outline = points[list(eye)]
        part = canvas.window(outline, 0.3)
        _paint_socket(part, outline, look)
        _paint_eyeball(part, outline, points[96 + side], look, rng)
        _paint_lids(part, outline, look, rng)
    _paint_nostrils(canvas, shape, rng)
    _paint_mouth(canvas, points, shape, look, rng)
    _paint_hairline(canvas, look, rng)
    return canvas.image


def _paint_creases(canvas: Canvas, shape: Shape, rng: Rng) -> None:
    """Folds beside the nose, bags below the eyes, wrinkles of the forehead."""
    depth = min(rng.uniform(0.0, 0.35) + max(shape.smile, 0) * 2, 0.6)
    bag = rng.uniform(0.0, 0.3)
    middle = (shape.eye_inner + 0.5) / 2
    fold = np.array(
        [
            [shape.nose_half + 0.01, shape.nose_y - 0.1],
            [shape.nose_half + 0.08, shape.nose_y + 0.04],
            [shape.mouth_half + 0.07, shape.mouth_y - 0.03],
        ]
    )
    sag = np.array([[middle - 0.14, 0.07], [middle, 0.12], [middle + 0.13, 0.07]])
    for sign in (-1, 1):
        for line, cover in ((fold, depth), (sag, bag)):
            part = canvas.window(line * (sign, 1), 0.08)
            curve = smooth_curve(line * (sign, 1), 5, False)
            part.image *= 1 - 0.5 * cover * part.line(curve, 0.03, 0.018)
    if rng.random() < 0.3:
        x = np.linspace(-0.4, 0.4, 5)
        part = canvas.window(np.array([[-0.45, -0.6], [0.45, -0.4]]), 0.05)
        for y in (-0.42, -0.5, -0.6):
            line = np.stack([x, y + rng.normal(0, 0.01, 5)], 1)
            part.image *= 1 - rng.uniform(0, 0.2) * part.line(line, 0.02, 0.012)


def _paint_beard(canvas: Canvas, points: Points, shape: Shape, look: Look, rng: Rng) -> None:
    """Beard along the jaw and moustache above the mouth."""
    if look.beard:
        low = shape.mouth_y + 0.19 + 0.6 * shape.mouth_open
        upper = [
            [shape.mouth_half + 0.12, shape.mouth_y - 0.05],
            [0.13, low],
            [-0.13, low],
            [-shape.mouth_half - 0.12, shape.mouth_y - 0.05],
        ]
        outline = np.concatenate([points[5:28] * 1.1, np.array(upper)])
        hair = look.hair * (1 + 0.3 * canvas.noise(rng, 0.03, 0.04))
        blend(canvas.image, look.beard * canvas.area(outline, rng.uniform(0.02, 0.07)), hair)
    if look.moustache:
        top, side = shape.nose_y + 0.06, shape.mouth_half + 0.04
        outline = np.array(
            [
                [-0.08, top],
                [0.08, top],
                [side, shape.mouth_y],
                [0, shape.mouth_y - 0.02],
                [-side, shape.mouth_y],
            ]
        )
        part = canvas.window(outline, 0.1)
        hair = look.hair * (1 + 0.3 * part.noise(rng, 0.03, 0.04))
        blend(part.image, look.moustache * part.area(outline, 0.02), hair)


def _paint_brow(canvas: Canvas, brow: F64Array, look: Look, rng: Rng) -> None:
    """Hair over the outline of one brow."""
    part = canvas.window(brow, 0.08)
    mask = part.area(smooth_curve(brow), rng.uniform(0.008, 0.022))
    mask = mask * np.clip(0.9 + 0.35 * part.noise(rng, 0.03, 0.03), 0, 1)
    blend(part.image, look.brow * mask, min(look.hair, 0.7 * look.skin) * 0.8)


def _paint_socket(part: Canvas, eye: F64Array, look: Look) -> None:
    """Shade of the eye's hollow, darker with make-up."""
    x, y = eye.mean(0)
    across = np.exp(-(((part.x - np.float32(x)) / 0.2) ** 2))
    along = np.exp(-(((part.y - np.float32(y) + 0.03) / 0.1) ** 2))
    part.image *= 1 - (0.1 + look.makeup) * across * along


def _paint_eyeball(part: Canvas, eye: F64Array, pupil: F64Array, look: Look, rng: Rng) -> None:
    """Sclera, iris, pupil and glint between the lids; ``eye`` (8, 2) starts at a corner."""
    white = min(0.75, 0.3 + 0.5 * look.skin) * rng.uniform(0.7, 1.1)
    ball = np.full(part.image.shape, white, np.float32)
    radius = rng.uniform(0.058, 0.07)
    around = part.distance(pupil)
    blend(ball, np.clip((radius - around) * 60, 0, 1), min(look.iris, 0.4 * white))
    blend(ball, np.clip((0.45 * radius - around) * 60, 0, 1), 0.01)
    shade = part.line(smooth_curve(eye[:5] + np.array([0, 0.015]), 4, False), 0.03, 0.01)
    ball *= 1 - 0.5 * shade
    if rng.random() < 0.7:
        glint = pupil + rng.normal(0, 0.02, 2)
        blend(ball, np.clip((0.014 - part.distance(glint)) * 80, 0, 1), 1.0)
    blend(part.image, part.area(smooth_curve(eye)), ball)


def _paint_lids(part: Canvas, eye: F64Array, look: Look, rng: Rng) -> None:
    """Lashes and the crease above them."""
    upper = smooth_curve(eye[:5], 4, False)
    lower = smooth_curve(eye[[4, 5, 6, 7, 0]], 4, False)
    blend(part.image, look.lashes * part.line(upper, rng.uniform(0.015, 0.035), 0.005), 0.04)
    blend(part.image, 0.5 * look.lashes * part.line(lower, 0.012, 0.006), 0.3 * look.skin)
    crease = upper * (1, 0.9) - (0, rng.uniform(0.03, 0.07))
    part.image *= 1 - rng.uniform(0.05, 0.35) * part.line(crease, 0.015, 0.008)


def _paint_nostrils(canvas: Canvas, shape: Shape, rng: Rng) -> None:
    """Dark nostrils, the shade below the nose and the creases of its wings."""
    half, y = shape.nose_half, shape.nose_y
    lip = np.array(
        [[-half, y - 0.01], [half, y - 0.01], [0.5 * half, y + 0.06], [-0.5 * half, y + 0.06]]
    )
    part = canvas.window(lip, 0.2)
    part.image *= 1 - rng.uniform(0.05, 0.4) * part.area(lip, 0.025)
    dark, fold = rng.uniform(0.4, 0.95), rng.uniform(0.05, 0.3)
    turn = np.linspace(0, 2 * np.pi, 16)
    hole = np.stack([0.5 * half + 0.3 * half * np.cos(turn), y - 0.02 + 0.022 * np.sin(turn)], 1)
    wing = np.array([[half * 0.75, y - 0.15], [half + 0.01, y - 0.07], [half * 0.95, y]])
    for sign in (-1, 1):
        blend(part.image, dark * part.area(hole * (sign, 1), 0.008), 0.05)
        curve = smooth_curve(wing * (sign, 1), 5, False)
        part.image *= 1 - fold * part.line(curve, 0.02, 0.012)


def _paint_mouth(canvas: Canvas, points: Points, shape: Shape, look: Look, rng: Rng) -> None:
    """Lips, the line between them or the open mouth."""
    outer, inner = points[list(OUTER_LIPS)], points[list(INNER_LIPS)]
    part = canvas.window(outer, 0.12)
    tint = look.lips * (1 + 0.05 * part.noise(rng, 0.025, 0.08))
    blend(part.image, part.area(smooth_curve(outer), 0.01), part.image * tint)
    upper = smooth_curve(np.concatenate([outer[:7], inner[4::-1]]), 3)
    part.image *= 1 - rng.uniform(0.0, 0.3) * part.area(upper, 0.01)
    if shape.mouth_open > 0.015:
        cave = _cave(part, inner, shape, look, rng)
        blend(part.image, part.area(smooth_curve(inner), 0.006), cave)
    else:
        line = np.concatenate([outer[:1], inner[[1, 2, 3]], outer[6:7]])
        seam = part.line(smooth_curve(line, 4, False), rng.uniform(0.012, 0.03), 0.006)
        blend(part.image, rng.uniform(0.5, 1.0) * seam, 0.2 * look.skin)
    for corner in (outer[0], outer[6]):
        part.image *= 1 - 0.35 * np.exp(-((part.distance(corner) / 0.035) ** 2))


def _cave(part: Canvas, inner: F64Array, shape: Shape, look: Look, rng: Rng) -> F32Array:
    """Inside of the open mouth: darkness, tongue and often the upper teeth."""
    inside = np.full(part.image.shape, rng.uniform(0.02, 0.12), np.float32)
    tongue = part.area(inner[[0, 3, 4, 5, 6, 7]] + (0, 0.05), 0.04)
    blend(inside, rng.uniform(0, 0.8) * tongue, 0.25 * look.skin)
    if rng.random() < 0.8:
        shown = rng.uniform(0.5, 1.6) * min(0.11, 0.05 + shape.mouth_open)
        teeth = np.concatenate([inner[:5], inner[[4, 3, 2, 1, 0]] + (0, shown)])
        gaps = 1 - 0.15 * (np.sin(part.x * (2 * np.pi / 0.07)) > 0.93)
        level = rng.uniform(0.55, 0.95) * min(1.0, 0.4 + look.skin)
        blend(inside, part.area(teeth, 0.006), (level * gaps).astype(np.float32))
    return inside


def _paint_hairline(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Hair from the crown down to the hairline and along the temples."""
    hair: F32Array = 1 + 0.25 * canvas.noise(rng, 0.035, 0.6) + 0.15 * canvas.noise(rng, 0.02, 1.0)
    jags = np.interp(COLUMNS_X, np.linspace(-SIDE, SIDE, 24), rng.standard_normal(24))
    edge = look.hairline + 0.35 * (COLUMNS_X - look.parting) ** 2 + look.fringe * jags
    cover: F32Array = np.clip((edge.astype(np.float32)[None] - canvas.y) * rng.uniform(8, 40), 0, 1)
    blend(canvas.image, cover, look.hair * hair)
