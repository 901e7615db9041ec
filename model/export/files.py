# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to files for hardware and onnxruntime: what the command export uses.

Export(weights=Path("int8.pt"), out=Path("net.onnx")).run()
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.data.labelled import GOLDEN_SEED, labelled_images, portrait
from model.export.fp32 import export_fp32
from model.export.snap import export_files
from model.network.checkpoint import load_network, load_quantised


@dataclass(frozen=True, kw_only=True)
class Export:
    """A checkpoint and what it becomes."""

    weights: Path
    """Of a quantised network, or with ``fp32`` of one in floating point."""
    out: Path
    """QONNX file to write, NAME.onnx; the others stand beside it."""
    images: Path | None = None
    """Npz with golden images, instead of procedural faces."""
    count: int = 8
    """Golden images, the portrait first."""
    packed: bool = False
    """Store the weights as INT8, a quarter of the size."""
    fp32: bool = False
    """Write only the network in floating point, for onnxruntime."""

    def run(self) -> int:
        """Write the files; the number of golden images."""
        if self.fp32:
            export_fp32(load_network(self.weights), self.out)
            return 0
        network = load_quantised(self.weights)
        size = network.image_size
        others, _ = labelled_images(self.images, size, self.count - 1, GOLDEN_SEED)
        golden = np.concatenate([portrait(size)[None], others])
        export_files(network, self.out, golden, self.packed)
        return len(golden)
