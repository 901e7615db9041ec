# SPDX-License-Identifier: Apache-2.0
"""A design that compiles in seconds: accelerator.sv of this folder with weights, and its golden."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from build_flows.design.stitch import Design, Memory
from hw.generate import write_memory
from hw.ops import weight_port
from hw.rtl_files import files_of, module_name

SIDE, OUTPUTS = 4, 4
A = [5, -7, 300_000, -400_000]
B = [0x0012345678, -1, 0x00000000FF, -(1 << 39)]
KERNELS = (weight_port.KERNEL, "weight_stream")
SETTINGS = {
    "format": 1,
    "config": "tiny",
    "input": {"shape": [SIDE, SIDE, 1], "dtype": "UINT8"},
    "output": {"shape": [OUTPUTS], "dtype": "INT20", "scale": [0.5] * 4, "bias": [1, 2, 3, 4]},
}
ORIGIN = {"part": "none", "git": "none"}


def write_design(folder: Path) -> Path:
    """The stitched folder, as build_flows.design.stitch leaves it."""
    folder.mkdir()
    shutil.copy2(Path(__file__).with_name("accelerator.sv"), folder)
    for path in files_of(map(module_name, KERNELS)):
        shutil.copy2(path, folder)
    write_memory(folder / "a_file.hex", 20, [value & 0xFFFFF for value in A])
    write_memory(folder / "b_file.hex", 40, [value & 0xFFFFFFFFFF for value in B])
    memories = [Memory("a", 20, 4, "a_file.hex"), Memory("b", 40, 4, "b_file.hex")]
    ports = Design(8, SIDE * SIDE, 1, 32, OUTPUTS, memories, [])
    (folder / "design.json").write_text(json.dumps(asdict(ports)))
    return folder


def golden(images: np.ndarray) -> np.ndarray:
    """Accumulators (N, OUTPUTS) int32 of images (N, SIDE, SIDE) uint8."""
    weights = 4 * np.arange(SIDE * SIDE)[:, None] + np.arange(OUTPUTS) + 1
    sums = images.reshape(len(images), -1).astype(np.int64) @ weights
    return (sums + np.array(A) + np.array(B)).astype(np.uint32).astype(np.int32)


def frames(count: int, seed: int = 0) -> np.ndarray:
    """Random images (count, SIDE, SIDE) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), np.uint8)
