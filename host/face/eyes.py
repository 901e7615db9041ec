# SPDX-License-Identifier: Apache-2.0
"""Whether the eyes can be judged: not behind sunglasses, a hand or hair, not in the dark or a blur.

A small network looks at a patch around each eye, relative to the light on the whole face. A closed
eye is one that can be judged. ``python -m model train-eyes`` made its weights; weights/README.md
tells from what, docs/host.md how well it does.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from host.common.arrays import F32Array, F64Array, Image, Points
from host.common.errors import UserError

WEIGHTS = Path(__file__).parent / "weights" / "eyes.npz"

CORNERS = ((60, 64), (68, 72))
"""Landmarks at the corners of the eye on the picture's left and right, left corner first."""

PATCH = (20, 14)
"""Columns and rows of a patch."""

FINER = 3
"""A patch is sampled so many times finer and then averaged."""

REACH = 2.2
"""Width of a patch over that of an eye; the brow and some of the cheek are on it."""

EYE = 0.42
"""Least width of an eye over the distance of the eyes' centres: the far eye of a turned face."""

FACE = 24
"""Side of the reduced face, with which the patches are compared."""

DARK = 8.0
"""Least range of grey levels on a face; what is below is not raised further."""

FEATURES = PATCH[0] * PATCH[1] + 4
"""Numbers that the network gets of an eye."""


class Network(NamedTuple):
    """One hidden layer: probability = sigmoid(max(features @ a + b, 0) @ c + d)."""

    a: F32Array
    """(FEATURES, hidden)"""
    b: F32Array
    """(hidden,)"""
    c: F32Array
    """(hidden,)"""
    d: F32Array
    """()"""


def eyes_visible(image: Image, landmarks: Points) -> F64Array:
    """Probability that each eye of a face can be judged.

    Args:
        image: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        landmarks: (98, 2) in pixels of the picture.

    Returns:
        (2,) of 0..1: the eye on the picture's left, then the one on its right. 0 where the
        landmarks are no face, for example nan.

    Raises:
        UserError: the weights are missing or damaged.
    """
    values = eye_features(image, landmarks)
    if values is None:
        return np.zeros(2)
    return probabilities(values, load_network(WEIGHTS))


def probabilities(features: F32Array, network: Network) -> F64Array:
    """What a network says to features (N, FEATURES): (N,) of 0..1."""
    hidden = np.maximum(features @ network.a + network.b, 0)
    score = (hidden @ network.c + network.d).astype(np.float64)
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -50, 50))), np.float64)


@cache
def load_network(path: Path) -> Network:
    """Read a network. UserError if the file is missing or holds something else."""
    try:
        with np.load(path) as content:
            parts = Network(*(content[name].astype(np.float32) for name in Network._fields))
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"cannot read the eye test {path}: {error}; install the project again"
        ) from error
    if parts.a.shape[0] != FEATURES:
        raise UserError(
            f"the eye test {path} takes {parts.a.shape[0]} numbers, the program gives {FEATURES}; "
            "train it again with python -m model train-eyes"
        )
    return parts


def eye_features(image: Image, landmarks: Points) -> F32Array | None:
    """What the network gets of both eyes, (2, FEATURES); None if the landmarks are no face.

    Only the eyes' corners and the extent of all known landmarks matter.
    """
    corners = np.asarray(landmarks, np.float64)[np.array(CORNERS)]
    if not np.isfinite(corners).all():
        return None
    centres = corners.mean(axis=1)
    apart = float(np.linalg.norm(centres[1] - centres[0]))
    if not 2 <= apart <= 4 * max(image.shape[:2]):
        return None
    low, spread = _light(image, landmarks)
    along = (centres[1] - centres[0]) / apart
    rows = []
    for centre, pair in zip(centres, corners, strict=True):
        width = max(float(np.linalg.norm(pair[1] - pair[0])), EYE * apart)
        patch = (_patch(image, centre, along, width) - low) / max(spread, DARK)
        rows.append(np.concatenate([patch.ravel(), _summary(patch, spread, low)]))
    return np.stack(rows).astype(np.float32)


def _light(image: Image, landmarks: Points) -> tuple[float, float]:
    """Median grey level of the face, and the range from its 10th to its 90th percentile."""
    known = landmarks[np.isfinite(landmarks).all(axis=1)]
    limits = np.array(image.shape[1::-1])
    left, top = np.clip(np.floor(known.min(axis=0)), 0, limits - 1).astype(int).tolist()
    right, bottom = np.clip(np.ceil(known.max(axis=0)), 1, limits).astype(int).tolist()
    face = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    small = _grey(cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_AREA))
    low, median, high = np.percentile(small, (10, 50, 90)).tolist()
    return median, high - low


def _patch(image: Image, centre: F64Array, along: F64Array, width: float) -> F32Array:
    """Grey levels (rows, columns) around an eye, its line level."""
    columns, rows = (FINER * side for side in PATCH)
    step = REACH * width / columns
    down = np.array([-along[1], along[0]])
    corner = centre - step * ((columns - 1) / 2 * along + (rows - 1) / 2 * down) - 0.5
    matrix = np.column_stack([step * along, step * down, corner])
    fine = cv2.warpAffine(
        image, matrix, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return _grey(cv2.resize(fine, PATCH, interpolation=cv2.INTER_AREA)).astype(np.float32)


def _summary(patch: F32Array, spread: float, median: float) -> F64Array:
    """Light, range, contrast and sharpness: (4,)."""
    steps = np.abs(np.diff(patch, axis=0)).mean() + np.abs(np.diff(patch, axis=1)).mean()
    return np.array([np.log(max(spread, 1.0)) - 4, median / 128 - 1, patch.std(), 4 * steps])


def _grey(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    return np.asarray(grey, np.uint8)
