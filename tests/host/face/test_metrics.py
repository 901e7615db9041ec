# SPDX-License-Identifier: Apache-2.0
"""Landmark metrics against figures worked out by hand."""

import numpy as np
import pytest

from host.common.errors import UserError
from host.face.metrics import image_errors, measure


def faces(count: int) -> np.ndarray:
    """Landmarks whose inter-ocular distance is 0.5."""
    points = np.random.default_rng(1).random((count, 98, 2))
    points[:, 60], points[:, 72] = (0.25, 0.4), (0.75, 0.4)
    return points


def test_perfect_landmarks():
    result = measure(faces(3), faces(3))
    assert (result.nme, result.failure_rate, result.auc, result.accuracy) == (0, 0, 100, 100)


def test_shift_of_every_point():
    true = faces(2)
    moved = true.copy()
    moved[0, :, 0] += 0.02  # 4 % of the inter-ocular distance
    moved[1, :, 1] -= 0.08  # 16 %
    np.testing.assert_allclose(image_errors(moved, true), [4, 16])
    result = measure(moved, true)
    assert result.nme == pytest.approx(10)
    assert result.accuracy == pytest.approx(90)
    assert result.failure_rate == 50
    assert result.auc == pytest.approx(30)  # mean of 1 - 0.4 and 0


def test_one_wrong_point():
    true = faces(1)
    moved = true.copy()
    moved[0, 5] += (0.3, 0.4)
    np.testing.assert_allclose(image_errors(moved, true), 100 / 98)


def test_shapes_that_differ():
    with pytest.raises(UserError, match=r"\(2, 98, 2\) and \(3, 98, 2\) cannot be compared"):
        measure(faces(2), faces(3))


def test_coinciding_eye_corners():
    true = faces(2)
    true[1, 72] = true[1, 60]
    with pytest.raises(UserError, match="image 1: points 60 and 72 coincide"):
        measure(true, true)
