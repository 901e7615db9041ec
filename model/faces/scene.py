# SPDX-License-Identifier: Apache-2.0
"""What is around a procedural face: background, hair, neck, ears, glasses, hands and hats."""

from __future__ import annotations

import cv2
import numpy as np

from host.common.arrays import F32Array, F64Array, Points
from host.face.landmarks import LEFT_EYE, RIGHT_EYE
from model.faces.camera import Camera
from model.faces.paint import Look, fill, fixed, noise, smooth_curve
from model.faces.shape import Rng, Shape, full_chin


def background(rng: Rng, side: int) -> F32Array:
    """Picture (side, side) without a head: level, gradient, lumps and some polygons."""
    half = side // 2
    ramp = np.linspace(-1, 1, half, dtype=np.float32)
    image = rng.uniform(0, 0.9) + rng.normal(0, 0.15) * ramp[None]
    image = image + rng.normal(0, 0.15) * ramp[:, None]
    cells = int(rng.choice([3, 6, 12, 30]))
    image = image + rng.choice([0.02, 0.1, 0.25]) * noise(rng, (half, half), (cells, cells))
    image = np.ascontiguousarray(image, np.float32)
    for _ in range(rng.integers(0, 9)):
        centre, spread = rng.uniform(0, half, 2), rng.uniform(5, 60)
        fill(image, centre + rng.normal(0, spread, (rng.integers(3, 6), 2)), rng.uniform(0, 1))
    image = cv2.GaussianBlur(image, (0, 0), float(rng.choice([0.5, 2, 5])))
    picture: F32Array = np.clip(cv2.resize(image, (side, side)), 0, 1.2)
    return picture


def overlay(
    picture: F32Array,
    points: Points,
    value: float | F32Array,
    blur: float = 0.7,
    cover: float = 1.0,
) -> None:
    """Fill a polygon (N, 2) of pixels with ``value``, its edge softened by ``blur`` pixels."""
    if not np.isfinite(points).all():
        return
    mask = np.zeros(picture.shape, np.uint8)
    fill(mask, np.clip(points, -2000, 2000), 255)
    soft = cv2.GaussianBlur(mask, (0, 0), blur) if blur > 0.4 else mask
    picture += np.float32(cover / 255) * soft * (value - picture)


def ball(
    camera: Camera, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> F64Array:
    """Outline (N, 2) in pixels of an ellipsoid given in head coordinates."""
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    p = np.linspace(-np.pi / 2, np.pi / 2, 9)
    unit = np.stack(
        [
            np.outer(np.cos(p), np.cos(t)),
            np.repeat(np.sin(p)[:, None], 20, 1),
            np.outer(np.cos(p), np.sin(t)),
        ],
        2,
    )
    pixels = camera.project(np.array(centre) + unit * radii).reshape(-1, 2)
    outline: F64Array = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)
    return outline


