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
from host.common.arrays import Accumulators, F64Array, Images, Points
from host.common.errors import UserError
from host.common.json_file import read_json
from host.common.tasks import LANDMARKS, TASKS, Outputs, decode

FILE = "settings.json"
FORMAT = 1
"""The version that is written and understood."""
BUILD_IT = "make it with: python -m build_flows build --config demo"


@dataclass(frozen=True)
class Settings:
    """An accelerator as its host sees it."""

    config: str
    network: str
    """Name of the network's file, without its suffix."""
    shape: tuple[int, ...]
    """Of a frame: height, width and channels, or the elements of a vector; a byte each, row by row,
    the channels of a pixel one after another."""
    outputs: int
    """Accumulators of a frame."""
    scale: F64Array
    """Worth of one of each accumulator, (outputs,)."""
    bias: F64Array
    """Worth of each accumulator at 0, (outputs,)."""
    clk_mhz: float
    """Clock that was assumed, or that the implementation met."""
    content: Mapping[str, Any]
    """All of settings.json, for the decoder of the task."""

    @property
    def task(self) -> str:
        """What the outputs are, of host.common.tasks.TASKS."""
        return str(self.content["task"])

    @property
    def input_size(self) -> int:
        """Side of the square grey crop of a network for landmarks; UserError for any other."""
        if self.task != LANDMARKS:
            raise UserError(
                f"{self.config} gives {self.task} of whole pictures, not landmarks of faces; "
                "run it on a picture with host/run.py --build"
            )
        return self.shape[0]

    def frames(self, images: Images) -> Images:
        """The images as (N, *shape); UserError unless they are N such frames, N at least 1.

        The channels' axis may be missing where there is one channel.
        """
        flat = self.shape[:-1] if self.shape[-1] == 1 else self.shape
        fits = images.shape[1:] in (self.shape, flat)
        if images.dtype != np.uint8 or not fits or not len(images):
            raise UserError(
                f"images are {images.dtype} of shape {images.shape}; the network takes uint8 "
                f"(N, {', '.join(map(str, flat))}) with N at least 1"
            )
        return images.reshape(-1, *self.shape)

    def landmarks(self, accumulators: Accumulators) -> Points:
        """Fractions of the crop (N, points, 2) of accumulators (N, outputs)."""
        return landmarks_of(accumulators, self.scale, self.bias)

    def decode(self, accumulators: Accumulators) -> Outputs:
        """What accumulators (N, outputs) stand for after the task, by the names of the outputs."""
        return decode(accumulators.astype(np.int64), self.content)


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
    shape = tuple(int(size) for size in content["input"]["shape"])
    (outputs,) = content["output"]["shape"]
    kind, task = content["input"]["dtype"], content["task"]
    if kind != "UINT8" or min(shape) < 1 or task not in TASKS:
        raise ValueError(f"{shape} of {kind} for {task}, not bytes for {', '.join(TASKS)}")
    if task == LANDMARKS and (shape != (shape[0], shape[0], 1) or outputs % 2):
        raise ValueError(f"{shape} and {outputs} outputs, not square grey and x, y pairs")
    scale, bias = (
        np.broadcast_to(np.asarray(content["output"][name], np.float64), outputs)
        for name in ("scale", "bias")
    )
    return {
        "config": str(content["config"]),
        "network": str(content["network"]),
        "shape": shape,
        "outputs": int(outputs),
        "scale": scale,
        "bias": bias,
        "clk_mhz": float(content["clk_mhz"]),
        "content": content,
    }
