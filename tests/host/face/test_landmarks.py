# SPDX-License-Identifier: Apache-2.0
"""The scheme of the 98 points."""

import numpy as np

from host.face import landmarks as scheme


def test_groups_cover_every_point_once():
    groups = (
        scheme.CONTOUR,
        scheme.LEFT_BROW,
        scheme.RIGHT_BROW,
        scheme.NOSE_RIDGE,
        scheme.NOSE_BASE,
        scheme.LEFT_EYE,
        scheme.RIGHT_EYE,
        scheme.OUTER_LIPS,
        scheme.INNER_LIPS,
        (scheme.LEFT_PUPIL, scheme.RIGHT_PUPIL),
    )
    assert sorted(i for group in groups for i in group) == list(range(scheme.COUNT))


def test_mirror_table_is_its_own_inverse():
    assert (scheme.MIRROR[scheme.MIRROR] == np.arange(98)).all()


def test_mirror_swaps_the_groups():
    pairs = ((scheme.LEFT_BROW, scheme.RIGHT_BROW), (scheme.LEFT_EYE, scheme.RIGHT_EYE))
    for left, right in pairs:
        assert set(scheme.MIRROR[list(left)]) == set(right)
    for own in (scheme.CONTOUR, scheme.OUTER_LIPS, scheme.INNER_LIPS, scheme.NOSE_BASE):
        assert set(scheme.MIRROR[list(own)]) == set(own)


def test_mirror_of_landmarks_reflects_about_the_middle():
    points = np.random.default_rng(0).random((3, 98, 2))
    flipped = scheme.mirror(points)
    np.testing.assert_array_equal(flipped[:, 72, 0], 1 - points[:, 60, 0])
    np.testing.assert_array_equal(flipped[:, 72, 1], points[:, 60, 1])
    np.testing.assert_allclose(scheme.mirror(flipped), points, rtol=0, atol=1e-15)


def test_inter_ocular_is_the_distance_of_the_outer_corners():
    points = np.zeros((2, 98, 2))
    points[1, 60], points[1, 72] = (0.1, 0.2), (0.4, 0.6)
    np.testing.assert_allclose(scheme.inter_ocular(points), [0, 0.5])
