# SPDX-License-Identifier: Apache-2.0
"""Where the points of a procedural face appear in its picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from host.common.arrays import F32Array, F64Array, Points
from host.face.crop import LANDMARK_MARGIN
from host.face.landmarks import CONTOUR
from model.faces.paint import to_canvas
from model.faces.shape import Rng, Shape, full_chin, jaw_depth

FINE = 168  #: side at which a face is rendered, in pixels


@dataclass(frozen=True)
class Camera:
    """Turned head and weak perspective onto a square picture of ``side`` pixels."""

    turn: F64Array  # (3, 3)
    focus: float  # distance of the camera in units
    scale: float  # pixels a unit
    shift: F64Array  # (2,) pixels
    side: int
    landmarks: Points  # (98, 2) pixels

    def project(self, points: Points) -> F64Array:
        """Pixels (..., 2) of points (..., 3)."""
        return project(points, self.turn, self.focus) * self.scale + self.shift

    @classmethod
    def aim(cls, rng: Rng, shape: Shape, field: F32Array, flat: F64Array, turn: F64Array) -> Camera:
        """Crop the head as after a face detector: the landmarks' box, jittered."""
        focus = float(rng.choice([6.0, 10.0, 30.0]))
        points = project(lift(flat, shape, field), turn, focus)
        points[list(CONTOUR)] = visible_contour(shape, field, flat, turn, focus)
        low, high = points.min(0), points.max(0)
        side = LANDMARK_MARGIN * (high - low).max() * rng.uniform(0.88, 1.18)
        centre = (low + high) / 2 + rng.uniform(-0.06, 0.06, 2) * side
        scale = FINE / side
        shift = FINE / 2 - centre * scale
        return cls(turn, focus, scale, shift, FINE, points * scale + shift)


def project(points: Points, turn: F64Array, focus: float) -> F64Array:
    """Plane coordinates (..., 2), in units, of points (..., 3) turned about the head's middle."""
    turned = (points - (0, 0, 0.3)) @ turn.T
    return turned[..., :2] * (focus / (focus - turned[..., 2:]))


def sample(field: F32Array, flat: F64Array) -> F64Array:
    """Values of ``field`` at frontal points (N, 2)."""
    at = to_canvas(flat).astype(np.float32)
    border = cv2.BORDER_REPLICATE
    values: F64Array = cv2.remap(field, at[:, 0], at[:, 1], cv2.INTER_LINEAR, borderMode=border)
    return values[:, 0]


def lift(flat: F64Array, shape: Shape, field: F32Array) -> F64Array:
    """Points (98, 3) of the frontal points: on the height field, the contour on the outline."""
    depth = sample(field, flat).astype(np.float64)
    depth[list(CONTOUR)] = jaw_depth(shape, flat[list(CONTOUR), 1])
    return np.concatenate([flat, depth[:, None]], 1)


def visible_contour(
    shape: Shape, field: F32Array, flat: F64Array, turn: F64Array, focus: float
) -> F64Array:
    """Contour (33, 2) in the plane: the visible outline where the jaw line is hidden.

    Each point may slide on the surface towards the middle of the face, to where it lies farthest
    outside in the direction of its frontal position.
    """
    jaw = flat[list(CONTOUR)]
    centre = np.array([0, 0.35 * full_chin(shape)])
    inward = 1 - 0.05 * np.arange(13)[:, None, None]
    where = centre + (jaw - centre) * inward
    depth = sample(field, where.reshape(-1, 2)).reshape(13, -1).astype(np.float64)
    depth[0] = jaw_depth(shape, jaw[:, 1])
    seen = project(np.concatenate([where, depth[..., None]], 2), turn, focus)
    middle = project(np.array([*centre, 0.5]), turn, focus)
    outward = (jaw - centre) @ turn[:2, :2].T
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    best = ((seen - middle) * outward).sum(-1).argmax(0)
    outermost: F64Array = seen[best, np.arange(len(jaw))]
    return outermost
