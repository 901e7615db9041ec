# SPDX-License-Identifier: Apache-2.0
"""The accelerator itself, simulated cycle by cycle: the executable that the flow has built."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from host import atomic
from host.backends import as_landmarks, check_images
from host.errors import ToolError, UserError
from host.landmarks import COUNT

FORMAT = 1
SETTINGS = "settings.json"
LOG = "host_sim.log"
TAIL_LINES = 5


class Simulation(NamedTuple):
    """What the hardware gave for a number of frames."""

    accumulators: npt.NDArray[np.int32]
    """Integer outputs (N, 196)."""

    stats: dict[str, Any]
    """Clock cycles since reset: cycles, first_input, first_output, frame_ends (N); and frames."""


class SimBackend:
    """Runs the simulator of a build folder."""

    name = "sim"

    def __init__(self, build: Path) -> None:
        """Read the settings in the folder ``build``, which ``python -m build_flows build`` made.

        Raises:
            UserError: settings or simulator are missing, damaged or of another network.
        """
        path = build / SETTINGS
        self.model = str(path)
        self.details: dict[str, Any] = {}
        settings = _read_settings(path)
        try:
            self.size = _check_shapes(settings, path)
            self._scale = np.array(settings["output"]["scale"], np.float64)
            self._bias = np.array(settings["output"]["bias"], np.float64)
            self._clk_mhz = float(settings["clk_mhz"])
            self._simulator = (build / settings["simulator"]).resolve()
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: entry missing or of the wrong type: {error}; {_remedy(path)}"
            ) from error
        if not self._simulator.is_file():
            raise UserError(f"no simulator at {self._simulator}; {_remedy(path)}")
        self._log = build / LOG

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return landmarks (N, 98, 2), fractions 0..1, for crops (N, size, size) uint8.

        Raises as ``simulate``; ``details`` then tells the cycles that the accelerator took.
        """
        accumulators, stats = self.simulate(images)
        latency = int(stats["frame_ends"][0]) - int(stats["first_input"]) + 1
        self.details = {
            **stats,
            "latency_cycles": latency,
            "latency_ms": round(latency / self._clk_mhz / 1e3, 4),
            "clk_mhz": self._clk_mhz,
        }
        return as_landmarks(accumulators * self._scale + self._bias, self.model)

    def simulate(
        self, images: npt.NDArray[np.uint8], stall_seed: int | None = None
    ) -> Simulation:
        """Send crops (N, size, size) uint8 through the simulated accelerator, back to back.

        Args:
            images: the crops.
            stall_seed: let both streams pause at random with this seed; None for full rate.

        Raises:
            UserError: the crops have another shape, or the simulator cannot be started.
            ToolError: the simulator failed or gave too little.
        """
        check_images(images, self.size)
        try:
            with tempfile.TemporaryDirectory() as folder:
                return self._run(images, Path(folder), stall_seed)
        except OSError as error:
            place = error.filename or tempfile.gettempdir()
            raise UserError(
                f"cannot simulate with {self._simulator}: {place}: {error.strerror}; "
                f"{_remedy(Path(self.model))}"
            ) from error

    def _run(
        self, images: npt.NDArray[np.uint8], folder: Path, stall_seed: int | None
    ) -> Simulation:
        frames, words, stats = (folder / name for name in ("in.bin", "out.bin", "stats.json"))
        frames.write_bytes(images.tobytes())
        command = [str(self._simulator), "--input", str(frames), "--output", str(words),
                   "--stats", str(stats)]  # fmt: skip
        if stall_seed is not None:
            command += ["--stall-seed", str(stall_seed)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise self._failure(command, f"exit code {done.returncode}", done.stderr)
        expected = len(images) * 2 * COUNT * 4
        found = words.stat().st_size if words.is_file() else 0
        if found != expected or not stats.is_file():
            reason = f"gave {found} bytes for {len(images)} frames, {expected} expected"
            raise self._failure(command, reason, done.stderr)
        accumulators = np.fromfile(words, "<i4").astype(np.int32).reshape(-1, 2 * COUNT)
        return Simulation(accumulators, json.loads(stats.read_text()))

    def _failure(self, command: Sequence[str], reason: str, stderr: str) -> ToolError:
        atomic.write_text(self._log, f"{' '.join(command)}\n{reason}\n{stderr}")
        tail = "\n".join(stderr.splitlines()[-TAIL_LINES:])
        return ToolError(command, self._log, reason, tail)

    def close(self) -> None:
        """Nothing is held between inferences."""


def _remedy(path: Path) -> str:
    return f"run: python -m build_flows build --config {path.parent.name}"


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; {_remedy(path)}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}; {_remedy(path)}") from error
    found = settings.get("format") if isinstance(settings, dict) else None
    if found != FORMAT:
        raise UserError(f"{path} has format {found}, this host reads {FORMAT}; {_remedy(path)}")
    return dict(settings)


def _check_shapes(settings: dict[str, Any], path: Path) -> int:
    entry, result = settings["input"], settings["output"]
    shape = list(entry["shape"])
    sizes = [*result["shape"], len(result["scale"]), len(result["bias"])]
    fits = len(shape) == 3 and shape[1:] == [shape[0], 1] and entry["dtype"] == "UINT8"
    if not fits or sizes != [2 * COUNT] * 3:
        raise UserError(
            f"{path}: input {entry['dtype']} {shape}, output {result['shape']} with {sizes[-2]} "
            f"scales and {sizes[-1]} biases; must be UINT8 [size, size, 1] and {2 * COUNT} of each"
        )
    return int(shape[0])
