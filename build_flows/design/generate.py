# SPDX-License-Identifier: Apache-2.0
"""RTL of every unit in one folder, ``rtl``: FINN's from its generators, our kernels as they are."""

from __future__ import annotations

from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BuildConfig
from hw.generate import RTL_FOLDER, place
from hw.ops import weight_port
from hw.ops.weight_stream import WeightStream
from hw.units import units_of

SUPPORT = (*WeightStream.rtl_sources, *weight_port.SOURCES, WeightStream.rtl_module)


def generate(model: ModelWrapper, cfg: BuildConfig, folder: Path) -> ModelWrapper:
    """Write the RTL of all units of a folded model into ``folder``/rtl."""
    rtl = folder / "rtl"
    rtl.mkdir()
    for unit in units_of(model):
        unit.write_rtl(rtl, model, cfg.part, 1000.0 / cfg.clk_mhz)
    for module in SUPPORT:  # beside the nodes
        place(RTL_FOLDER / f"{module}.sv", rtl, module)
    return model
