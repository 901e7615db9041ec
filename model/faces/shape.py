# SPDX-License-Identifier: Apache-2.0
"""Shape of a procedural face: 98 points and a height field, both from a few drawn numbers.

Unit: the distance of the outer eye corners. Origin between the eyes; x to the picture's right,
y down, z towards the viewer. The middle values are rounded proportions of adult faces, set by hand
with measured means of real faces in view (an eye is three tenths of the unit, the nose ends half a
unit below the eyes, the chin one and a quarter); every face draws its own around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.common.arrays import F32Array, F64Array

Rng = np.random.Generator

TOP = -1.25  #: y of the canvas' upper edge
BOTTOM = 1.85  #: y of its lower edge
SIDE = 1.05  #: x of its right edge
RESOLUTION = 75  #: canvas pixels a unit
CANVAS = (round((BOTTOM - TOP) * RESOLUTION), round(2 * SIDE * RESOLUTION))  #: rows, columns
ROWS_Y = TOP + (np.arange(CANVAS[0]) + 0.5) / RESOLUTION
COLUMNS_X = -SIDE + (np.arange(CANVAS[1]) + 0.5) / RESOLUTION


@dataclass(frozen=True)
class Shape:
    """Numbers of one face. Lengths in units, angles in radians."""

    width: float  # half width of the face at the eyes
    chin: float  # y of the chin, mouth closed
    square: float  # exponent of the jaw's outline, round 1.7 .. square 2.8
    crown: float  # height of the skull above the eyes
    eye_inner: float  # |x| of the inner corners
    eye_open: float  # half opening of the lids, 0 closed
    eye_slant: float  # outer corner above the inner one
    gaze: tuple[float, float]  # shift of the pupils
    brow_y: float  # brows' height above the eyes
    brow_arch: float
    brow_tilt: float  # inner end lower than the outer one
    brow_thick: float
    nose_y: float  # y of the nose's base
    nose_half: float  # half width of the nose's wings
    nose_high: float  # the tip's height over the face
    mouth_y: float
    mouth_half: float  # half width of the mouth
    lip_upper: float
    lip_lower: float
    mouth_open: float  # gap of the lips
    smile: float  # corners raised (positive) or dropped
    skew: float  # asymmetry of the mouth


def draw_shape(rng: Rng) -> Shape:
    """Shape of a random person with a random expression."""
    n, u = rng.normal, rng.uniform
    closed = rng.random() < 0.12
    opened = 0.0 if rng.random() < 0.55 else float(rng.choice([u(0, 0.1), u(0.05, 0.5)]))
    smile = float(np.clip(n(0.02, 0.05), -0.08, 0.15))
    if rng.random() < 0.3:  # a grin that shows the teeth
        opened, smile = u(0.03, 0.15), u(0.04, 0.15)
    return Shape(
        width=float(np.clip(n(0.77, 0.05), 0.64, 0.9)),
        chin=float(np.clip(n(1.25, 0.08), 1.02, 1.48)),
        square=u(1.9, 2.7),
        crown=u(1.05, 1.25),
        eye_inner=float(np.clip(n(0.195, 0.015), 0.16, 0.24)),
        eye_open=u(0.0, 0.015) if closed else float(np.clip(n(0.052, 0.018), 0.015, 0.1)),
        eye_slant=n(0.01, 0.02),
        gaze=(float(np.clip(n(0, 0.03), -0.07, 0.07)), float(np.clip(n(0, 0.012), -0.02, 0.02))),
        brow_y=float(np.clip(n(-0.19, 0.045), -0.33, -0.11)),
        brow_arch=u(0.0, 0.08),
        brow_tilt=n(0.0, 0.035),
        brow_thick=u(0.045, 0.1),
        nose_y=float(np.clip(n(0.48, 0.04), 0.38, 0.6)),
        nose_half=float(np.clip(n(0.18, 0.025), 0.12, 0.26)),
        nose_high=u(0.14, 0.3),
        mouth_y=float(np.clip(n(0.74, 0.04), 0.62, 0.86)),
        mouth_half=float(np.clip(n(0.29 + 0.9 * max(smile, 0), 0.035), 0.19, 0.46)),
        lip_upper=u(0.035, 0.1),
        lip_lower=u(0.05, 0.13),
        mouth_open=opened,
        smile=smile,
        skew=n(0, 0.012),
    )


def jaw_half(shape: Shape, y: F64Array) -> F64Array:
    """Half width of the face's outline at heights ``y``; 0 above the crown and below the chin."""
    height = np.where(y < 0, shape.crown, full_chin(shape))
    power = np.where(y < 0, 2.4, shape.square)
    inside = np.clip(1 - np.abs(y / height) ** power, 0, 1)
    half: F64Array = shape.width * inside ** (1 / power)
    return half


