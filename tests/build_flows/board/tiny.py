# SPDX-License-Identifier: Apache-2.0
"""A design that compiles in seconds: accelerator.sv of this folder with weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from build_flows.design.stitch import Design, Memory
from hw.generate import write_memory
from hw.ops import weight_port
from hw.rtl_files import files_of
from hw.rtl_order import module_name
from tests.build_flows.board.arithmetic import OUTPUTS, SIDE, A, B, frames, golden

__all__ = ["OUTPUTS", "SIDE", "frames", "golden"]
KERNELS = (weight_port.KERNEL, "weight_stream")
SETTINGS = {
    "format": 1,
    "config": "tiny",
    "network": "tiny",
    "task": "landmarks",
    "outputs": [{"name": "landmarks", "shape": [OUTPUTS, 1, 1]}],
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
