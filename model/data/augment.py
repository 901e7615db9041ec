# SPDX-License-Identifier: Apache-2.0
"""Random views of faces: mirrored, turned, sheared, bent, framed anew, other light, blur, patches.

Everything happens on a whole batch at once, on the device of the batch and of the generator, which
must be the same. Points and their masks follow the pixels. The network
sees grey pictures, hence saturation and hue appear only as what they do to grey: another tone
curve, contrast and brightness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, grid_sample

from host.face.crop import LANDMARK_MARGIN
from host.face.landmarks import MIRROR
from model.data.bend import pixel_centres, random_field, seen_at

TURN = math.radians(13)  #: standard deviation of the rotation, which ends at 2.2 times this
SHEAR, STRETCH = 0.1, 0.08
ZOOM = 0.18  #: most that the square's size misses, natural logarithm
SHIFT = (0.18, 0.1)  #: most that its place misses, sides to the right and down
# host.face.detect on 1,020 training faces, 2nd to 98th percentile: size -0.26 to 0.15, right -0.20
# to 0.21, down -0.08 to 0.08
MOTION = 7  #: pixels of the longest motion blur


@dataclass(frozen=True)
class Batch:
    """Faces with what is known about them; all tensors have B as their first dimension."""

    images: Tensor
    """(B, 1, S, S) in 0..1."""
    landmarks: Tensor
    """(B, 98, 2), fractions of the image."""
    mask: Tensor
    """(B, 98) bool, which points are known."""
    pose: Tensor
    """(B, 3) yaw, pitch and roll in radians, nan where unknown."""
    attributes: Tensor
    """(B, 6) bool."""
    weights: Tensor
    """(B,) weights in the loss."""
    lids: Tensor
    """(B,) weights of the eyelids' term."""

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the fields."""
        return (
            self.images,
            self.landmarks,
            self.mask,
            self.pose,
            self.attributes,
            self.weights,
            self.lids,
        )

    def part(self, chosen: slice | Tensor) -> Batch:
        """Some of the faces, by a slice or by their numbers."""
        return Batch(*(t[chosen] for t in self.tensors()))

    def to(self, device: torch.device) -> Batch:
        """The batch on ``device``."""
        return Batch(*(t.to(device) for t in self.tensors()))


def join(batches: list[Batch]) -> Batch:
    """The faces of all batches, in order."""
    return Batch(*(torch.cat(t) for t in zip(*(b.tensors() for b in batches), strict=True)))


def augment(
    batch: Batch, framed: bool, size: int, generator: torch.Generator, strength: float = 1.0
) -> Batch:
    """Changed copies of the faces, pictures (B, 1, size, size).

    framed: see :func:`view`. generator: the only source of randomness. strength: 1 is the usual,
    0 changes nothing but the mirroring.
    """
    batch = view(flip(batch, generator), framed, size, generator, strength)
    images = sharpness(light(batch.images, generator, strength), generator, strength)
    images = noise(images, generator, strength)
    return replace(batch, images=covered(images, generator, strength))


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    """(count, 1, 1, 1) numbers between ``low`` and ``high``."""
    return low + (high - low) * _rand(generator, count, 1, 1, 1)


def _rand(generator: torch.Generator, *shape: int) -> Tensor:
    """Numbers from 0 to 1 on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device)


# -- geometry --------------------------------------------------------------------------------------


def flip(batch: Batch, generator: torch.Generator) -> Batch:
    """Mirror about half of the faces left to right."""
    device = batch.images.device
    chosen = _rand(generator, len(batch.images)) < 0.5
    table = torch.from_numpy(MIRROR).to(device)
    sign, shift = torch.tensor([[-1.0, 1.0], [1.0, 0.0]], device=device)
    mirrored = batch.landmarks[:, table] * sign + shift
    rows = chosen[:, None]
    return replace(
        batch,
        images=torch.where(chosen[:, None, None, None], batch.images.flip(3), batch.images),
        landmarks=torch.where(rows[..., None], mirrored, batch.landmarks),
        mask=torch.where(rows, batch.mask[:, table], batch.mask),
        pose=torch.where(rows, batch.pose * torch.tensor([-1.0, 1, -1], device=device), batch.pose),
    )


