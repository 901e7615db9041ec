# SPDX-License-Identifier: Apache-2.0
"""Losses of landmarks: how far a point is, and how much each face and point counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from host.common.errors import UserError
from host.face.landmarks import LOWER_LIDS, UPPER_LIDS
from model.network.grid import decided, mixture_terms, split

if TYPE_CHECKING:
    from model.data.augment import Batch
    from model.training.config import TrainConfig


def wing(distance: Tensor, width: float = 10.0, bend: float = 2.0) -> Tensor:
    """Wing loss of absolute differences in pixels: logarithmic below ``width``, linear above.

    Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018.
    """
    join = width - width * math.log1p(width / bend)
    near = width * torch.log1p(distance / bend)
    return torch.where(distance < width, near, distance - join)


def adaptive_wing(
    distance: Tensor, true: Tensor, height: float = 14.0, width: float = 2.5, bend: float = 5.0
) -> Tensor:
    """Adaptive wing loss of absolute differences in pixels.

    Below ``width`` it is ``height * ln(1 + (distance / bend) ** p)``, flat at the true point, above
    it is the tangent. The exponent p = 2.1 - true, with ``true`` the coordinate as a fraction.
    Wang et al., "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", ICCV 2019;
    there on heat maps, here on coordinates.
    """
    power = 2.1 - true.clamp(0, 1)
    ratio = torch.full_like(power, width / bend)
    slope = height * power * ratio ** (power - 1) / (1 + ratio**power) / bend
    start = height * torch.log1p(ratio**power)
    near = height * torch.log1p((distance / bend).clamp_min(1e-6) ** power)
    return torch.where(distance < width, near, start + slope * (distance - width))


def squared(distance: Tensor) -> Tensor:
    """Squared difference, as PFLD takes it."""
    return distance**2


LOSSES = ("wing", "adaptive_wing", "squared")
"""Names for ``TrainConfig.loss``."""


def point_loss(kind: str, predicted: Tensor, true: Tensor, mask: Tensor, size: int) -> Tensor:
    """Loss of each face (B,): mean over its known points of landmarks (B, 98, 2), fractions.

    mask: (B, 98) bool; a face without a known point has loss 0. size: pixels of the crop.
    """
    distance = (predicted - true).abs() * size
    if kind == "wing":
        terms = wing(distance)
    elif kind == "adaptive_wing":
        terms = adaptive_wing(distance, true)
    elif kind == "squared":
        terms = squared(distance)
    else:
        raise UserError(f"loss {kind!r} is unknown; use one of {', '.join(LOSSES)}")
    return known_mean(terms.mean(2), mask)


def known_mean(terms: Tensor, mask: Tensor) -> Tensor:
    """Mean (B,) of the terms (B, P) where the mask (B, P) is set; 0 where it never is."""
    known = mask.to(terms.dtype)
    return (terms * known).sum(1) / known.sum(1).clamp_min(1)


def lid_loss(predicted: Tensor, true: Tensor, mask: Tensor, size: int) -> Tensor:
    """Wing loss (B,) of the way from each lower lid to the upper one, in x and y.

    Whether an eye is shut hangs on differences of points that are small beside the points' errors.
    Landmarks (B, 98, 2) are fractions, mask (B, 98) bool; a face without a known pair has loss 0.
    """
    known = mask[:, UPPER_LIDS] & mask[:, LOWER_LIDS]
    opened = [points[:, UPPER_LIDS] - points[:, LOWER_LIDS] for points in (predicted, true)]
    terms = wing((opened[0] - opened[1]).abs() * size).mean(2)
    return known_mean(terms, known)


def angle_error(predicted: Tensor, true: Tensor) -> Tensor:
    """Sum over the angles of one minus the cosine of the error (B,); 0 where ``true`` is nan."""
    errors = 1 - torch.cos(predicted - torch.nan_to_num(true))
    return (errors * torch.isfinite(true)).sum(1)


def attribute_weights(attributes: Tensor, shares: Tensor) -> Tensor:
    """PFLD's weight of each face (B,): 1 plus the reciprocal share of each attribute it has.

    attributes: (B, 6) bool; shares: (6,), the part of all training faces with each attribute.
    Scaled so that the mean over the training faces is 1 where attributes are independent.
    """
    rare = torch.where(shares > 0, 1 / shares.clamp_min(1e-6), torch.zeros_like(shares))
    present = (shares > 0).sum()
    return (1 + (attributes * rare).sum(1)) / (1 + present)


def size_weights(landmarks: Tensor, mask: Tensor, usual: float = 0.5) -> Tensor:
    """Weight of each face (B,), 0.7 to 1.8: larger where the eye corners are close together.

    The metric divides by their distance, so that an error of one pixel counts more on such a face.
    ``usual`` is the distance of a frontal face as a fraction of the crop.
    """
    distance = (landmarks[:, 60] - landmarks[:, 72]).norm(dim=1)
    weights = (usual / distance.clamp_min(1e-3)).clamp(0.7, 1.8)
    return torch.where(mask[:, 60] & mask[:, 72], weights, torch.ones_like(weights))


def face_losses(config: TrainConfig, found: Tensor, faces: Batch, size: int) -> Tensor:
    """Weighted loss of each face (B,): the network's answer ``found`` against ``faces``.

    found: in training mode, landmarks (B, 196) or cells (B, 294, h, w) of the grid head, whose loss
    is that of the mixture and, weighted, that of the best cells' answers. The kind of loss, the
    lids' term and the weighting by size are those of ``config``. size: pixels of the crop.
    """
    if found.ndim == 4:
        scores, answers = split(found)
        points = decided(scores, answers)
        terms = point_loss(config.loss, points, faces.landmarks, faces.mask, size)
        likely = mixture_terms(scores, answers, faces.landmarks, size)
        terms = config.answer_weight * terms + known_mean(likely, faces.mask)
    else:
        points = found.view(len(found), -1, 2)
        terms = point_loss(config.loss, points, faces.landmarks, faces.mask, size)
    if config.lid_weight:
        lids = lid_loss(points, faces.landmarks, faces.mask, size) * faces.lids
        terms = terms + config.lid_weight * lids
    terms = terms * faces.weights
    if config.size_weights:
        terms = terms * size_weights(faces.landmarks, faces.mask)
    return terms
