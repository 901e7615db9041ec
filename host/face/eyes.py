# SPDX-License-Identifier: Apache-2.0
"""What the picture itself tells of each eye: can it be judged, and is it open?

A small network looks at a patch around each eye, relative to the light on the whole face. Behind
sunglasses, a hand or hair, in the dark or in a blur an eye cannot be judged; a closed one can.
``python -m model train-eyes`` made its weights; weights/README.md tells from what, docs/monitor.md
how well it does.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from host.common.arrays import F32Array, F64Array, Image, Points
from host.common.errors import UserError

WEIGHTS = Path(__file__).parent / "weights" / "eyes.npz"

CORNERS = ((60, 64), (68, 72))
"""Landmarks at the corners of the eye on the picture's left and right, left corner first."""

PATCH = (32, 24)
"""Columns and rows of a patch."""

FINER = 2
"""A patch is sampled so many times finer and then averaged."""

REACH = 2.0
"""Width of a patch over that of an eye; the brow and some of the cheek are on it."""

EYE = 0.42
"""Least width of an eye over the distance of the eyes' centres: the far eye of a turned face."""

FACE = 24
"""Side of the reduced face, with which the patches are compared."""

DARK = 8.0
"""Least range of grey levels on a face; what is below is not raised further."""

SUMMARY = 4
"""Numbers about a patch beside its grey levels."""

FEATURES = PATCH[0] * PATCH[1] + SUMMARY
"""Numbers that the network gets of an eye."""

FLAT = 0.1
"""Least standard deviation of a patch, over the range of the face, to which it is stretched."""


class Look(NamedTuple):
    """What a picture tells of the eye on its left and of the one on its right."""

    visible: tuple[float, float]
    """How sure it is, 0 to 1, that the eye can be judged."""
    open: tuple[float, float]
    """How far it seems open, 0 shut to 1; means nothing of an eye that cannot be judged."""


class Network(NamedTuple):
    """Three convolutions of 3x3 with stride 2, a hidden layer, two logits: visible, open."""

    conv1: F32Array
    """(9 * 2, K1): of the patch as it is and of the patch stretched to one contrast."""
    bias1: F32Array
    conv2: F32Array
    """(9 * K1, K2)"""
    bias2: F32Array
    conv3: F32Array
    """(9 * K2, K3)"""
    bias3: F32Array
    hidden: F32Array
    """(3 * 4 * K3 + SUMMARY, H)"""
    bias4: F32Array
    out: F32Array
    """(H, 2)"""
    bias5: F32Array


def look_at_eyes(image: Image, landmarks: Points) -> Look:
    """Look at both eyes of a face.

    Args:
        image: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        landmarks: (98, 2) in pixels of the picture; only the eyes' corners and the extent matter.

    Returns:
        Nothing is visible where the landmarks are no face, for example nan.

    Raises:
        UserError: the weights are missing or damaged.
    """
    values = eye_features(image, landmarks)
    if values is None:
        return Look((0.0, 0.0), (1.0, 1.0))
    left, right = probabilities(values, load_network(WEIGHTS)).tolist()
    return Look((left[0], right[0]), (left[1], right[1]))


def probabilities(features: F32Array, network: Network) -> F64Array:
    """What a network says to features (N, FEATURES): visible and open (N, 2), each 0..1."""
    columns, rows = PATCH
    level = features[:, :-SUMMARY].reshape(-1, rows, columns)
    maps = np.stack([level, stretched(level)], axis=-1)
    for weights, bias in (
        (network.conv1, network.bias1), (network.conv2, network.bias2),
        (network.conv3, network.bias3),
    ):  # fmt: skip
        maps = _convolved(maps, weights, bias)
    vector = np.concatenate([maps.reshape(len(maps), -1), features[:, -SUMMARY:]], axis=1)
    hidden = np.maximum(vector @ network.hidden + network.bias4, 0)
    score = (hidden @ network.out + network.bias5).astype(np.float64)
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -50, 50))), np.float64)


def stretched(level: F32Array) -> F32Array:
    """Patches (N, rows, columns) with mean 0 and, unless they are flat, standard deviation 1."""
    mean = level.mean(axis=(1, 2), keepdims=True)
    spread = level.std(axis=(1, 2), keepdims=True)
    return np.asarray((level - mean) / np.maximum(spread, FLAT), np.float32)


def _convolved(maps: F32Array, weights: F32Array, bias: F32Array) -> F32Array:
    """3x3 convolution with a border of 1, stride 2, ReLU: (N, H, W, C) -> (N, H / 2, W / 2, K)."""
    count, height, width, channels = maps.shape
    padded = np.zeros((count, height + 2, width + 2, channels), np.float32)
    padded[:, 1:-1, 1:-1] = maps
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]  # N h w C 3 3
    flat = windows.reshape(*windows.shape[:3], -1)
    return np.asarray(np.maximum(flat @ weights + bias, 0), np.float32)


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
    columns, rows = PATCH
    inputs = columns * rows // 64 * parts.conv3.shape[1] + SUMMARY
    if len(parts.conv1) != 18 or len(parts.hidden) != inputs:
        raise UserError(
            f"the eye test {path} is for {len(parts.hidden)} numbers behind its convolutions, the "
            f"program gives {inputs}; train it again with python -m model train-eyes"
        )
    return parts


def eye_features(image: Image, landmarks: Points) -> F32Array | None:
    """What the network gets of both eyes, (2, FEATURES); None if the landmarks are no face."""
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
    for side, (centre, pair) in enumerate(zip(centres, corners, strict=True)):
        width = max(float(np.linalg.norm(pair[1] - pair[0])), EYE * apart)
        patch = (_patch(image, centre, along, width) - low) / max(spread, DARK)
        patch = patch[:, ::-1] if side else patch  # the nose is always on the right
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
    levels = np.sort(small, axis=None)
    low, median, high = (float(levels[int(part * (FACE * FACE - 1))]) for part in (0.1, 0.5, 0.9))
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