def full_chin(shape: Shape) -> float:
    """y of the chin with the jaw dropped."""
    return shape.chin + 0.75 * shape.mouth_open


def _outline(shape: Shape) -> F64Array:
    """Contour 0..32 (33, 2), evenly spaced along the jaw from ear to ear."""
    angle = np.linspace(0, np.pi / 2, 200)
    power = 2 / shape.square
    x = shape.width * np.cos(angle) ** power
    y = full_chin(shape) * np.sin(angle) ** power
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    at = np.linspace(0.0, length[-1], 17)
    left = np.stack([-np.interp(at, length, x), np.interp(at, length, y)], 1)
    return np.concatenate([left, left[-2::-1] * (-1, 1)])


def _brow(shape: Shape) -> F64Array:
    """Right brow 42..50 (9, 2): inner end, upper edge outwards, lower edge back inwards."""
    t = np.array([0, 0.26, 0.52, 0.77, 1.0])
    x = shape.eye_inner - 0.045 + t * (0.66 - shape.eye_inner)
    middle = shape.brow_y - shape.brow_arch * np.sin(np.pi * t**1.2) - shape.brow_tilt * (t - 0.4)
    middle = middle + 0.09 * np.maximum(t - 0.6, 0)
    half = shape.brow_thick / 2 * np.array([0.9, 1.0, 0.95, 0.7, 0.0])
    upper = np.stack([x, middle - half], 1)
    lower = np.stack([x, middle + half], 1)
    return np.concatenate([upper, lower[3::-1]])


def _eye(shape: Shape) -> F64Array:
    """Right eye 68..75 (8, 2)."""
    middle = (shape.eye_inner + 0.5) / 2
    half = (0.5 - shape.eye_inner) / 2
    t = np.array([-1.0, -0.5, 0.02, 0.52, 1.0, 0.52, 0.02, -0.5])
    lid = np.array([0, -0.95, -1.25, -0.9, 0, 0.65, 0.85, 0.7])
    y = lid * shape.eye_open - shape.eye_slant * t + 0.012 * (shape.eye_open < 0.02) * (1 - t * t)
    return np.stack([middle + half * t, y], 1)


def _lips(shape: Shape) -> tuple[F64Array, F64Array]:
    """Outer lips 76..87 (12, 2) and inner lips 88..95 (8, 2)."""
    gap, half = shape.mouth_open, shape.mouth_half * (1 - 0.25 * min(shape.mouth_open, 0.5))
    t = np.array([-1.0, -0.62, -0.2, 0, 0.2, 0.62, 1, 0.68, 0.33, 0, -0.33, -0.68])
    y = np.zeros(12)
    y[1:6] = -shape.lip_upper * np.array([0.62, 1.0, 0.9, 1.0, 0.62]) - 0.25 * gap * (
        1 - t[1:6] ** 4
    )
    y[7:] = shape.lip_lower * np.array([0.55, 0.9, 1, 0.9, 0.55]) + 0.75 * gap * (1 - t[7:] ** 4)
    s = np.array([-0.93, -0.5, 0, 0.5, 0.93, 0.5, 0, -0.5])
    z = np.zeros(8)
    z[1:4] = -0.25 * gap * (1 - s[1:4] ** 4)
    z[5:] = 0.75 * gap * (1 - s[5:] ** 4) + 0.004

    def place(t: F64Array, y: F64Array) -> F64Array:
        corners = -shape.smile * t**2 + shape.skew * t
        return np.stack([half * t, shape.mouth_y + 0.3 * shape.smile + y + corners], 1)

    return place(t, y), place(s, z)


def flat_points(shape: Shape) -> F64Array:
    """The 98 points (98, 2) in the frontal plane."""
    brow, eye = _brow(shape), _eye(shape)
    left_brow = brow[[4, 3, 2, 1, 0, 8, 7, 6, 5]] * (-1, 1)
    left_eye = eye[[4, 3, 2, 1, 0, 7, 6, 5]] * (-1, 1)
    ridge = np.stack([np.zeros(4), np.linspace(0.0, shape.nose_y - 0.08, 4)], 1)
    wings = np.array([-1.0, -0.5, 0, 0.5, 1])
    base = np.stack([wings * shape.nose_half, shape.nose_y - 0.035 * wings**2], 1)
    outer, inner = _lips(shape)
    pupil = np.array([(shape.eye_inner + 0.5) / 2, -0.01])
    pupils = np.stack([pupil * (-1, 1), pupil]) + shape.gaze
    return np.concatenate(
        [_outline(shape), left_brow, brow, ridge, base, left_eye, eye, outer, inner, pupils]
    )


