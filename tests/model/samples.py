# SPDX-License-Identifier: Apache-2.0
"""Images and networks made from a seed: random weights, but statistics that fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from model import untrained
from model.network.pfld import PFLD


def smooth_images(count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Random grey images (count, size, size) with structure at several scales."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 1, size, size)
    for cells in (2, 4, 8, 16):
        noise = torch.rand(count, 1, cells, cells, generator=generator)
        total += torch.nn.functional.interpolate(noise, size, mode="bilinear")
    total -= total.amin(dim=(2, 3), keepdim=True)
    total /= total.amax(dim=(2, 3), keepdim=True)
    return (total[:, 0] * 255).round().to(torch.uint8).numpy()


def as_tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Network input of uint8 images (N, S, S)."""
    return torch.from_numpy(images).float()[:, None] / 255


def random_network(seed: int = 0, **config: object) -> PFLD:
    """FP32 network with random gains and offsets and the statistics that belong to them."""
    size = int(config.get("image_size", 112))
    return untrained.random_network(as_tensor(smooth_images(16, size, seed)), seed, **config)
