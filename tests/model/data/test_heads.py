# SPDX-License-Identifier: Apache-2.0
"""Faces turned further to a side."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from host.face.landmarks import COUNT, NOSE_BASE
from model.data.augment import Batch, view
from model.data.heads import LIMIT, MOST, TURNED, random_heads
from model.faces.camera import lift
from model.faces.shape import draw_shape, flat_points, height_field, rotation

FACES = 24
CLOSE = 0.2  #: lengths of a head in the picture: every face is inside
INNER = [*range(51, 60), *range(60, 96)]
"""Nose, eyes and mouth: what is seen at every angle that is tried."""


def solids():
    """Points (FACES, 98, 3) of procedural faces, right, down and towards the viewer."""
    points = []
    for number in range(FACES):
        rng = np.random.default_rng(number)
        shape = draw_shape(rng)
        points.append(lift(flat_points(shape), shape, height_field(shape, rng)))
    return np.stack(points)


def seen(solid, yaw):
    """Landmarks (FACES, 98, 2) of solid heads turned by ``yaw`` (FACES,), fractions."""
    turns = np.stack([rotation(angle, 0.0, 0.0) for angle in yaw])
    flat = np.einsum("bij,bpj->bpi", turns, solid)[..., :2]
    return torch.tensor(0.5 + CLOSE * (flat - flat.mean(1, keepdims=True)), dtype=torch.float32)


def heads_of(landmarks, yaw, further):
    """Heads that are turned further by what is said."""
    known = torch.ones(landmarks.shape[:2], dtype=torch.bool)
    angles = torch.tensor(yaw, dtype=torch.float32)
    heads = random_heads(landmarks, known, angles, torch.Generator().manual_seed(0), 1.0)
    return replace(heads, further=torch.tensor(further, dtype=torch.float32))


@pytest.mark.parametrize("degrees", [-30, 15, 30])
def test_it_comes_close_to_what_a_solid_head_does(degrees):
    """What is missed of the way is less than 40 %, and below 4 % of the eyes' distance."""
    solid, yaw = solids(), np.random.default_rng(1).uniform(0.0, 0.5, FACES) * np.sign(degrees)
    before, after = seen(solid, yaw), seen(solid, yaw + math.radians(degrees))
    found = heads_of(before, yaw, np.full(FACES, math.radians(degrees))).turned(before)

    def shape(points):
        inner = points[:, INNER]
        return inner - inner.mean(1, keepdim=True)

    missed = (shape(found) - shape(after)).norm(dim=2).mean()
    way = (shape(before) - shape(after)).norm(dim=2).mean()
    assert missed / CLOSE < 0.04
    assert missed < 0.4 * way


def test_a_turned_point_comes_from_where_it_was():
    solid, yaw = solids(), np.linspace(-0.4, 0.4, FACES)
    before = seen(solid, yaw)
    heads = heads_of(before, yaw, np.linspace(0.3, -0.3, FACES))
    back = heads.unturned(heads.turned(before))
    torch.testing.assert_close(back[:, INNER], before[:, INNER], rtol=0, atol=2e-3)


def test_the_far_side_narrows_and_the_nose_leads():
    before = seen(solids(), np.zeros(FACES))
    after = heads_of(before, np.zeros(FACES), np.full(FACES, 0.5)).turned(before)
    left, right = ((after[:, b] - after[:, a]).norm(dim=1) for a, b in ((60, 64), (68, 72)))
    assert (right < 0.9 * left).all()
    nose, eyes = after[:, list(NOSE_BASE), 0].mean(1), after[:, [60, 72], 0].mean(1)
    assert (nose > eyes + 0.02 * CLOSE).all()


def test_who_is_turned_and_how_far():
    count = 4000
    landmarks = seen(solids()[:1], np.zeros(1)).expand(count, -1, -1)
    mask = torch.ones(count, COUNT, dtype=torch.bool)
    mask[:100, 16] = False
    yaw = torch.linspace(-1.5, 1.5, count)
    yaw[100:200] = math.nan
    heads = random_heads(landmarks, mask, yaw, torch.Generator().manual_seed(1), 1.0)
    assert not heads.further[:200].any()
    turned = heads.further != 0
    assert turned[yaw.abs() < LIMIT - 0.1].float().mean() == pytest.approx(TURNED, abs=0.03)
    assert heads.further.abs().max() <= MOST
    assert (heads.yaw + heads.further)[turned].abs().max() <= LIMIT
    aside = turned & (yaw.abs() > 0.2)
    assert (torch.sign(heads.further) == torch.sign(yaw))[aside].all()
    front = heads.further[turned & (yaw.abs() < 0.1)]
    assert (front > 0).any()
    assert (front < 0).any()


def test_a_share_of_nothing_moves_nothing():
    before = seen(solids(), np.zeros(FACES))
    mask = torch.ones(FACES, COUNT, dtype=torch.bool)
    heads = random_heads(before, mask, torch.zeros(FACES), torch.Generator().manual_seed(0), 0.0)
    assert torch.equal(heads.turned(before), before)
    assert torch.equal(heads.unturned(before), before)


def test_a_view_turns_points_pixels_and_pose_alike():
    """A spot on the nose stays under its landmark, and the pose tells the turning."""
    landmarks = seen(solids(), np.zeros(FACES))
    at = (torch.arange(240) + 0.5) / 240
    x, y = landmarks[:, 57, 0, None, None], landmarks[:, 57, 1, None, None]
    spots = torch.exp(-((at[None, None] - x) ** 2 + (at[None, :, None] - y) ** 2) / 1e-4)[:, None]
    batch = Batch(
        spots, landmarks, torch.ones(FACES, COUNT, dtype=torch.bool), torch.zeros(FACES, 3),
        torch.zeros(FACES, 6, dtype=torch.bool), torch.ones(FACES), torch.ones(FACES),
    )  # fmt: skip
    after = view(batch, False, 112, torch.Generator().manual_seed(2))
    turned = after.pose[:, 0] != 0
    assert 2 < turned.sum() < FACES - 2
    at = (torch.arange(112) + 0.5) / 112
    weight = after.images[:, 0] / after.images.sum((1, 2, 3))[:, None, None]
    found = torch.stack([(weight.sum(1) * at).sum(1), (weight.sum(2) * at).sum(1)], 1)
    assert (found - after.landmarks[:, 57]).norm(dim=1).max() < 0.012