def box(landmarks: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Middle (B, 2) and longer side (B,) of the known landmarks' box."""
    far = torch.full_like(landmarks, 1e3)
    low = torch.where(mask[..., None], landmarks, far).amin(1)
    high = torch.where(mask[..., None], landmarks, -far).amax(1)
    return (low + high) / 2, (high - low).amax(1)


def view(
    batch: Batch,
    framed: bool,
    size: int,
    generator: torch.Generator | None = None,
    strength: float = 1.0,
) -> Batch:
    """The square that the network sees, (B, 1, size, size), and the points in it.

    framed: the square is the whole picture; else LANDMARK_MARGIN times the box of the points, which
    are turned first. With a ``generator`` the face is turned, sheared, stretched and bent, its eyes
    open and close, and the square misses its place and size a little; without one the view is
    plain.
    """
    count = len(batch.images)
    device = batch.images.device
    turn = torch.eye(2, device=device).repeat(count, 1, 1)
    angle = torch.zeros(count, device=device)
    if generator is not None:
        turn, angle = random_turn(count, generator, strength)
    points = (batch.landmarks - 0.5) @ turn.transpose(1, 2)
    if framed:
        middle, side = torch.zeros(count, 2, device=device), torch.ones(count, device=device)
    else:
        middle, side = box(points, batch.mask)
        side = LANDMARK_MARGIN * side
    if generator is not None:
        zoom = _uniform(generator, count, -ZOOM, ZOOM).view(count) * strength
        missed = torch.tensor(SHIFT, device=device) * strength
        missed = missed * (2 * _rand(generator, count, 2) - 1)
        side = side * zoom.exp()
        middle = middle + side[:, None] * missed
    inverse = torch.linalg.inv(turn)
    seen = (points - middle[:, None]) / side[:, None, None] + 0.5
    at = pixel_centres(size, device).expand(count, -1, -1, -1)
    if generator is not None:
        field = random_field(seen, batch.mask, generator, strength)
        at, seen = at + field(at), seen_at(seen, field)
    source = (at - 0.5) * side[:, None, None, None] + middle[:, None, None]
    source = source @ inverse.mT[:, None]
    return replace(
        batch,
        images=grid_sample(batch.images, 2 * source, padding_mode="zeros", align_corners=False),
        landmarks=seen,
        pose=batch.pose + torch.stack([0 * angle, 0 * angle, angle], 1),
    )


def random_turn(count: int, generator: torch.Generator, strength: float) -> tuple[Tensor, Tensor]:
    """Matrices (count, 2, 2) that turn, shear and stretch, and their angles (count,)."""
    angle = torch.randn(count, generator=generator, device=generator.device)
    angle = angle.clamp(-2.2, 2.2) * TURN * strength
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    stretch = (_uniform(generator, count, -STRETCH, STRETCH).view(count) * strength).exp()
    change = torch.diag_embed(torch.stack([stretch, 1 / stretch], 1))
    change[:, 0, 1] = _uniform(generator, count, -SHEAR, SHEAR).view(count) * strength
    return turn @ change, angle


# -- grey levels -----------------------------------------------------------------------------------


def light(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Another tone curve, contrast and brightness."""
    count = len(images)
    images = images.clamp(1e-3, 1) ** (_uniform(generator, count, -0.45, 0.45) * strength).exp()
    middle = images.mean((2, 3), keepdim=True)
    images = middle + (images - middle) * (1 + _uniform(generator, count, -0.4, 0.35) * strength)
    return (images + _uniform(generator, count, -0.13, 0.13) * strength).clamp(0, 1)


def _blurred(images: Tensor, width: int) -> Tensor:
    return avg_pool2d(images, width, 1, width // 2, count_include_pad=False)


def sharpness(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Blurred or sharpened; some with stronger edges, some with a strong blur, some in motion."""
    count = len(images)
    soft = _blurred(images, 3)
    softer = _blurred(soft, 5)
    choice = _uniform(generator, count, 0, 1)
    changed = images + (soft - images) * _uniform(generator, count, -0.5, 1.0)
    edges = images + (images - softer) * _uniform(generator, count, 0.2, 0.8)
    moved = motion_blur(images, generator)
    changed = torch.where(choice < 0.1, edges, changed)
    changed = torch.where((choice > 0.1) & (choice < 0.22), softer, changed)
    changed = torch.where(choice > 0.92, moved, changed)
    return torch.lerp(images, changed, strength).clamp(0, 1)


def motion_blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture smeared along a line of a random direction, up to MOTION pixels long."""
    count = len(images)
    angle = _uniform(generator, count, 0, math.pi)
    half = _uniform(generator, count, 1, MOTION / 2)
    at = torch.arange(MOTION, device=images.device) - MOTION // 2
    across = at[None, None, :, None] * angle.cos() - at[None, None, None, :] * angle.sin()
    along = at[None, None, :, None] * angle.sin() + at[None, None, None, :] * angle.cos()
    kernels = (1 - across.abs()).clamp_min(0) * (along.abs() <= half)
    kernels = kernels / kernels.sum((2, 3), keepdim=True)
    smeared = conv2d(images.transpose(0, 1), kernels, padding=MOTION // 2, groups=count)
    return smeared.transpose(0, 1)


def noise(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Gaussian noise of up to 3 % of the range."""
    level = _uniform(generator, len(images), 0, 0.03) * strength
    grain = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + grain * level).clamp(0, 1)


def covered(images: Tensor, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Something in front of the faces: what is behind it must be told from what is left.

    Three in ten get a rectangle of one grey level, three in ten a larger one out of another picture
    of the batch. Of one in eight all beyond a line past the middle is grey or of another picture.
    """
    count, side = len(images), images.shape[-1]
    grey = _uniform(generator, count, 0, 1).expand_as(images)
    images = torch.where(rectangle(images, generator, 0.3 * strength, 0.18), grey, images)
    other = images.roll(1, 0)
    images = torch.where(rectangle(images, generator, 0.3 * strength, 0.25), other, images)
    angle = _uniform(generator, count, 0, 2 * math.pi)
    across, down = (pixel_centres(side, images.device) - 0.5).unbind(-1)
    away = across[:, None] * angle.cos() + down[:, None] * angle.sin()
    beyond = away > _uniform(generator, count, 0, 0.3)
    beyond = beyond & (_uniform(generator, count, 0, 1) < 0.125 * strength)
    other = images.roll(2, 0).flip(2)
    plain = _uniform(generator, count, 0, 1) < 0.3
    return torch.where(beyond, torch.where(plain, grey, other), images)


def rectangle(images: Tensor, generator: torch.Generator, share: float, most: float) -> Tensor:
    """A rectangle (B, 1, S, S) in about ``share`` of the images, ``most`` of a side to each way."""
    count, side = len(images), images.shape[-1]
    at = torch.arange(side, device=images.device)[None] / side
    masks = []
    for _ in range(2):
        middle = _uniform(generator, count, 0, 1).view(count, 1)
        half = _uniform(generator, count, 0.04, most).view(count, 1)
        masks.append((at - middle).abs() < half)
    chosen = _uniform(generator, count, 0, 1) < share
    return masks[0][:, None, :, None] & masks[1][:, None, None, :] & chosen
