# SPDX-License-Identifier: Apache-2.0
"""Contact sheets of faces as a training sees them."""

from __future__ import annotations

import torch

from host.common.arrays import Image
from host.face.draw import tile
from model.data.augment import Batch
from model.faces.render import draw_points
from model.training.config import TrainConfig
from model.training.source import Source


def training_sheet(config: TrainConfig, source: Source, count: int, size: int = 112) -> Image:
    """The first ``count`` faces of the first epoch, BGR, with their known points."""
    mixture, _ = source.load(config)
    rows = mixture.order(config.seed, 0)[:count]
    generator = torch.Generator().manual_seed(config.seed)
    return draw_batch(mixture.batch(rows, size, generator, config.augmentation))


def draw_batch(batch: Batch, columns: int = 8) -> Image:
    """Pictures of a batch side by side, BGR, with their known points in green."""
    images = (batch.images[:, 0] * 255).round().to(torch.uint8).numpy()
    cells = [
        draw_points(image, marks[known], 2)
        for image, marks, known in zip(
            images, batch.landmarks.numpy(), batch.mask.numpy(), strict=True
        )
    ]
    return tile(cells, columns)
