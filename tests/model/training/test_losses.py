# SPDX-License-Identifier: Apache-2.0
"""Losses against figures worked out by hand."""

import numpy as np
import pytest
import torch

from host.common.errors import UserError
from model.training.losses import (
    LOSSES,
    adaptive_wing,
    angle_error,
    attribute_weights,
    lid_loss,
    point_loss,
    size_weights,
    wing,
)


def test_wing_by_hand():
    found = wing(torch.tensor([2.0, 20.0]), width=10, bend=2)
    np.testing.assert_allclose(found, [10 * np.log(2), 20 - (10 - 10 * np.log(6))], rtol=1e-6)


def test_adaptive_wing_is_smooth_where_its_branches_meet():
    at = torch.tensor([2.5 - 1e-3, 2.5 + 1e-3], requires_grad=True)
    value = adaptive_wing(at, torch.tensor([0.4, 0.4]))
    assert (value[1] - value[0]).item() == pytest.approx(0, abs=0.02)
    (slopes,) = torch.autograd.grad(value.sum(), at)
    assert slopes[0] == pytest.approx(float(slopes[1]), rel=1e-2)
    assert adaptive_wing(torch.zeros(1), torch.zeros(1)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
def test_unknown_points_do_not_count(kind):
    true, found = torch.zeros(2, 98, 2), torch.full((2, 98, 2), 0.02)
    mask = torch.ones(2, 98, dtype=torch.bool)
    whole = point_loss(kind, found, true, mask, 100)
    found[0, 50:] = 9.0
    mask[0, 50:] = False
    torch.testing.assert_close(point_loss(kind, found, true, mask, 100), whole)
    mask[1] = False
    assert point_loss(kind, found, true, mask, 100)[1] == 0


def test_unknown_loss():
    zeros = torch.zeros(1, 98, 2)
    with pytest.raises(UserError, match="loss 'l1' is unknown; use one of wing"):
        point_loss("l1", zeros, zeros, torch.ones(1, 98, dtype=torch.bool), 112)


def test_lids_too_far_apart_cost_and_a_shifted_eye_does_not():
    true, mask = torch.rand(2, 98, 2), torch.ones(2, 98, dtype=torch.bool)
    found = true + 0.3
    torch.testing.assert_close(lid_loss(found, true, mask, 100), torch.zeros(2), atol=1e-3, rtol=0)
    found[0, [61, 71], 1] -= 0.02  # an upper lid of each eye, by two pixels
    expected = 2 * wing(torch.tensor(2.0)).item() / 2 / 6
    np.testing.assert_allclose(lid_loss(found, true, mask, 100), [expected, 0], atol=1e-3)
    mask[0, 61] = mask[0, 73] = False  # 61 and 67, 71 and 73 are pairs
    assert lid_loss(found, true, mask, 100)[0] == pytest.approx(0, abs=1e-3)


def test_angle_error_ignores_unknown_angles():
    true = torch.tensor([[0.0, 0.0, 0.0], [float("nan")] * 3])
    found = torch.tensor([[np.pi / 2, 0.0, np.pi], [1.0, 2.0, 3.0]])
    torch.testing.assert_close(angle_error(found, true), torch.tensor([3.0, 0.0]))


def test_rare_attributes_count_more():
    shares = torch.tensor([0.5, 0.25, 0.0, 0.0, 0.0, 0.0])
    flags = torch.tensor([[0, 0], [1, 0], [1, 1]]).bool()
    flags = torch.cat([flags, torch.zeros(3, 4, dtype=torch.bool)], 1)
    np.testing.assert_allclose(attribute_weights(flags, shares), [1 / 3, 1, 7 / 3])


def test_size_weights_follow_the_eye_corners():
    points, mask = torch.zeros(3, 98, 2), torch.ones(3, 98, dtype=torch.bool)
    points[:, 72, 0] = torch.tensor([0.5, 0.4, 0.1])
    np.testing.assert_allclose(size_weights(points, mask), [1, 1.25, 1.8])
    mask[1, 60] = False
    assert size_weights(points, mask)[1] == 1
