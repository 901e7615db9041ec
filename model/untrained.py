# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights: enough to explore what a network of that form would cost.

Untrained(width=0.25, weight_bits=4).export(Path("w4.onnx"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.data.labelled import CALIBRATION_SEED, GOLDEN_SEED, labelled_images
from model.export.snap import export_files
from model.network.pfld import PFLD
from model.network.quantised import QuantLayers
from model.training.ptq import as_input, post_train

CALIBRATION = 16  #: faces that thresholds are set from
GOLDEN = 3  #: golden images


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """Form of a network and the bits of its numbers; see PFLD and QuantLayers for the ranges."""

    width: float = 1.0
    """Multiplier of every channel count."""
    stem: str = "conv"
    """Second layer."""
    head: str = "fc"
    """How landmarks are found in the last map."""
    landmarks: int = 98
    """Points."""
    image_size: int = 112
    """Side of the image in pixels; below 112 the layer s3 has 1x1 filters."""
    weight_bits: int = 8
    """Of every weight."""
    activation_bits: int = 8
    """Of every activation behind the image."""
    seed: int = 0
    """Of the weights."""

    def export(self, path: Path) -> None:
        """Write the QONNX file ``path`` and what belongs to it; UserError for illegal values."""
        layers = QuantLayers(weight_bits=self.weight_bits, activation_bits=self.activation_bits)
        faces, _ = labelled_images(None, self.image_size, CALIBRATION, CALIBRATION_SEED)
        golden, _ = labelled_images(None, self.image_size, GOLDEN, GOLDEN_SEED)
        config = {
            "width": self.width,
            "num_landmarks": self.landmarks,
            "s3": "conv7x7" if self.image_size >= 112 else "conv1x1",
            "image_size": self.image_size,
            "stem": self.stem,
            "head": self.head,
        }
        images = as_input(faces)
        network = random_network(images, self.seed, pose_branch=False, **config)
        export_files(post_train(network, images, layers=layers), path, golden)


def random_network(images: Tensor, seed: int = 0, **config: Any) -> PFLD:
    """FP32 network with random gains and offsets and the statistics that ``images`` give them.

    images: (N, 1, S, S), 0..1; config: arguments of PFLD.
    """
    torch.manual_seed(seed)
    network = PFLD(**config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
            module.momentum = None  # plain average: one batch is enough
    with torch.no_grad():
        network(images)
    network.eval()
    return network
