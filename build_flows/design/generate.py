# SPDX-License-Identifier: Apache-2.0
"""RTL of every unit in one folder, ``rtl``: FINN's from its generators, our kernels as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BuildConfig
from hw.ops import weight_port
from hw.ops.weight_stream import WeightStream
from hw.rtl_files import files_of, module_name
from hw.sources import write_rtl
from hw.units import units_of

SUPPORT = (weight_port.KERNEL, WeightStream.rtl_module)  #: kernels beside the nodes


def generate(model: ModelWrapper, cfg: BuildConfig, folder: Path) -> ModelWrapper:
    """Write the RTL of all units of a folded model into ``folder``/rtl."""
    rtl = folder / "rtl"
    rtl.mkdir()
    write_rtl(units_of(model), rtl, model, cfg.part, 1000.0 / cfg.clk_mhz)
    for file in files_of(map(module_name, SUPPORT)):
        shutil.copyfile(file, rtl / file.name)
    return model
