# SPDX-License-Identifier: Apache-2.0
"""Faces turned further to a side, as faces of large poses are rare in every data set.

After Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016, who turn a fitted
face model. Here a head is simpler: across, each of its rows is half a circle, narrower towards the
chin, with a nose in front. What the turning hides is gone, and points on it stay on the outline, as
the annotations have them; what it uncovers is the outline smeared. All points are fractions of the
picture. Lengths of a head are in distances from between the eyes to the chin, which turning keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from host.face.landmarks import LEFT_EYE, RIGHT_EYE

TURNED = 0.3  #: share of the faces that are turned further
MOST = math.radians(35)  #: by so much at most
LIMIT = math.radians(75)  #: yaw that no face is turned beyond
FRONTAL = math.radians(8)  #: a face turned by less goes to either side, another further to its own
CORNERS = (LEFT_EYE[0], LEFT_EYE[4], RIGHT_EYE[0], RIGHT_EYE[4])
CHIN, TIP = 16, 54  #: landmarks
WIDE = 0.64  #: half of the head's width at the eyes
CROWN = 0.95  #: the head's height above the eyes
ROUND = 2.4  #: exponent of its outline, 2 is an ellipse
NARROWEST = 0.12  #: half width where the outline ends
JAW = (0.08, 0.45)  #: how far the chin is in front of the ears: along the jaw, and at its end
EYES = 0.5  #: how far the place between the eyes is in front of the ears
NOSE = 0.2  #: how far its tip is in front of the round face
NOSE_SIZE = (0.11, 0.14)  #: standard deviations, across and down
STEPS = 12  #: of the search for the place where a point of the nose is seen


@dataclass(frozen=True)
class Heads:
    """B heads in their pictures, and by how much each is turned further."""

    middle: Tensor
    """(B, 2): between the eyes."""
    down: Tensor
    """(B, 2): from there to the chin."""
    tip: Tensor
    """(B, 2): across and down, of the nose's tip from the middle, lengths of the head."""
    yaw: Tensor
    """(B,) radians, positive to the picture's right, as it is."""
    further: Tensor
    """(B,) radians that are added; where it is 0 nothing moves."""

    def turned(self, points: Tensor) -> Tensor:
        """Where points (B, N, 2) are seen after the turning."""
        across, down = self._own(points)
        radius, before, after = self._rows(down)
        angle = torch.asin(((across - before) / radius).clamp(-1, 1)) + self._further()
        on_head = after + radius * torch.sin(angle.clamp(-math.pi / 2, math.pi / 2))
        reached = torch.where(
            (across - before).abs() < radius,
            on_head,
            across + self._beside(across - before, radius, before, after),
        )
        seen = reached
        for _ in range(STEPS):
            seen = reached + self._nose(seen, down)
        return self._picture(seen, down, points)

    def unturned(self, points: Tensor) -> Tensor:
        """From where points (B, N, 2) of the turned picture come."""
        across, down = self._own(points)
        across = across - self._nose(across, down)
        radius, before, after = self._rows(down)
        angle = torch.asin(((across - after) / radius).clamp(-1, 1)) - self._further()
        on_head = before + radius * torch.sin(angle.clamp(-math.pi / 2, math.pi / 2))
        source = torch.where(
            (across - after).abs() < radius,
            on_head,
            across - self._beside(across - after, radius, before, after),
        )
        return self._picture(source, down, points)

    def _further(self) -> Tensor:
        return self.further[:, None]

    def _axes(self) -> tuple[Tensor, Tensor, Tensor]:
        length = self.down.norm(dim=1, keepdim=True).clamp_min(1e-3)
        down = self.down / length
        return torch.stack([down[:, 1], -down[:, 0]], 1)[:, None], down[:, None], length

    def _own(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Across and down (B, N), from the middle, in lengths of the head."""
        right, down, length = self._axes()
        away = (points - self.middle[:, None]) / length[..., None]
        return (away * right).sum(-1), (away * down).sum(-1)

    def _picture(self, across: Tensor, down: Tensor, points: Tensor) -> Tensor:
        """Fractions of the picture; the ``points`` themselves of heads that are not turned."""
        right, ahead, length = self._axes()
        found = across[..., None] * right + down[..., None] * ahead
        found = self.middle[:, None] + found * length[..., None]
        return torch.where((self.further == 0)[:, None, None], points, found)

    def _rows(self, down: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Half width of the head, and the middle of its row before and after the turning."""
        share = torch.where(down < 0, -down / CROWN, down / 1.02).clamp(0, 1)
        radius = WIDE * (1 - share**ROUND) ** (1 / ROUND)
        chin = down.clamp(0, 1.02)
        front = JAW[0] * chin + JAW[1] * chin**4
        yaw = self.yaw[:, None]
        axis = -EYES * torch.sin(yaw)
        before = axis + front * torch.sin(yaw)
        after = axis + front * torch.sin(yaw + self._further())
        return radius.clamp_min(NARROWEST), before, after

    def _beside(self, away: Tensor, radius: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """How far a point beside the head moves along, less and less away from it."""
        return (after - before) * torch.exp(-(away.abs() - radius).clamp_min(0) / (0.5 * WIDE))

    def _nose(self, across: Tensor, down: Tensor) -> Tensor:
        """How much further than the round face the nose moves that is seen at these points."""
        yaw = self.yaw[:, None]
        step = torch.sin(yaw + self._further()) - torch.sin(yaw)
        radius, before, after = self._rows(self.tip[:, 1:])
        base = self.tip[:, :1] - NOSE * torch.sin(yaw)
        angle = torch.asin(((base - before) / radius).clamp(-1, 1)) + self._further()
        at = after + radius * torch.sin(angle.clamp(-math.pi / 2, math.pi / 2))
        at = at + NOSE * torch.sin(yaw + self._further())
        wide, high = NOSE_SIZE
        return (
            NOSE
            * step
            * torch.exp(-(((across - at) / wide) ** 2 + ((down - self.tip[:, 1:]) / high) ** 2) / 2)
        )


def random_heads(
    landmarks: Tensor, mask: Tensor, yaw: Tensor, random: torch.Generator, share: float
) -> Heads:
    """Heads for faces with ``landmarks`` (B, 98, 2) that are known where ``mask`` (B, 98) is set.

    yaw: (B,) radians, nan where unknown. share: 1 turns the usual part of the faces, 0 none. Faces
    with an unknown yaw, corner of an eye, chin or tip of the nose are not turned.
    """
    count, device = len(landmarks), landmarks.device
    drawn = torch.rand((3, count), generator=random, device=device)
    known = mask[:, [*CORNERS, CHIN, TIP]].all(1) & yaw.isfinite()
    yaw = torch.nan_to_num(yaw)
    side = torch.where(yaw.abs() < FRONTAL, torch.sign(drawn[0] - 0.5), torch.sign(yaw))
    most = (LIMIT - yaw * side).clamp(0, MOST)
    turns = known & (drawn[1] < TURNED * share)
    further = torch.where(turns, side * most * drawn[2], torch.zeros_like(yaw))
    middle = landmarks[:, list(CORNERS)].mean(1)
    heads = Heads(middle, landmarks[:, CHIN] - middle, torch.zeros_like(middle), yaw, further)
    across, down = heads._own(landmarks[:, TIP, None])
    return replace(heads, tip=torch.cat([across, down], 1))
