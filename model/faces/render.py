# SPDX-License-Identifier: Apache-2.0
"""Procedural faces: grey 112x112 pictures with 98 exact landmarks, made from a seed.

A face is a height field with an albedo (:mod:`model.faces.shape`, :mod:`model.faces.paint`). Here
it is turned, lit, projected onto a background with hair, neck, glasses and other things around it
(:mod:`model.faces.scene`), and photographed. Image i of a seed is always the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from host.common.arrays import F32Array, F64Array, Image, Images, Points
from host.common.errors import UserError
from model.faces import scene
from model.faces.camera import Camera, sample
from model.faces.paint import draw_look, noise, paint_face, soften, to_canvas
from model.faces.shape import (
    CANVAS,
    RESOLUTION,
    Rng,
    Shape,
    draw_shape,
    flat_points,
    full_chin,
    height_field,
    jaw_depth,
    jaw_half,
    rotation,
)

SIZE = 112  #: side of the picture
MESH = (34, 27)  #: rows and columns of the face's mesh


@dataclass(frozen=True)
class Faces:
    """Pictures and what is known about them."""

    images: Images
    """(N, 112, 112) grey."""
    landmarks: F32Array
    """(N, 98, 2), x and y as fractions of the picture."""
    pose: F32Array
    """(N, 3), yaw, pitch and roll in radians."""


def make_faces(count: int, seed: int = 0, first: int = 0) -> Faces:
    """Faces ``first`` .. ``first + count - 1`` of ``seed``. UserError for a negative argument."""
    for name, value, least in (("count", count, 1), ("seed", seed, 0), ("first", first, 0)):
        if value < least:
            raise UserError(f"{name}={value} is not possible; use {least} or more")
    faces = [make_face(seed, first + i) for i in range(count)]
    images, landmarks, pose = (np.stack(part) for part in zip(*faces, strict=True))
    return Faces(images, landmarks.astype(np.float32), pose.astype(np.float32))


def make_face(seed: int, index: int) -> tuple[Image, F64Array, F64Array]:
    """Picture (112, 112) uint8, landmarks (98, 2) and pose (3,) of one face."""
    rng = np.random.default_rng((seed, index))
    shape = draw_shape(rng)
    flat = flat_points(shape)
    look = draw_look(rng, shape)
    field = height_field(shape, rng)
    pose = draw_pose(rng)
    camera = Camera.aim(rng, shape, field, flat, rotation(*pose))
    canvas = shade(paint_face(flat, shape, look, rng), field, camera.turn, rng)
    light = float(canvas.mean() / look.skin)
    picture = scene.background(rng, camera.side)
    scene.paint_behind(picture, camera, shape, look, light, rng)
    render_mesh(picture, camera, shape, field, canvas)
    scene.paint_before(picture, camera, shape, look, light, flat, rng)
    return photograph(picture, rng), (camera.landmarks + 0.5) / camera.side, pose


def draw_pose(rng: Rng) -> F64Array:
    """Yaw, pitch and roll in radians, within 55, 32 and 38 degrees."""
    spread = rng.choice([8.0, 22.0, 34.0])
    pitch, roll = rng.normal(0, 11), rng.normal(0, 10)
    limits = np.array([55, 32, 38])
    angles: F64Array = np.radians(np.clip([rng.normal(0, spread), pitch, roll], -limits, limits))
    return angles


def shade(albedo: F32Array, field: F32Array, turn: F64Array, rng: Rng) -> F32Array:
    """Canvas of reflected light: ``albedo`` under one or two lamps, sky light and shadows."""
    smooth = soften(field, 0.012)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3) * (RESOLUTION / 8)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3) * (RESOLUTION / 8)
    length = np.sqrt(1 + dx * dx + dy * dy)
    hollow = _surroundings(field)
    open_sky = np.clip(1 - rng.uniform(2, 9) * np.clip(hollow - smooth, 0, 0.15), 0.25, 1)
    total = np.float32(rng.uniform(0.25, 0.9)) * open_sky
    for power in (1.0, float(rng.choice([0.0, 0.4]))):
        if power:
            total += power * lamp(smooth, dx, dy, length, turn, rng)
    lit: F32Array = albedo * total
    return lit


def _surroundings(field: F32Array) -> F32Array:
    """Mean height around each point of the height field."""
    small = cv2.resize(field, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    mean: F32Array = cv2.resize(
        cv2.GaussianBlur(small, (0, 0), 0.03 * RESOLUTION), field.shape[::-1]
    )
    return mean


def lamp(
    field: F32Array, dx: F32Array, dy: F32Array, length: F32Array, turn: F64Array, rng: Rng
) -> F32Array:
    """Light of one lamp, with a gloss and with the shadows of the height field on itself."""
    direction = rng.normal([0, -0.45, 0.8], [0.6, 0.35, 0.3])
    direction = turn.T @ (direction / np.linalg.norm(direction))
    x, y, z = (float(v) for v in direction)
    facing = (z - x * dx - y * dy) / length
    light = np.clip(facing, 0, None)
    gloss = np.clip((2 * facing / length - z), 0, 1) ** rng.integers(6, 30)
    light = light + rng.uniform(0, 0.5) * gloss
    if z > 0.15:
        light = light * (1 - rng.uniform(0.4, 1.0) * cast_shadow(field, (x / z, y / z)))
    return light.astype(np.float32)


def cast_shadow(field: F32Array, slope: tuple[float, float]) -> F32Array:
    """Shadow 0..1: how far the way to the lamp (x and y a unit of height) runs below ground."""
    small = cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    depth = np.zeros_like(small)
    size = small.shape[::-1]
    for height in (0.02, 0.045, 0.08, 0.13, 0.2, 0.28):
        move = np.array(slope) * height * RESOLUTION / 2
        if np.abs(move).max() > 60:
            continue
        matrix = np.array([[1, 0, move[0]], [0, 1, move[1]]], np.float32)
        ahead = cv2.warpAffine(
            small,
            matrix,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        depth = np.maximum(depth, ahead - small - height)
    depth = cv2.GaussianBlur(np.clip(depth * 40, 0, 1), (0, 0), 1.2)
    shade: F32Array = cv2.resize(depth, CANVAS[::-1])
    return shade


def mesh_points(shape: Shape, field: F32Array) -> tuple[F64Array, F64Array]:
    """Frontal (rows, columns, 2) and spatial (rows, columns, 3) corners of the face's mesh."""
    rows, columns = MESH
    t = np.linspace(-1, 1, rows)
    y = np.where(t < 0, shape.crown, full_chin(shape)) * np.sin(np.pi / 2 * t)
    s = np.sin(np.linspace(-np.pi / 2, np.pi / 2, columns))
    flat = np.stack([np.outer(jaw_half(shape, y), s), np.repeat(y[:, None], columns, 1)], 2)
    inner = flat * (0.995, 1.0)
    depth = sample(field, inner.reshape(-1, 2)).reshape(rows, columns).astype(np.float64)
    depth[:, [0, -1]] = jaw_depth(shape, y)[:, None]
    return flat, np.concatenate([flat, depth[..., None]], 2)


