# SPDX-License-Identifier: Apache-2.0
"""settings.json of a build and of an overlay: what the host must know of an accelerator.

One format; an overlay's says more, see host.board.overlay. build_flows/report.py is the writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.common.accumulators import landmarks_of
from host.common.arrays import Accumulators, F64Array, Points
from host.common.errors import UserError
from host.common.json_file import read_json

FILE = "settings.json"
FORMAT = 1
"""The version that is written and understood."""
BUILD_IT = "make it with: python -m build_flows build --config demo"


@dataclass(frozen=True)
class Settings:
    """An accelerator as its host sees it."""

    config: str
    input_size: int
    """Side of the square grey input in pixels; a frame is one byte a pixel, row by row."""
    outputs: int
    """Accumulators of a frame: x and y of each point."""
    scale: F64Array
    """Landmark coordinate per unit of the accumulator, (outputs,)."""
    bias: F64Array
    """Landmark coordinate at accumulator 0, (outputs,)."""
    clk_mhz: float
    """Clock that was assumed, or that the implementation met."""

    def landmarks(self, accumulators: Accumulators) -> Points:
        """Fractions of the crop (N, points, 2) of accumulators (N, outputs)."""
        return landmarks_of(accumulators, self.scale, self.bias)


@dataclass(frozen=True)
class BuildSettings(Settings):
    """Those of a build."""

    simulator: Path | None
    """Program with the simulated RTL; None if the folder has none."""


def read_settings(build: Path) -> BuildSettings:
    """Read and check ``build``/settings.json.

    Raises:
        UserError: the file is missing, is no JSON, has another format or does not fit together.
    """
    content, path = load(build, BUILD_IT, "build again"), build / FILE
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise UserError(f"{path} has format {found}; this host reads {FORMAT}, build again")
    try:
        program = (build / content["simulator"]).resolve() if "simulator" in content else None
        return BuildSettings(**parse(content), simulator=program)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not as expected: {error!r}; build again") from error


def load(folder: Path, missing: str, again: str) -> Any:
    """What ``folder``/settings.json holds, unchecked.

    ``missing`` and ``again`` say what to do when it is not there or no JSON; UserError.
    """
    path = folder / FILE
    try:
        return read_json(path)
    except UserError as error:
        raise UserError(f"{error}; {again if path.is_file() else missing}") from error


def parse(content: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a Settings; KeyError, TypeError or ValueError if they do not fit together."""
    height, width, channels = content["input"]["shape"]
    (outputs,) = content["output"]["shape"]
    kinds = content["input"]["dtype"], content["output"]["dtype"]
    if (height, channels, kinds[0]) != (width, 1, "UINT8") or outputs % 2:
        raise ValueError(
            f"{content['input']['shape']} {kinds[0]} and {outputs} outputs, not square grey UINT8 "
            "and x, y pairs"
        )
    scale, bias = (
        np.broadcast_to(np.asarray(content["output"][name], np.float64), outputs)
        for name in ("scale", "bias")
    )
    return {
        "config": str(content["config"]),
        "input_size": int(height),
        "outputs": int(outputs),
        "scale": scale,
        "bias": bias,
        "clk_mhz": float(content["clk_mhz"]),
    }
