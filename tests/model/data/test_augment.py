# SPDX-License-Identifier: Apache-2.0
"""Augmentation keeps points and masks on their pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from host.face.crop import LANDMARK_MARGIN
from host.face.landmarks import MIRROR, mirror
from model.data.augment import (
    Batch,
    augment,
    covered,
    flip,
    light,
    motion_blur,
    noise,
    rectangle,
    sharpness,
    view,
)
from model.data.bend import random_field, seen_at


def batch_of(landmarks, images=None, size=112):
    count = len(landmarks)
    return Batch(
        torch.zeros(count, 1, size, size) if images is None else images,
        landmarks,
        torch.ones(count, 98, dtype=torch.bool),
        torch.zeros(count, 3),
        torch.zeros(count, 6, dtype=torch.bool),
        torch.ones(count),
        torch.ones(count),
    )


def spots(landmarks, size=112):
    """Images with one small bright Gaussian spot at each first landmark."""
    at = (torch.arange(size) + 0.5) / size
    x, y = landmarks[:, 0, 0, None, None], landmarks[:, 0, 1, None, None]
    return torch.exp(-((at[None, None] - x) ** 2 + (at[None, :, None] - y) ** 2) / 4e-4)[:, None]


def centres(images):
    """Centre of mass of each image, as fractions."""
    at = (torch.arange(images.shape[-1]) + 0.5) / images.shape[-1]
    total = images.sum((1, 2, 3))
    x = (images.sum((1, 2)) * at).sum(1) / total
    return torch.stack([x, (images.sum((1, 3)) * at).sum(1) / total], 1)


def faces_with_spots(count=8):
    """A first point near the middle, others spread, so that the box is a large part."""
    generator = torch.Generator().manual_seed(0)
    landmarks = 0.2 + 0.6 * torch.rand(count, 98, 2, generator=generator)
    landmarks[:, 0] = 0.4 + 0.2 * torch.rand(count, 2, generator=generator)
    return batch_of(landmarks, spots(landmarks))


@pytest.mark.parametrize("framed", [True, False])
def test_view_moves_points_with_the_pixels(framed):
    before = faces_with_spots()
    after = view(before, framed, 112, torch.Generator().manual_seed(1))
    assert (after.landmarks[:, 0] - before.landmarks[:, 0]).abs().max() > 0.02
    torch.testing.assert_close(centres(after.images), after.landmarks[:, 0], rtol=0, atol=3e-3)


def test_flip_moves_points_with_the_pixels():
    before = faces_with_spots()
    before = replace(before, landmarks=before.landmarks[:, :1].expand(8, 98, 2))
    after = flip(before, torch.Generator().manual_seed(0))
    torch.testing.assert_close(centres(after.images), after.landmarks[:, 0], rtol=0, atol=2e-3)


def test_plain_view_frames_the_known_points():
    before = faces_with_spots(4)
    mask = before.mask.clone()
    mask[:, 50:] = False
    seen = view(replace(before, mask=mask), False, 112)
    known = seen.landmarks[:, :50]
    side = (known.amax(1) - known.amin(1)).amax(1)
    torch.testing.assert_close(side, torch.full_like(side, 1 / LANDMARK_MARGIN), rtol=0, atol=1e-5)
    middle = (known.amax(1) + known.amin(1)) / 2
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5), rtol=0, atol=1e-5)


def test_plain_view_of_a_framed_picture_changes_nothing():
    before = faces_with_spots(2)
    seen = view(before, True, 112)
    torch.testing.assert_close(seen.images, before.images, rtol=0, atol=1e-5)
    torch.testing.assert_close(seen.landmarks, before.landmarks)


def test_flip_uses_the_mirror_table():
    generator = torch.Generator().manual_seed(0)
    before = batch_of(torch.rand(8, 98, 2, generator=generator), size=4)
    mask = torch.rand(8, 98, generator=generator) < 0.5
    before = replace(before, mask=mask, pose=torch.ones(8, 3))
    after = flip(before, generator)
    changed = (after.landmarks != before.landmarks).flatten(1).any(1)
    assert 0 < changed.sum() < 8
    expected = torch.from_numpy(mirror(before.landmarks.numpy()))
    torch.testing.assert_close(after.landmarks[changed], expected[changed])
    assert torch.equal(after.mask[changed], mask[:, torch.from_numpy(MIRROR)][changed])
    assert torch.equal(after.mask[~changed], mask[~changed])
    assert after.pose[changed].tolist() == [[-1, 1, -1]] * int(changed.sum())


def test_view_turns_the_pose():
    landmarks = torch.full((64, 98, 2), 0.5)
    # shearing along x leaves this arm's stretch; it is long, so that bending hardly turns it
    landmarks[:, :2, 1] = torch.tensor([0.25, 0.75])
    seen = view(batch_of(landmarks, size=8), True, 8, torch.Generator().manual_seed(0))
    arm = seen.landmarks[:, 1] - seen.landmarks[:, 0]
    turned = torch.atan2(-arm[:, 0], arm[:, 1])
    assert np.corrcoef(turned, seen.pose[:, 2])[0, 1] > 0.95
    assert seen.pose[:, 2].abs().max() < 0.51


@pytest.mark.parametrize("change", [light, sharpness, noise, covered])
def test_grey_levels_stay_in_range(change):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(16, 1, 32, 32, generator=generator)
    changed = change(images, generator)
    assert changed.shape == images.shape
    assert (changed != images).any()
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_motion_blur_keeps_the_mean_and_smears_along_a_line():
    images = torch.zeros(32, 1, 31, 31)
    images[:, :, 15, 15] = 1
    smeared = motion_blur(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(smeared.sum((1, 2, 3)), torch.ones(32))
    rows, columns = (smeared[:, 0] > 0.01).any(2).sum(1), (smeared[:, 0] > 0.01).any(1).sum(1)
    assert (rows >= 5).any()
    assert (columns >= 5).any()
    assert (smeared.amax((1, 2, 3)) < 0.7).any()


def test_rectangles_are_in_a_share_of_the_pictures_and_as_large_as_asked():
    images = torch.zeros(2000, 1, 40, 40)
    chosen = rectangle(images, torch.Generator().manual_seed(0), 0.3, 0.25)
    assert chosen.any((1, 2, 3)).float().mean() == pytest.approx(0.3, abs=0.03)
    sides = torch.stack([chosen.any(axis).sum(2) for axis in (2, 3)])
    assert 17 <= sides.max() <= 20
    assert torch.equal(chosen.sum((1, 2, 3)), sides[0, :, 0] * sides[1, :, 0])


def test_faces_are_covered_by_others_and_by_grey_but_not_past_their_middle():
    """Pictures of one level each: what covers one shows by its level."""
    levels = torch.arange(2000).view(-1, 1, 1, 1) / 4000 + 0.5
    seen = covered(levels.expand(-1, 1, 33, 33), torch.Generator().manual_seed(0))
    hidden = (seen - levels).abs() > 1e-6
    assert hidden.any((1, 2, 3)).float().mean() == pytest.approx(1 - 0.7**2 * 0.875, abs=0.05)
    beside = (seen - levels.roll(1, 0)).abs() < 1e-6
    before = (seen - levels.roll(2, 0)).abs() < 1e-6
    assert beside.any((1, 2, 3)).float().mean() == pytest.approx(0.3, abs=0.05)
    assert before.any((1, 2, 3)).float().mean() == pytest.approx(0.125 * 0.7, abs=0.03)
    large = hidden.float().mean((1, 2, 3)) > 0.36  # more than the two rectangles together
    assert 0 < large.float().mean() < 0.125
    assert hidden.float().mean((1, 2, 3)).max() < 0.85
    unchanged = covered(levels.expand(-1, 1, 33, 33), torch.Generator().manual_seed(0), 0.0)
    assert torch.equal(unchanged, levels.expand(-1, 1, 33, 33))


def test_same_generator_same_changes():
    before = faces_with_spots()
    one, two = (augment(before, False, 64, torch.Generator().manual_seed(3)) for _ in range(2))
    for first, second in zip(one.tensors(), two.tensors(), strict=True):
        assert torch.equal(first, second)
    assert one.images.shape == (8, 1, 64, 64)


def bent(count=8):
    """A field for faces whose eyes lie where a frontal face has them."""
    landmarks = torch.rand(count, 98, 2, generator=torch.Generator().manual_seed(3))
    angles = torch.arange(8) * torch.pi / 4 + torch.pi
    ring = torch.stack([0.1 * angles.cos(), 0.03 * angles.sin()], 1)
    landmarks[:, 60:68] = ring + torch.tensor([0.3, 0.4])
    landmarks[:, 68:76] = ring + torch.tensor([0.7, 0.4])
    mask = torch.ones(count, 98, dtype=torch.bool)
    mask[0, 61] = False
    return landmarks, mask, random_field(landmarks, mask, torch.Generator().manual_seed(5), 1.0)


def test_a_bent_point_is_seen_where_its_pixel_is():
    landmarks, _, field = bent()
    seen = seen_at(landmarks, field)
    source = seen + field(seen[:, None])[:, 0]
    torch.testing.assert_close(source, landmarks, rtol=0, atol=1e-3)


def test_lids_move_only_where_the_eye_is_known():
    landmarks, _, field = bent(64)
    moved = field.push != 0
    assert not moved[0, 0]
    assert 0.2 < moved.float().mean() < 0.6
    field = replace(field, knots=torch.zeros_like(field.knots))

    def openings(landmarks):
        upper, lower = landmarks[:, [62, 70]], landmarks[:, [66, 74]]
        return (lower - upper)[..., 1]

    ratio = openings(seen_at(landmarks, field)) / openings(landmarks)
    torch.testing.assert_close(ratio[~moved], torch.ones(int((~moved).sum())))
    expected = 1 / (1 + field.push[moved])
    assert torch.corrcoef(torch.stack([ratio[moved], expected]))[0, 1] > 0.99
    assert (ratio[moved] - expected).abs().max() < 0.15


def test_no_strength_bends_nothing():
    landmarks, mask, _ = bent()
    field = random_field(landmarks, mask, torch.Generator().manual_seed(0), 0.0)
    assert not field(landmarks[:, None]).any()