def jaw_depth(shape: Shape, y: F64Array) -> F64Array:
    """z of the outline at heights ``y``: 0 at the ear, forward towards the chin."""
    down = np.clip(y / full_chin(shape), 0, 1)
    return 0.1 * down + 0.62 * down**4


def _front(shape: Shape, y: F64Array) -> F64Array:
    """z of the face's middle line at heights ``y``, without nose and lips."""
    up = np.clip(-y / shape.crown, 0, 1)
    down = np.clip(y / full_chin(shape), 0, 1)
    return 0.98 - 0.75 * up**3.2 - 0.13 * down**2


def height_field(shape: Shape, rng: Rng) -> F32Array:
    """z over the canvas (CANVAS), float32."""
    half = np.maximum(jaw_half(shape, ROWS_Y), 0.02)
    side = np.minimum(np.abs(np.outer(1 / half, COLUMNS_X).astype(np.float32)), 1)
    back, front = jaw_depth(shape, ROWS_Y), _front(shape, ROWS_Y)
    rise = np.maximum(front - back, 0).astype(np.float32)[:, None]
    base = back.astype(np.float32)[:, None] + rise * np.sqrt(1 - side * side)
    bumps = _bumps(shape, rng)
    x, sx, y, sy, z = (np.array(column)[:, None] for column in zip(*bumps, strict=True))
    over_x = np.exp(-(((COLUMNS_X - x) / sx) ** 2))
    over_y = z * np.exp(-(((ROWS_Y - y) / sy) ** 2))
    field: F32Array = base + (over_y.T @ over_x).astype(np.float32) + _nose(shape, rng)
    return field


def _bumps(shape: Shape, rng: Rng) -> list[tuple[float, float, float, float, float]]:
    """Gaussian bumps of the face: x, width, y, height, z."""
    eye_x = (shape.eye_inner + 0.5) / 2
    s = rng.uniform(0.5, 1.5, 8)
    mouth, open_ = shape.mouth_y, shape.mouth_open
    both = [
        (eye_x, 0.17, -0.02, 0.1, -0.09 * s[0]),
        (shape.eye_inner - 0.02, 0.07, -0.03, 0.1, -0.05 * s[0]),
        (eye_x, 0.11, 0.0, 0.06, 0.045),
        (eye_x, 0.2, shape.brow_y + 0.03, 0.07, 0.04 * s[1]),
        (0.45, 0.2, 0.33, 0.17, 0.06 * s[2]),
        (0.3, 0.07, 0.62, 0.16, -0.025 * s[3]),
        (shape.nose_half - 0.04, 0.05, shape.nose_y - 0.05, 0.055, 0.06),
    ]
    middle = [
        (0.0, 0.16, mouth - 0.04 - 0.2 * open_, 0.05, 0.04 * s[4]),
        (0.0, 0.14, mouth + 0.06 + 0.7 * open_, 0.05, 0.05 * s[5]),
        (0.0, 0.15, mouth + 0.17 + 0.75 * open_, 0.05, -0.05 * s[6]),
        (0.0, 0.14, full_chin(shape) - 0.15, 0.12, 0.06 * s[7]),
    ]
    return middle + both + [(-x, sx, y, sy, z) for x, sx, y, sy, z in both]


def _nose(shape: Shape, rng: Rng) -> F32Array:
    """Height of the nose over the canvas: a ridge that widens and rises to the tip."""
    t = np.clip((ROWS_Y + 0.08) / (shape.nose_y + 0.03), 0, None)
    bridge = rng.uniform(0.0, 0.06)
    up = np.clip(t, 0, 1)
    rise = shape.nose_high * up**1.3 + bridge * np.sin(np.pi * up)
    drop = 1 / (1 + np.exp((ROWS_Y - shape.nose_y + 0.035) / 0.018))
    wide = rng.uniform(0.06, 0.09) + 0.07 * up**2 * shape.nose_half / 0.18
    across = np.outer(1 / wide, COLUMNS_X).astype(np.float32)
    ridge: F32Array = (rise * drop).astype(np.float32)[:, None] * np.exp(-(across * across))
    return ridge


def rotation(yaw: float, pitch: float, roll: float) -> F64Array:
    """Head rotation (3, 3) from angles in radians: pitch first, then yaw, then roll."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    around_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn: F64Array = around_z @ around_y @ around_x
    return turn
