# SPDX-License-Identifier: Apache-2.0
"""Eyelids in the labels: true points win, pseudo points are corrected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from host.face.landmarks import LOWER_LIDS, UPPER_LIDS
from model.data import lids
from model.data.crops import from_procedural
from model.data.mixture import Balance, Mixture
from model.data.records import Record
from model.data.registry import merge, merge_tracked, settled
from model.data.scheme68 import to_68
from model.faces.render import Faces


@pytest.fixture
def face(drawn: Faces) -> np.ndarray:
    """Landmarks (98, 2) in pixels."""
    return drawn.landmarks[0].astype(np.float64) * 112


def squeezed(points: np.ndarray, factor: float) -> np.ndarray:
    """The same face with its eyes ``factor`` times as far open."""
    result = points.copy()
    middle = (points[UPPER_LIDS] + points[LOWER_LIDS]) / 2
    way = (points[UPPER_LIDS] - points[LOWER_LIDS]) * factor / 2
    result[UPPER_LIDS], result[LOWER_LIDS] = middle + way, middle - way
    return result


def test_openings_by_hand() -> None:
    points = np.zeros((98, 2))
    points[60], points[64] = (0, 0), (10, 0)
    points[[61, 62, 63]] = [(2, -1), (5, -2), (8, -3)]
    points[[67, 66, 65]] = [(2, 1), (5, 1), (8, 1)]
    assert lids.openings(points)[0] == pytest.approx((2 + 3 + 4) / 3 / 10)


def test_unknown_points_have_no_opening(face: np.ndarray) -> None:
    face[61] = np.nan
    left, right = lids.openings(face)
    assert np.isnan(left)
    assert right > 0


def test_correction_is_the_measured_line(face: np.ndarray) -> None:
    before = lids.openings(face)
    after = lids.openings(lids.corrected(face))
    np.testing.assert_allclose(after, lids.LEVEL + lids.SLOPE * before, rtol=1e-9)
    shut = lids.corrected(squeezed(face, 1e-3))
    assert (lids.openings(shut) < 1e-3).all()


def test_true_lids_win(face: np.ndarray) -> None:
    pseudo = Record(image=Path("a"), points=face, weight=0.5)
    shut = to_68(squeezed(face, 0.1)[None])[0]
    true = Record(image=Path("a"), points=shut)
    merged = merge(true, pseudo)
    assert (lids.openings(merged.points) < 0.5 * lids.openings(face)).all()
    line = merged.points[64] - merged.points[60]
    across = np.array([-line[1], line[0]]) / np.linalg.norm(line)
    ways = merged.points[UPPER_LIDS] - merged.points[LOWER_LIDS]
    expected = [(shut[upper] - shut[lower]) @ across for upper, lower in lids.SLITS_68[0]]
    assert (ways @ across)[[0, 2]] == pytest.approx(expected)
    assert (merged.weight, merged.lids) == (0.5, 1.0)


def test_tracked_lids_do_not(face: np.ndarray) -> None:
    pseudo = Record(image=Path("a"), points=face, weight=0.5)
    true = Record(image=Path("a"), points=to_68(squeezed(face, 0.1)[None])[0])
    merged = merge_tracked(true, pseudo)
    np.testing.assert_allclose(merged.points[60:76], lids.corrected(face)[60:76])
    assert merged.lids == settled(pseudo).lids == lids.PSEUDO_LIDS
    assert merge_tracked(true, None).lids == lids.PSEUDO_LIDS


def test_rare_faces_come_again(drawn: Faces) -> None:
    crops = from_procedural(drawn)
    count = len(crops)
    marks = crops.landmarks.astype(np.float64)
    shut, winking = squeezed(marks[0], 0.05), squeezed(marks[1], 0.05)
    winking[68:76] = marks[1][68:76]
    marks[0], marks[1] = shut, winking
    pose = np.zeros((count, 3), np.float32)
    pose[2] = (1.0, 0, 0)
    crops = replace(crops, landmarks=marks.astype(np.float32), pose=pose)
    balance = Balance(closed=3, winking=5, turned=2)
    expected = np.where(np.arange(count) < 3, [3, 5, 2, *[1] * (count - 3)], 1)
    plain = (lids.openings(marks)[3:] < lids.CLOSED).any()
    assert not plain, "the drawn faces are awake"
    np.testing.assert_array_equal(balance.times(crops), expected)
    order = Mixture((crops,), (1.0,), balance).order(0, 0)
    np.testing.assert_array_equal(np.bincount(order[:, 1]), expected)
