# SPDX-License-Identifier: Apache-2.0
"""The network in simulated hardware: the Verilator model that a build of the flow leaves.

The simulator gives integer accumulators; landmark = accumulator * scale + bias, as on the board.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.backends.base import check_images, landmarks_of
from host.common.arrays import Accumulators, F64Array, Images, Points
from host.common.errors import ToolError, UserError

FORMAT = 1
"""The version of settings.json that is understood here."""


@dataclass(frozen=True)
class Settings:
    """What the host must know of an accelerator; read from the build's settings.json."""

    config: str
    input_size: int
    """Side of the square grey input in pixels."""
    scale: F64Array
    """Landmark coordinate per unit of the accumulator, (2 x points,)."""
    bias: F64Array
    """Landmark coordinate at accumulator 0, (2 x points,)."""
    clk_mhz: float
    simulator: Path | None
    """Program with the simulated RTL; None if the folder has none."""


@dataclass(frozen=True)
class Simulation:
    """Result of one run over N frames."""

    accumulators: Accumulators
    """Integers that the hardware gives, (N, 2 x points)."""
    landmarks: Points
    """(N, points, 2), fractions 0..1 of the crop."""
    stats: dict[str, Any]
    """The simulator's statistics: frames, cycles, first_output, frame_ends in cycles."""


class SimBackend:
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
        self.input_size = self.settings.input_size
        self.details: Mapping[str, object] = {}

    def infer(self, images: Images) -> Points:
        """Return landmarks (N, points, 2), fractions 0..1 of the crop; images (N, S, S) uint8.

        ``details`` then holds the accumulators and the simulator's statistics.

        Raises:
            ToolError: the simulator fails or its output is not what was asked for.
        """
        result = self.simulate(images)
        self.details = {
            "accumulators": result.accumulators.tolist(),
            "clk_mhz": self.settings.clk_mhz,
            "stats": result.stats,
        }
        return result.landmarks

    def simulate(self, images: Images) -> Simulation:
        """Run images (N, S, S) uint8 back to back; like ``infer``, with all results."""
        check_images(images, self.input_size)
        outputs = len(self.settings.scale)
        with tempfile.TemporaryDirectory(prefix="landmarks_") as folder:
            frames, words, stats = (
                Path(folder, name) for name in ("frames.bin", "words.bin", "stats.json")
            )
            frames.write_bytes(np.ascontiguousarray(images).tobytes())
            command = [
                self.model, "--input", str(frames), "--output", str(words), "--stats", str(stats),
                "+preload",
            ]  # fmt: skip
            _run(command)
            accumulators = _read_words(command, words, len(images), outputs)
            numbers = _read_stats(command, stats)
        landmarks = landmarks_of(accumulators, self.settings.scale, self.settings.bias)
        return Simulation(accumulators, landmarks, numbers)

    def close(self) -> None:
        """Nothing is held between runs."""


def read_settings(build: Path) -> Settings:
    """Read and check ``build``/settings.json.

    Raises:
        UserError: the file is missing, is no JSON, has another format or does not fit together.
    """
    path = build / "settings.json"
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror or error}; "
            "make it with: python -m build_flows build --config demo"
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; build again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise UserError(f"{path} has format {found}; this host reads {FORMAT}, build again")
    try:
        return _parse(content, build)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not as expected: {error!r}; build again") from error


def _parse(content: dict[str, Any], build: Path) -> Settings:
    height, width, channels = content["input"]["shape"]
    (outputs,) = content["output"]["shape"]
    scale, bias = (
        np.broadcast_to(np.asarray(content["output"][name], np.float64), outputs)
        for name in ("scale", "bias")
    )
    if height != width or channels != 1 or content["input"]["dtype"] != "UINT8" or outputs % 2:
        raise ValueError(
            f"input {content['input']} and {outputs} outputs, not square grey UINT8 and x, y pairs"
        )
    return Settings(
        config=str(content["config"]),
        input_size=int(height),
        scale=scale,
        bias=bias,
        clk_mhz=float(content["clk_mhz"]),
        simulator=(build / content["simulator"]).resolve() if "simulator" in content else None,
    )


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


def _read_words(command: list[str], path: Path, frames: int, outputs: int) -> Accumulators:
    size, expected = path.stat().st_size if path.is_file() else 0, frames * outputs * 4
    if size != expected:
        raise _failure(
            command, f"wrote {size} bytes for {frames} frames of {outputs} words, not {expected}"
        )
    return np.fromfile(path, "<i4").reshape(frames, outputs).astype(np.int32)


def _read_stats(command: list[str], path: Path) -> dict[str, Any]:
    try:
        stats = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _failure(command, f"left no usable statistics: {error}") from error
    if not isinstance(stats, dict):
        raise _failure(command, f"left statistics that are no JSON object: {stats!r}")
    return stats


def _failure(command: list[str], reason: str, output: str = "") -> ToolError:
    """Keep what the simulator printed in a file of its own; the frames' folder goes away."""
    number, name = tempfile.mkstemp(prefix="simulator_", suffix=".log")
    with os.fdopen(number, "w") as log:
        log.write(f"{' '.join(command)}\n{output}\n")
    return ToolError(command, Path(name), reason)
