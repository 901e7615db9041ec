# SPDX-License-Identifier: Apache-2.0
"""Batches and loss with which a quantised network is fine-tuned on real faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from model.augment import Batch
from model.config import TrainConfig
from model.images import TUNING_SEED
from model.losses import face_losses
from model.network import PFLD
from model.sources import endless, load_mixture


def face_batches(
    config: TrainConfig, roots: Mapping[str, Path], cache: Path, batch: int, network: PFLD
) -> Iterator[tuple[Tensor, Batch]]:
    """Endless pairs of pictures (B, 1, S, S), whole bytes over 255, and their faces."""
    mixture, _ = load_mixture(config, roots, cache)
    strength = config.augmentation
    for faces in endless(mixture, batch, network.image_size, TUNING_SEED, strength):
        yield (faces.images * 255).round() / 255, faces


def face_loss(config: TrainConfig, network: PFLD) -> Callable[[Tensor, Batch], Tensor]:
    """The configuration's loss of points, as a function of landmarks (B, 196) and faces."""

    def loss(found: Tensor, faces: Batch) -> Tensor:
        marks = found.view(len(found), -1, 2)
        return face_losses(config, marks, faces, network.image_size).mean()

    return loss
