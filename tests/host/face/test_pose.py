# SPDX-License-Identifier: Apache-2.0
"""Angles of the head: exact on the template, close on procedural faces."""

import numpy as np
import pytest

from host.face.landmarks import mirror
from host.face.pose import DISTANCE, TEMPLATE, TEMPLATE_POINTS, euler_angles, head_pose
from model.faces.render import make_faces
from model.faces.shape import rotation


def photographed(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Landmarks (98, 2) of the turned template; points outside of it are at the middle."""
    solid = 0.5 * TEMPLATE @ rotation(yaw, pitch, roll).T
    depth = DISTANCE - solid[:, 2]
    points = np.full((98, 2), 0.5)
    points[list(TEMPLATE_POINTS)] += DISTANCE * solid[:, :2] / depth[:, None]
    return points


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.6, 0.1, 0.2), (-0.8, -0.3, -0.4), (0.1, 0.5, 0)])
def test_template_gives_its_angles(angles):
    np.testing.assert_allclose(euler_angles(rotation(*angles)), angles, atol=1e-12)
    np.testing.assert_allclose(head_pose(photographed(*angles)), angles, atol=1e-3)


def test_mirrored_face_turns_the_other_way():
    angles = head_pose(photographed(0.4, 0.2, 0.1))
    flipped = head_pose(mirror(photographed(0.4, 0.2, 0.1)))
    np.testing.assert_allclose(flipped, angles * (-1, 1, -1), atol=1e-2)


def test_procedural_faces():
    faces = make_faces(12, 5)
    found = np.stack([head_pose(points) for points in faces.landmarks])
    errors = np.degrees(np.abs(found - faces.pose))
    assert np.median(errors, axis=0).max() < 7
    assert np.corrcoef(found[:, 0], faces.pose[:, 0])[0, 1] > 0.95


def test_unknown_points_give_no_angles():
    points = photographed(0, 0, 0)
    points[16] = np.nan
    assert np.isnan(head_pose(points)).all()
