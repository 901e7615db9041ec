# SPDX-License-Identifier: Apache-2.0
"""RTL of every unit: FINN's units through their own generators, our kernels as they are.

All files go into one folder, ``rtl``; hw/rtl/add_multi.sv takes the place of FINN's adder tree.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from build_flows.config import BuildConfig
from host.common.errors import UserError
from hw.generate import RTL_FOLDER, sources
from hw.ops import weight_port
from hw.ops.base import KernelOp
from hw.ops.weight_stream import WeightStream

SUPPORT = (*weight_port.SOURCES, WeightStream.rtl_module)  #: modules beside those of the nodes
REPLACED = ("add_multi.sv",)  #: FINN files for which hw/rtl has one of the same module name


def generate(model: ModelWrapper, cfg: BuildConfig, folder: Path) -> ModelWrapper:
    """Write the RTL of all units of a folded model into ``folder``/rtl."""
    rtl = folder / "rtl"
    rtl.mkdir()
    ours: list[KernelOp] = []
    for node in model.graph.node:
        op = getCustomOp(node)
        if isinstance(op, KernelOp):
            ours.append(op)
        else:
            finn_unit(model, op, cfg, rtl)
    support = [f"{module}.sv" for module in (*WeightStream.rtl_sources, *SUPPORT)]
    for path in [*sources(ours), *(RTL_FOLDER / file for file in support)]:
        shutil.copyfile(path, rtl / path.name)
    return model


def finn_unit(model: ModelWrapper, op: CustomOp, cfg: BuildConfig, rtl: Path) -> None:
    """Let FINN generate one unit and take its files, nothing of its scratch folder stays."""
    with tempfile.TemporaryDirectory() as scratch:
        op.set_nodeattr("code_gen_dir_ipgen", scratch)
        op.code_generation_ipgen(model, cfg.part, 1000.0 / cfg.clk_mhz)
        for file in map(Path, op.get_rtl_file_list(abspath=True)):
            if file.name in REPLACED:
                file = RTL_FOLDER / file.name
            target = rtl / file.name
            if target.exists() and target.read_bytes() != file.read_bytes():
                raise UserError(f"{op.onnx_node.name}: two different files are called {file.name}")
            shutil.copyfile(file, target)
    for attribute in ("code_gen_dir_ipgen", "ipgen_path", "ip_path"):
        op.set_nodeattr(attribute, "")
