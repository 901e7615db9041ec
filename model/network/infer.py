# SPDX-License-Identifier: Apache-2.0
"""Landmarks of many images from a network in torch."""

from __future__ import annotations

import torch

from host.common.arrays import F32Array, Images
from model.network.pfld import PFLD


@torch.no_grad()
def predict(network: PFLD, images: Images, batch: int = 64) -> F32Array:
    """Landmarks (N, 98, 2) of uint8 images (N, S, S)."""
    network.eval()
    device = next(network.parameters()).device
    results = []
    for start in range(0, len(images), batch):
        part = torch.from_numpy(images[start : start + batch]).float()[:, None] / 255
        part = part.to(device).contiguous(memory_format=torch.channels_last)
        results.append(network(part).cpu())
    found: F32Array = torch.cat(results).reshape(len(images), -1, 2).numpy()
    return found
