# SPDX-License-Identifier: Apache-2.0
"""What the picture itself tells of each eye: can it be judged, and is it open?

A small network looks at a patch around each eye, relative to the light on the whole face. Behind
sunglasses, a hand or hair, in the dark or in a blur an eye cannot be judged; a closed one can.
``python -m model train-eyes`` made its weights; weights/README.md tells from what, docs/monitor.md
how well it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from host.common.arrays import F32Array, F64Array, Image, Points
from host.common.errors import UserError

WEIGHTS = Path(__file__).parent / "weights" / "eyes.npz"

EYES = np.array([60, 64, 68, 72])
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
    maps = np.empty((*level.shape, 2), np.float32)
    maps[..., 0], maps[..., 1] = level, stretched(level)
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
    flat = level.reshape(len(level), -1)
    off, spread = _spread(flat)
    return np.asarray((off / np.maximum(spread, FLAT)[:, None]).reshape(level.shape), np.float32)


def _spread(rows: F32Array) -> tuple[F32Array, F32Array]:
    """Differences (N, K) from each row's mean, and their standard deviations (N,)."""
    count = np.float32(rows.shape[1])
    off = np.asarray(rows - rows.sum(axis=1, keepdims=True) / count, np.float32)
    return off, np.asarray(np.sqrt(np.einsum("ij,ij->i", off, off) / count), np.float32)


def _convolved(maps: F32Array, weights: F32Array, bias: F32Array) -> F32Array:
    """3x3 convolution with a border of 1, stride 2, ReLU: (N, H, W, C) -> (N, H / 2, W / 2, K)."""
    count, height, width, channels = maps.shape
    padded = np.zeros((count, height + 2, width + 2, channels), np.float32)
    padded[:, 1:-1, 1:-1] = maps
    one, down, right, deep = padded.strides
    windows: F32Array = np.ndarray(  # N h w C 3 3: what each output sees, without a copy
        (count, height // 2, width // 2, channels, 3, 3), np.float32, padded,
        strides=(one, 2 * down, 2 * right, deep, down, right),
    )  # fmt: skip
    flat = windows.reshape(count * (height // 2) * (width // 2), -1)
    found = np.maximum(flat @ weights + bias, 0)
    return np.asarray(found.reshape(count, height // 2, width // 2, -1), np.float32)


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
    corners = np.asarray(landmarks, np.float64)[EYES]
    if not np.isfinite(corners).all():
        return None
    centres = (corners[0::2] + corners[1::2]) / 2
    (x, y), (other_x, other_y) = centres.tolist()
    apart = math.hypot(other_x - x, other_y - y)
    if not 2 <= apart <= 4 * max(image.shape[:2]):
        return None
    along = (other_x - x) / apart, (other_y - y) / apart
    columns, rows = PATCH
    levels = np.empty((2, rows, columns), np.float32)
    widths = np.hypot(*(corners[1::2] - corners[0::2]).T).tolist()
    for side, (centre, width) in enumerate(zip(centres.tolist(), widths, strict=True)):
        patch = _patch(image, centre, along, max(width, EYE * apart))
        levels[side] = patch[:, ::-1] if side else patch  # the nose is always on the right
    median, spread = _light(image, landmarks)
    levels -= np.float32(median)
    levels /= np.float32(max(spread, DARK))
    features = np.empty((2, FEATURES), np.float32)
    features[:, :-SUMMARY] = levels.reshape(2, -1)
    features[:, -SUMMARY:-2] = math.log(max(spread, 1.0)) - 4, median / 128 - 1
    features[:, -2:] = _contrast(levels)
    return features


def _light(image: Image, landmarks: Points) -> tuple[float, float]:
    """Median grey level of the face, and the range from its 10th to its 90th percentile."""
    finite = np.isfinite(landmarks)
    known = landmarks if finite.all() else landmarks[finite.all(axis=1)]
    height, width = image.shape[:2]
    left, top = (math.floor(side) for side in known.min(axis=0).tolist())
    right, bottom = (math.ceil(side) for side in known.max(axis=0).tolist())
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    face = image[top : max(min(bottom, height), top + 1), left : max(min(right, width), left + 1)]
    small = cv2.resize(_shrunk(_grey(face)), (FACE, FACE), interpolation=cv2.INTER_AREA)
    levels = np.sort(small, axis=None)
    low, median, high = (float(levels[int(part * (FACE * FACE - 1))]) for part in (0.1, 0.5, 0.9))
    return median, high - low


def _shrunk(grey: Image) -> Image:
    """A large picture divided by a whole number, which is quick, to at least twice FACE."""
    height, width = grey.shape
    times = min(height, width) // (2 * FACE)
    if times < 2:
        return grey
    rows, columns = height // times, width // times
    whole = grey[: rows * times, : columns * times]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _patch(
    image: Image, centre: Sequence[float], along: tuple[float, float], width: float
) -> Image:
    """Grey levels (rows, columns) around an eye, its line level."""
    columns, rows = FINER * PATCH[0], FINER * PATCH[1]
    step = REACH * width / columns
    right, down = step * along[0], step * along[1]
    half, half_down = (columns - 1) / 2, (rows - 1) / 2
    matrix = np.array([
        [right, -down, centre[0] - half * right + half_down * down - 0.5],
        [down, right, centre[1] - half * down - half_down * right - 0.5],
    ])  # fmt: skip
    fine = cv2.warpAffine(
        image, matrix, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return _grey(cv2.resize(fine, PATCH, interpolation=cv2.INTER_AREA))


def _contrast(levels: F32Array) -> F32Array:
    """Standard deviation and sharpness (2, 2) of the patches of two eyes."""
    down = np.abs(levels[:, 1:] - levels[:, :-1]).reshape(2, -1)
    right = np.abs(levels[:, :, 1:] - levels[:, :, :-1]).reshape(2, -1)
    steps = down.sum(axis=1) / np.float32(down.shape[1])
    steps += right.sum(axis=1) / np.float32(right.shape[1])
    return np.stack([_spread(levels.reshape(2, -1))[1], 4 * steps], axis=1)


def _grey(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    return np.asarray(grey, np.uint8)