def strands(picture: F32Array, level: float, rng: Rng) -> F32Array:
    """Hair of mean grey ``level``: streaks along a random direction."""
    side = picture.shape[0]
    cells = (4, 60) if rng.random() < 0.7 else (30, 30)
    streaks = noise(rng, picture.shape, cells) * rng.uniform(0.1, 0.35)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 20), 1.2)
    streaks = cv2.warpAffine(streaks, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
    hair: F32Array = level * (1 + streaks)
    return hair


def paint_behind(
    picture: F32Array, camera: Camera, shape: Shape, look: Look, light: float, rng: Rng
) -> None:
    """Hair behind the head, shoulders, neck, skull and ears."""
    hair = strands(picture, look.hair * light * rng.uniform(0.7, 1.3), rng)
    volume = rng.uniform(0.0, 0.3)
    long = rng.random() < 0.4
    width = shape.width
    if long:
        length = rng.uniform(0.5, 2.0)
        curtain = np.array(
            [[-1, -0.6], [-1.05, 0.3], [-1.1, length], [1.1, length], [1.05, 0.3], [1, -0.6]]
        ) * (width + volume, 1)
        overlay(picture, _plane(camera, smooth_curve(curtain, 3), 0.0), hair, 1.0)
    _paint_neck(picture, camera, shape, look, light, rng)
    skull = ball(camera, (0, -0.25, -0.1), (width * 1.0, shape.crown, 0.95))
    bald = rng.random() < 0.1
    skin_side = look.skin * light * rng.uniform(0.4, 0.9)
    overlay(picture, skull, skin_side if bald else hair)
    jaw = ball(camera, (0, 0.25, 0.12), (width * 0.94, 0.62, 0.3))
    overlay(picture, jaw, skin_side, 1.5)
    if not (long and rng.random() < 0.6):
        _paint_ears(picture, camera, shape, skin_side * rng.uniform(0.9, 1.4))
    if not bald:
        crown = ball(
            camera, (0, -0.45, -0.15), (width + 0.5 * volume, shape.crown - 0.25 + volume, 0.85)
        )
        overlay(picture, crown, hair, 1.0)


def _plane(camera: Camera, flat: F64Array, depth: float) -> F64Array:
    """Pixels of frontal points (N, 2) at one depth."""
    return camera.project(np.concatenate([flat, np.full((len(flat), 1), depth)], 1))


def _paint_neck(
    picture: F32Array, camera: Camera, shape: Shape, look: Look, light: float, rng: Rng
) -> None:
    """Neck and shoulders; they follow the head's turn only in part."""
    chin = full_chin(shape)
    half = shape.width * rng.uniform(0.6, 0.85)
    roots = np.array([[-half, 0.6, -0.1], [half, 0.6, -0.1]])
    top = camera.project(roots)
    down = np.array([0.0, camera.scale])
    lean = camera.project(np.array([0.0, chin, 0.0])) - camera.project(np.array([0.0, 0.4, 0.0]))
    lean = 0.5 * lean / np.linalg.norm(lean) * camera.scale + 0.5 * down
    neck = np.array([top[0], top[1], top[1] + 1.6 * lean, top[0] + 1.6 * lean])
    level = look.skin * light
    rows = np.arange(picture.shape[0], dtype=np.float32)[:, None]
    shade = np.clip(
        0.45 + 0.5 * (rows - top[:, 1].mean() - 0.5 * camera.scale) / camera.scale,
        rng.uniform(0.2, 0.6),
        1,
    )
    side = np.linspace(-1, 1, picture.shape[1], dtype=np.float32)[None] * rng.normal(0, 0.3)
    overlay(picture, neck, level * np.clip(shade + side, 0.15, 1.2), 1.0)
    base = neck[2:].mean(0) - lean * rng.uniform(0.0, 0.7)
    wide, drop = rng.uniform(1.0, 1.8) * camera.scale, rng.uniform(0.1, 0.6) * camera.scale
    shoulders = base + np.array(
        [
            [-0.4 * wide, 0],
            [0, 0.35 * drop],
            [0.4 * wide, 0],
            [wide, drop],
            [wide, 900],
            [-wide, 900],
            [-wide, drop],
        ]
    )
    cloth = rng.uniform(0.02, 1.0) * (1 + 0.15 * noise(rng, picture.shape, (12, 12)))
    overlay(picture, shoulders, cloth.astype(np.float32), 1.0)


def _paint_ears(picture: F32Array, camera: Camera, shape: Shape, level: float) -> None:
    """Two upright ellipses at the sides of the head."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    for sign in (-1, 1):
        for size, shade in ((1.0, 1.0), (0.55, 0.55)):
            ear = np.stack(
                [
                    sign * (shape.width + 0.06 + 0.07 * np.cos(turn) * size),
                    0.1 + 0.26 * np.sin(turn) * size,
                    -0.12 - 0.08 * np.cos(turn) * size,
                ],
                1,
            )
            overlay(picture, camera.project(ear), level * shade, 1.0)


def paint_before(
    picture: F32Array,
    camera: Camera,
    shape: Shape,
    look: Look,
    light: float,
    flat: F64Array,
    rng: Rng,
) -> None:
    """Locks over the face, glasses, hats and other things that hide parts of it."""
    if rng.random() < 0.35:
        _paint_locks(picture, camera, shape, look.hair * light, rng)
    if rng.random() < 0.17:
        _paint_glasses(picture, camera, flat, rng)
    if rng.random() < 0.12:
        _paint_hat(picture, camera, shape, rng)
    if rng.random() < 0.15:
        _paint_occluder(picture, camera, look, light, rng)


def _paint_locks(picture: F32Array, camera: Camera, shape: Shape, level: float, rng: Rng) -> None:
    """Hair that hangs along one or both sides of the face."""
    sides = rng.choice([-1, 1], size=rng.integers(1, 3), replace=False)
    for sign in sides:
        inner = shape.width * rng.uniform(0.75, 1.02)
        length = rng.uniform(0.2, 1.9)
        outer = inner + 0.35
        outline = np.array(
            [
                [0.2, -0.95],
                [inner, -0.45],
                [inner, 0.4 * length],
                [inner + 0.1, length],
                [outer, length],
                [outer, -0.5],
                [0.6, -1.1],
            ]
        )
        lock = smooth_curve(outline + rng.normal(0, 0.03, outline.shape), 3) * (sign, 1)
        overlay(picture, _plane(camera, lock, 0.35), strands(picture, level, rng), 1.2)


def _paint_glasses(picture: F32Array, camera: Camera, flat: F64Array, rng: Rng) -> None:
    """Frames, with clear, shining or dark lenses."""
    half_x, half_y = rng.uniform(0.2, 0.27), rng.uniform(0.11, 0.2)
    power = rng.uniform(0.45, 1.0)
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    dark = rng.random() < 0.35
    thick = int(rng.integers(1, 7))
    level = rng.uniform(0, 0.25) if rng.random() < 0.75 else rng.uniform(0.4, 1.0)
    frame = np.zeros(picture.shape, np.uint8)
    for eye in (LEFT_EYE, RIGHT_EYE):
        centre = flat[list(eye)].mean(0) + np.array([0, 0.03])
        c, s = np.cos(turn), np.sin(turn)
        rim = centre + np.stack(
            [half_x * np.sign(c) * np.abs(c) ** power, half_y * np.sign(s) * np.abs(s) ** power], 1
        )
        pixels = _plane(camera, rim, 0.98)
        if dark:
            overlay(picture, pixels, rng.uniform(0, 0.15), cover=rng.uniform(0.6, 1.0))
        elif rng.random() < 0.3:
            overlay(picture, pixels, 0.8, cover=rng.uniform(0.05, 0.35))
        cv2.polylines(frame, [fixed(pixels)], True, 255, thick, cv2.LINE_AA, 4)
        sign = np.sign(centre[0])
        arm = np.array(
            [
                [centre[0] + sign * half_x, centre[1] - 0.05, 0.95],
                [sign * 0.82, centre[1] - 0.05, 0.0],
            ]
        )
        cv2.polylines(frame, [fixed(camera.project(arm))], False, 255, thick, cv2.LINE_AA, 4)
        bridge = np.array(
            [[centre[0] - sign * half_x, centre[1] - 0.03, 0.98], [0, centre[1] - 0.06, 1.08]]
        )
        cv2.polylines(frame, [fixed(camera.project(bridge))], False, 255, thick, cv2.LINE_AA, 4)
    picture += (frame / 255.0).astype(np.float32) * (level - picture)


def _paint_hat(picture: F32Array, camera: Camera, shape: Shape, rng: Rng) -> None:
    """Cap or hat down to somewhere above the brows."""
    edge = rng.uniform(-0.75, -0.32)
    wide = shape.width * rng.uniform(1.0, 1.25)
    curve = rng.uniform(-0.1, 0.15)
    x = np.linspace(-1, 1, 9)
    brim = np.stack([wide * x, edge + curve * x**2, 0.9 * np.sqrt(1.05 - x**2)], 1)
    top = np.stack([wide * 1.05 * x[::-1], -shape.crown - 0.3 + 0.5 * x**2, np.zeros(9)], 1)
    level = rng.uniform(0.02, 1.0) * (1 + rng.uniform(0, 0.2) * noise(rng, picture.shape, (20, 20)))
    overlay(picture, camera.project(np.concatenate([brim, top])), level.astype(np.float32), 1.0)


def _paint_occluder(picture: F32Array, camera: Camera, look: Look, light: float, rng: Rng) -> None:
    """Something before the face: a hand, a microphone, a scarf, another head."""
    side = picture.shape[0]
    centre = side / 2 + rng.normal(0, 0.35 * side, 2)
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    radius = side * rng.uniform(0.06, 0.25) * rng.uniform(0.6, 1.4, (9, 1))
    blob = centre + radius * np.stack([np.cos(turn), np.sin(turn)], 1) * rng.uniform(0.5, 1.5, 2)
    level = look.skin * light * rng.uniform(0.6, 1.2) if rng.random() < 0.5 else rng.uniform(0, 1)
    value = level * (1 + 0.1 * noise(rng, picture.shape, (8, 8)))
    overlay(picture, smooth_curve(blob), value.astype(np.float32), 1.0)
