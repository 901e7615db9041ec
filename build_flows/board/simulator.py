# SPDX-License-Identifier: Apache-2.0
"""A finished build as the driver sees it on the board, but in Verilator: simulator and overlay."""

from __future__ import annotations

import shutil
from pathlib import Path

from build_flows.board import shell
from build_flows.board.overlay import settings, write_overlay
from build_flows.design.simulate import SIMULATOR
from host.board.settings import BUILD_IT, load
from host.common.provenance import provenance

OVERLAY = "overlay"


def simulate_board(build: Path) -> tuple[Path, Path]:
    """Put the packaged design, its simulator and its overlay into ``build``/shell.

    ``build`` is a finished build; the simulator is taken from its cache, or compiled: minutes.

    Returns:
        The simulator for host.board.sim_device and the folder for host.board.overlay.
    """
    folder, design = build / "shell", build / "stitch" / "design"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    ports = shell.package(design, folder / "rtl")
    shell.provide_simulator(folder / "rtl", ports, folder, build / "cache")
    host = load(build, BUILD_IT, BUILD_IT)
    origin = {"simulated": True, **provenance()}
    content = settings(host, design, host["clk_mhz"], origin)
    write_overlay(folder / OVERLAY, content, design, {})
    return folder / SIMULATOR, folder / OVERLAY