def render_mesh(
    picture: F32Array, camera: Camera, shape: Shape, field: F32Array, canvas: F32Array
) -> None:
    """Draw the face with its lit ``canvas`` over ``picture``, far parts first."""
    flat, solid = mesh_points(shape, field)
    pixels = camera.project(solid)
    distance = ((solid - (0, 0, 0.3)) @ camera.turn.T)[..., 2]
    corners = _quads(pixels)
    order = np.argsort(_quads(distance[..., None])[..., 0].mean(1))
    down, across = corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 3]
    area = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    order = order[area[order] > 0]
    index = np.full(picture.shape, -1, np.float32)
    polygons = np.round(corners * 16).astype(np.int32)
    for quad in order.tolist():
        cv2.fillConvexPoly(index, polygons[quad], quad, cv2.LINE_8, 4)
    _texture(picture, index, corners, _quads(to_canvas(flat)), canvas)


def _quads(grid: F64Array) -> F64Array:
    """Corners (quads, 4, K) of a grid (rows, columns, K), clockwise."""
    parts = (grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1])
    return np.stack([p.reshape(-1, grid.shape[2]) for p in parts], 1)


def _texture(
    picture: F32Array, index: F32Array, corners: F64Array, source: F64Array, canvas: F32Array
) -> None:
    """Copy ``canvas`` through the affine map of the quad that ``index`` names at each pixel."""
    here = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], 2)
    gram = here.transpose(0, 2, 1) @ here + 1e-6 * np.eye(3)
    maps = np.linalg.solve(gram, here.transpose(0, 2, 1) @ source).astype(np.float32)
    covered = index >= 0
    rows, columns = np.nonzero(covered)
    quad = index[covered].astype(np.intp)
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    low, high = source.min(1).astype(np.float32), source.max(1).astype(np.float32)
    field = np.zeros((*index.shape, 2), np.float32)
    for axis in (0, 1):
        a, b, c = (maps[:, k, axis].take(quad) for k in range(3))
        at = a * columns + b * rows + c
        at = np.minimum(np.maximum(at, low[:, axis].take(quad)), high[:, axis].take(quad))
        field[covered, axis] = at
    value = cv2.remap(canvas, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    np.copyto(picture, value, where=covered)


def photograph(picture: F32Array, rng: Rng) -> Image:
    """Expose, blur and add noise: the camera's picture (112, 112) uint8."""
    small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.choice([0.3, 0.5, 0.7, 1.0, 2.0])))
    low, high = np.quantile(small[16:96, 16:96], [0.02, 0.97])
    black, white = rng.uniform(-0.05, 0.2), rng.uniform(0.55, 1.15)
    small = np.clip((small - low) / max(high - low, 1e-3), 0, 1.6)
    small = black + (white - black) * small ** rng.uniform(0.6, 1.3)
    small += rng.choice([0.003, 0.01, 0.01, 0.03]) * noise(rng, (SIZE, SIZE), (SIZE - 2, SIZE - 2))
    grey: Image = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    return grey


def draw_points(image: Image, landmarks: Points, zoom: int = 3) -> Image:
    """Picture (zoom*S, zoom*S, 3) BGR with green dots at ``landmarks`` (98, 2), fractions."""
    large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    colour: Image = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
    for x, y in np.asarray(landmarks) * large.shape[0]:
        cv2.circle(
            colour,
            (round(float(x) - 0.5), round(float(y) - 0.5)),
            max(1, zoom // 2),
            (0, 255, 0),
            -1,
            cv2.LINE_AA,
        )
    return colour


def contact_sheet(faces: Faces, columns: int = 8, zoom: int = 2, points: bool = True) -> Image:
    """All pictures of ``faces`` side by side, BGR, with or without their landmarks."""
    empty = np.zeros((0, 2))
    cells = [
        draw_points(image, marks if points else empty, zoom)
        for image, marks in zip(faces.images, faces.landmarks, strict=True)
    ]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)
