# SPDX-License-Identifier: Apache-2.0
"""How much what a network finds scatters from frame to frame, of faces that hold still.

The stories of tests/host/monitor/stories.py have such errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from host.backends.base import Backend
from host.common.arrays import F64Array
from host.face.crop import crop_square, square_around_landmarks
from host.face.landmarks import INNER_LIPS, inter_ocular
from host.monitor.eyes import aspect_ratio, eye_ratios
from model.data.records import Record, read_picture

FACES, FRAMES, SETTLES = 40, 20, 3
"""Faces at most, frames of each, and frames until the crop has settled."""

SIDE = 150
"""Side in pixels of the square around a face in the camera's picture."""

NOISE, TREMBLE = 2.0, 0.5
"""Standard deviations of a camera's noise in grey levels, and of its shaking in pixels."""

WORST = 0.9
"""The quantile of faces that is told: all but the worst tenth scatter less."""


def scatter(records: Sequence[Record], backend: Backend, seed: int = 0) -> dict[str, float]:
    """Standard deviations by name; of eyes over their opening, of points over the eyes' distance.

    nan without a face.
    """
    rng = np.random.default_rng(seed)
    chosen = records[:: max(1, -(-len(records) // FACES))]
    rows = np.array([_of_face(record, backend, rng) for record in chosen]).reshape(-1, 4)
    worst = np.quantile(rows, WORST, axis=0) if len(rows) else np.full(4, np.nan)
    names = ("a point", "both eyes together", "each eye by itself", "the mouth")
    return {f"scatter of {name}": float(value) for name, value in zip(names, worst, strict=True)}


def _of_face(record: Record, backend: Backend, rng: np.random.Generator) -> tuple[float, ...]:
    known = record.points[np.isfinite(record.points).all(axis=1)]
    size = SIDE / square_around_landmarks(known).side
    method = cv2.INTER_AREA if size < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(read_picture(record.image), None, fx=size, fy=size, interpolation=method)
    points, seen = known * size, []
    for _ in range(FRAMES):
        moved = rng.normal(0, TREMBLE, 2)
        shift = np.column_stack([np.eye(2), moved])
        shaken = cv2.warpAffine(
            picture, shift, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        frame = np.clip(np.rint(shaken + rng.normal(0, NOISE, shaken.shape)), 0, 255)
        square = square_around_landmarks(points)
        crop = crop_square(frame.astype(np.uint8), square, backend.input_size)
        points = square.to_image(backend.infer(crop[np.newaxis])[0])
        seen.append(points - moved)
    found = np.stack(seen[SETTLES:])
    eyes = np.array([eye_ratios(points) for points in found])
    mouth = [aspect_ratio(points[[*INNER_LIPS]]) for points in found]
    place = float(np.median(found.std(axis=0)) / np.median(inter_ocular(found)))
    return (place, *_parted(eyes / eyes.mean(axis=0)), float(np.std(mouth)))


def _parted(ratios: F64Array) -> tuple[float, float]:
    """Standard deviations of what two eyes (N, 2) have in common, and of each one's own part."""
    table = np.cov(ratios.T)
    common = max(float(table[0, 1]), 0.0)
    own = max(float(table.trace()) / 2 - common, 0.0)
    return common**0.5, own**0.5
