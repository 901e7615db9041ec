# SPDX-License-Identifier: Apache-2.0
"""What a network makes of heads that turn and of one person's face from picture to picture.

From these figures the numbers in host.monitor.eyes (DOWN, UP, TURNED, SIDE), host.monitor.person
(SPREAD) and the thresholds ``pitch_gain`` and ``person_change`` are set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host.common.arrays import F64Array, Points
from host.face.crop import square_around_landmarks
from host.face.pose import head_pose
from host.monitor.eyes import eye_ratios
from host.monitor.person import SPREAD, proportions
from host.monitor.thresholds import Thresholds
from model.data.records import Record
from model.data.registry import as_98
from model.evaluation.driver import Found, by_person

AHEAD_DEG, NEAR_DEG, STEEP_DEG = 20.0, 15.0, 35.0
"""Largest yaw for the slope of the pitch, largest angles of a nearly frontal face, and of a face
whose eyes are compared."""

OUTLIER_DEG = 12.0
"""Pitches that differ by more from the line are wrong poses."""

FEWEST = 4
"""Pictures that a person must have."""

MAD = 1.4826
"""Standard deviation over the median of absolute deviations, of a normal distribution."""


def habits(found: Found, records: Sequence[Record], limits: Thresholds) -> dict[str, float]:
    """Figures by name; nan where there is too little to measure."""
    poses = np.array([_pose(points) for points in found.landmarks])
    truth = np.array([_pose(as_98(record)) for record in records])
    down, up, turned, side = falls(found, poses * (1.0, limits.pitch_gain))
    people = _people(found)
    frontal = set(np.flatnonzero((np.abs(poses) < NEAR_DEG).all(axis=1)).tolist())
    own = [lengths for n in people if len(lengths := _lengths(found, n, frontal)) >= FEWEST]
    same, others = person_distances(own)
    return {
        "pitch found over true": pitch_slope(poses, truth),
        "fall of the opening at 30 degrees down": down,
        "fall at 30 degrees up": up,
        "rise at 30 degrees aside": turned,
        "rise of the farther eye at 30 degrees aside": side,
        "people compared": float(len(own)),
        "same people beyond person_change": _beyond(same, limits),
        "others beyond person_change": _beyond(others, limits),
        **{f"spread of proportion {n}": float(s) for n, s in enumerate(spread(own))},
    }


def _pose(points: Points) -> tuple[float, float]:
    """Yaw and pitch in degrees of landmarks (98, 2), some of them nan; nan where none fits."""
    known = points[np.isfinite(points).all(axis=1)]
    if not len(known):
        return np.nan, np.nan
    square = square_around_landmarks(known)
    yaw, pitch, _ = np.degrees(head_pose(square.to_crop(points)))
    return float(yaw), float(pitch)


def pitch_slope(found: F64Array, truth: F64Array) -> float:
    """Slope of the pitch found over the true one, of poses (N, 2), without those that are wrong."""
    known = np.isfinite(found).all(axis=1) & (np.abs(truth[:, 0]) < AHEAD_DEG)
    seen, true = found[known, 1], truth[known, 1]
    off = seen - true
    if not len(off):
        return np.nan
    kept = np.abs(off - np.median(off)) < OUTLIER_DEG
    off_true, off_seen = (side[kept] - side[kept].mean() for side in (true, seen))
    square = float(off_true @ off_true)
    return float(off_true @ off_seen) / square if square > 0 else np.nan


def falls(found: Found, poses: F64Array) -> tuple[float, float, float, float]:
    """DOWN, UP, TURNED, SIDE of host.monitor.eyes, by differences within people with open eyes.

    poses: yaw and pitch in degrees as the monitor takes them, (N, 2).
    """
    usable = found.open & (np.abs(poses) < STEEP_DEG).all(axis=1)
    levels, sides = [], []
    for numbers in _people(found):
        kept = np.array([n for n in numbers if usable[n]])
        if len(kept) < FEWEST:
            continue
        logs = np.log([eye_ratios(found.landmarks[n]) for n in kept])
        yaw, pitch = (poses[kept] / 30).T
        bends = np.stack([-np.maximum(pitch, 0) ** 2, -np.minimum(pitch, 0) ** 2, yaw**2,
                          logs.mean(axis=1)], 1)  # fmt: skip
        levels.append(bends - bends.mean(axis=0))
        slants = np.stack([-yaw, (logs[:, 0] - logs[:, 1]) / 2], 1)
        sides.append(slants - slants.mean(axis=0))
    if not levels:
        return (np.nan,) * 4
    table, slants = np.concatenate(levels), np.concatenate(sides)
    down, up, turned = np.linalg.lstsq(table[:, :3], table[:, 3], rcond=None)[0].tolist()
    side = float(slants[:, 0] @ slants[:, 1] / max(slants[:, 0] @ slants[:, 0], 1e-9))
    return down, up, turned, side


def _people(found: Found) -> list[list[int]]:
    return [numbers for _, numbers in by_person(found)]


def _lengths(found: Found, numbers: Sequence[int], frontal: set[int]) -> F64Array:
    """Proportions (K, 10) of the nearly frontal pictures of one person."""
    return np.array([proportions(found.landmarks[n]) for n in numbers if n in frontal])


def spread(people: Sequence[F64Array]) -> F64Array:
    """Scatter (10,) of proportions within people, robust."""
    if not people:
        return np.full(len(SPREAD), np.nan)
    off = np.concatenate([own - np.median(own, axis=0) for own in people])
    return np.asarray(MAD * np.median(np.abs(off), axis=0), np.float64)


def person_distances(people: Sequence[F64Array], seed: int = 0) -> tuple[F64Array, F64Array]:
    """As host.monitor.person: between halves of a person's pictures, and between two people."""
    rng = np.random.default_rng(seed)
    halves = []
    for own in people:
        mixed = rng.permutation(own)
        halves.append((mixed[::2].mean(axis=0), mixed[1::2].mean(axis=0)))
    same = [_distance(*half) for half in halves]
    others = [_distance(halves[n][0], halves[n - 1][1]) for n in range(len(halves))]
    return np.array(same), np.array(others if len(halves) > 1 else [])


def _beyond(distances: F64Array, limits: Thresholds) -> float:
    return float(np.mean(distances > limits.person_change)) if len(distances) else np.nan


def _distance(one: F64Array, other: F64Array) -> float:
    return float(np.sqrt(np.mean(((one - other) / SPREAD) ** 2)))
