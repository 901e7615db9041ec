# SPDX-License-Identifier: Apache-2.0
"""The files through which the Verilated accelerator is driven.

The other side is build_flows/design/simulator/main.cpp: frames of bytes in, accumulators out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.common.arrays import Accumulators, Images

PRELOAD = ("+preload",)  #: the weight memories begin with the weights of the build


@dataclass(frozen=True)
class SimulationFiles:
    """Input, output and statistics of one run, in a folder that exists."""

    folder: Path

    @property
    def stats(self) -> Path:
        """Statistics; the simulator writes them even when it stops in a deadlock."""
        return self.folder / "stats.json"

    @property
    def _input(self) -> Path:
        return self.folder / "input.bin"

    @property
    def _output(self) -> Path:
        return self.folder / "output.bin"

    def write(self, images: Images) -> None:
        """Frames (N, ...), a byte each element, for the next run; what the last one left goes."""
        self._input.write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())
        for path in (self._output, self.stats):
            path.unlink(missing_ok=True)

    def command(self, program: Path | str, *options: str) -> list[str]:
        """How the simulator is started."""
        files = {"--input": self._input, "--output": self._output, "--stats": self.stats}
        named = [word for name, path in files.items() for word in (name, str(path))]
        return [str(program), *named, *options]

    def accumulators(self, frames: int, outputs: int) -> Accumulators:
        """What the run gave, (frames, outputs); ValueError if there is more or less."""
        path, expected = self._output, frames * outputs * 4
        size = path.stat().st_size if path.is_file() else 0
        if size != expected:
            raise ValueError(
                f"wrote {size} bytes for {frames} frames of {outputs} words, not {expected}"
            )
        return np.fromfile(path, "<i4").reshape(frames, outputs).astype(np.int32)

    def statistics(self) -> dict[str, Any]:
        """Cycles of the run, see main.cpp; ValueError if there are none."""
        try:
            found = json.loads(self.stats.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(f"left no usable statistics: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"left statistics that are no JSON object: {found!r}")
        return found
