# SPDX-License-Identifier: Apache-2.0
"""Random changes of training batches: mirror, turn, zoom, shift, grey levels, noise, patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from model.landmarks import MIRROR


def augment(
    images: Tensor, landmarks: Tensor, pose: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Changed copies of a batch.

    images: (B, 1, S, S) in 0..1; landmarks: (B, 98, 2) fractions; pose: (B, 3) radians.
    generator: the only source of randomness.
    """
    images, landmarks, pose = flip(images, landmarks, pose, generator)
    images, landmarks, pose = move(images, landmarks, pose, generator)
    return patch(grey_levels(images, generator), generator), landmarks, pose


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    """(count, 1, 1, 1) numbers between ``low`` and ``high``."""
    return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)


def flip(
    images: Tensor, landmarks: Tensor, pose: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror about half of the images left to right."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    mirrored = landmarks[:, torch.from_numpy(MIRROR)] * torch.tensor([-1.0, 1.0])
    mirrored = mirrored + torch.tensor([1.0, 0.0])
    images = torch.where(chosen[:, None, None, None], images.flip(3), images)
    landmarks = torch.where(chosen[:, None, None], mirrored, landmarks)
    return images, landmarks, torch.where(chosen[:, None], pose * torch.tensor([-1.0, 1, -1]), pose)


def move(
    images: Tensor,
    landmarks: Tensor,
    pose: Tensor,
    generator: torch.Generator,
    turn: float = 0.2,
    zoom: float = 0.12,
    shift: float = 0.06,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotate (radians), zoom and shift (fractions) each image by up to the given amounts."""
    count = len(images)
    angle = _uniform(generator, count, -turn, turn).view(count)
    scale = 1 + _uniform(generator, count, -zoom, zoom).view(count)
    offset = shift * (2 * torch.rand(count, 2, generator=generator) - 1)
    cos, sin = angle.cos(), angle.sin()
    forward = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    forward = forward * scale[:, None, None]
    inverse = forward.transpose(1, 2) / scale[:, None, None] ** 2
    # a result point p shows the source point inverse @ (p - offset), both from the middle;
    # grid_sample counts from -1 to 1, hence the factor 2
    theta = torch.cat([inverse, -2 * inverse @ offset[:, :, None]], 2)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    images = grid_sample(images, grid, padding_mode="border", align_corners=False)
    landmarks = (landmarks - 0.5) @ forward.transpose(1, 2) + offset[:, None] + 0.5
    return images, landmarks, pose + torch.stack([0 * angle, 0 * angle, angle], 1)


def grey_levels(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change exposure, contrast and sharpness, and add noise."""
    count = len(images)
    images = images.clamp(1e-3, 1) ** _uniform(generator, count, -0.45, 0.45).exp()
    middle = images.mean((2, 3), keepdim=True)
    images = middle + (images - middle) * _uniform(generator, count, 0.55, 1.4)
    images = images + _uniform(generator, count, -0.15, 0.15)
    blurred = avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = images + (blurred - images) * _uniform(generator, count, -0.6, 1.0)
    noise = torch.randn(images.shape, generator=generator)
    return (images + noise * _uniform(generator, count, 0, 0.02)).clamp(0, 1)


def patch(images: Tensor, generator: torch.Generator, share: float = 0.3) -> Tensor:
    """Cover a rectangle of about ``share`` of the images with one grey level."""
    count, side = len(images), images.shape[-1]
    at = torch.arange(side)[None] / side
    masks = []
    for _ in range(2):
        middle = _uniform(generator, count, 0, 1).view(count, 1)
        half = _uniform(generator, count, 0.04, 0.18).view(count, 1)
        masks.append((at - middle).abs() < half)
    chosen = _uniform(generator, count, 0, 1) < share
    cover = masks[0][:, None, :, None] & masks[1][:, None, None, :] & chosen
    return torch.where(cover, _uniform(generator, count, 0, 1), images)
