# SPDX-License-Identifier: Apache-2.0
"""The network in simulated hardware: the Verilator model that a build of the flow leaves.

The simulator gives integer accumulators; output = accumulator * scale + bias, as on the board.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.backends.base import Accelerator
from host.board.settings import read_settings
from host.board.simulation import PRELOAD, SimulationFiles
from host.common.arrays import Accumulators, Images
from host.common.errors import ToolError, UserError


@dataclass(frozen=True)
class Simulation:
    """Result of one run over N frames."""

    accumulators: Accumulators
    """Integers that the hardware gives, (N, outputs)."""
    stats: dict[str, Any]
    """The simulator's statistics: frames, cycles, first_output, frame_ends in cycles."""


class SimBackend(Accelerator):
    """Runs frames through the simulator of a build."""

    name = "sim"

    def __init__(self, build: Path) -> None:
        """Read the settings of ``build``.

        Raises:
            UserError: settings.json or the simulator is missing or not usable.
        """
        self.settings = read_settings(build)
        program = self.settings.simulator
        if program is None or not os.access(program, os.X_OK) or not program.is_file():
            raise UserError(f"{program} is missing or not executable; build again")
        self.model = str(program)
        self.details: Mapping[str, object] = {}

    def accumulate(self, images: Images) -> Accumulators:
        """Integers of the hardware, (N, outputs), for frames uint8 (N, *settings.shape).

        ``details`` then holds them and the simulator's statistics.

        Raises:
            ToolError: the simulator fails or its output is not what was asked for.
        """
        result = self.simulate(images)
        self.details = {
            "accumulators": result.accumulators.tolist(),
            "clk_mhz": self.settings.clk_mhz,
            "stats": result.stats,
        }
        return result.accumulators

    def simulate(self, images: Images) -> Simulation:
        """Run frames back to back; like ``accumulate``, with all results."""
        images = self.settings.frames(images)
        with tempfile.TemporaryDirectory(prefix="landmarks_") as folder:
            files = SimulationFiles(Path(folder))
            files.write(images)
            command = files.command(self.model, *PRELOAD)
            _run(command)
            try:
                accumulators = files.accumulators(len(images), self.settings.outputs)
                stats = files.statistics()
            except ValueError as error:
                raise _failure(command, str(error)) from error
        return Simulation(accumulators, stats)

    def close(self) -> None:
        """Nothing is held between runs."""


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise UserError(
            f"cannot start {command[0]}: {error.strerror or error}; build again on this machine"
        ) from error
    if done.returncode:
        output = (done.stdout + done.stderr).strip()
        last = output.splitlines()[-1] if output else "no message"
        raise _failure(command, f"exit code {done.returncode}: {last}", output)


def _failure(command: list[str], reason: str, output: str = "") -> ToolError:
    """Keep what the simulator printed in a file of its own; the frames' folder goes away."""
    number, name = tempfile.mkstemp(prefix="simulator_", suffix=".log")
    with os.fdopen(number, "w") as log:
        log.write(f"{' '.join(command)}\n{output}\n")
    return ToolError(command, Path(name), reason)
