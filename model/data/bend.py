# SPDX-License-Identifier: Apache-2.0
"""Smooth random deformations of a face, and eyes that open and close.

A deformation is a field: what is seen at the point r comes from the point r + field(r). All points
are fractions of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from host.face.landmarks import LEFT_EYE, RIGHT_EYE

KNOTS = 7  #: of the smooth part, along each side of the picture
BEND = 0.022  #: largest standard deviation of a knot's displacement, fractions of the picture
BLINK = (-0.35, 1.0)  #: least and most push of the lids: the opening is divided by about 1 + push
BLINKING = 0.4  #: share of the eyes that are pushed
REACH = 0.35  #: standard deviation of the push around the middle of an eye, widths of the eye
NARROW = 0.02  #: narrowest width of an eye that the reach is computed from
STEPS = 20  #: of the search for the place where a point is seen


@dataclass(frozen=True)
class Field:
    """Displacements of B pictures."""

    knots: Tensor
    """(B, 2, KNOTS, KNOTS): right and down, of points spread evenly over the picture."""
    middles: Tensor
    """(B, 2, 2): of the left and the right eye."""
    across: Tensor
    """(B, 2, 2): from corner to corner of each eye."""
    push: Tensor
    """(B, 2): how strongly the lids move, 0 for not at all; above -1 and below 2.2, where the
    field would fold the picture."""

    def __call__(self, points: Tensor) -> Tensor:
        """Displacements (B, H, W, 2) at points (B, H, W, 2)."""
        smooth = grid_sample(
            self.knots, 2 * points - 1, "bicubic", padding_mode="border", align_corners=True
        )
        moved = smooth.permute(0, 2, 3, 1)
        for eye in range(2):
            width = self.across[:, eye].norm(dim=1).clamp_min(NARROW)[:, None, None]
            right = self.across[:, eye, None, None] / width[..., None]
            down = torch.stack([-right[..., 1], right[..., 0]], -1)
            away = points - self.middles[:, eye, None, None]
            near = torch.exp(-(away.square().sum(-1)) / (2 * (REACH * width) ** 2))
            strength = self.push[:, eye, None, None] * (away * down).sum(-1) * near
            moved = moved + strength[..., None] * down
        return moved


def random_field(
    landmarks: Tensor, mask: Tensor, random: torch.Generator, strength: float
) -> Field:
    """A field for faces with ``landmarks`` (B, 98, 2) that are known where ``mask`` (B, 98) is set.

    strength: 1 is the usual, 0 moves nothing. The lids of an eye with unknown points stay.
    """
    count, device = len(landmarks), landmarks.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, device=device)

    size = BEND * strength * uniform(count, 1, 1, 1)
    knots = torch.randn((count, 2, KNOTS, KNOTS), generator=random, device=device) * size
    corners = landmarks[:, [LEFT_EYE[0], LEFT_EYE[4], RIGHT_EYE[0], RIGHT_EYE[4]]]
    corners = corners.view(count, 2, 2, 2)
    eyes = [LEFT_EYE, RIGHT_EYE]
    known = torch.stack([mask[:, list(eye)].all(1) for eye in eyes], 1)
    push = strength * (BLINK[0] + (BLINK[1] - BLINK[0]) * uniform(count, 2))
    moving = (uniform(count, 2) < BLINKING) & known
    return Field(
        knots,
        torch.stack([landmarks[:, list(eye)].mean(1) for eye in eyes], 1),
        corners[:, :, 1] - corners[:, :, 0],
        torch.where(moving, push, torch.zeros_like(push)),
    )


def seen_at(points: Tensor, field: Field) -> Tensor:
    """Where points (B, N, 2) of the undeformed picture are seen, (B, N, 2)."""
    seen = points
    for _ in range(STEPS):
        seen = seen + 0.5 * (points - seen - field(seen[:, None])[:, 0])
    return seen


def pixel_centres(size: int, device: torch.device) -> Tensor:
    """Middles of the pixels of a square picture, (1, size, size, 2)."""
    at = (torch.arange(size, device=device) + 0.5) / size
    return torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)[None]
