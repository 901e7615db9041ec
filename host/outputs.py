# SPDX-License-Identifier: Apache-2.0
"""What a network that is not about faces makes of a picture: classes, a map, values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from host.backends.base import Accelerator
from host.common.arrays import F64Array, Image
from host.common.timing import timed
from host.face.image import fitted, load_source

FORMAT = 1
"""Version of the JSON result."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Outputs of a picture and how they came about."""

    source: str
    picture: Image
    """(H, W, 3) BGR."""
    task: str
    outputs: Mapping[str, F64Array]
    """Of the picture by the names of the network's outputs, see host.common.tasks."""
    backend: str
    model: str
    details: Mapping[str, object]
    """What the backend told besides."""
    times_ms: dict[str, float]
    """Wall time by stage: load, infer."""

    def as_json(self) -> dict[str, object]:
        """Return the result in the form that docs/host.md describes."""
        height, width = self.picture.shape[:2]
        return {
            "format": FORMAT,
            "source": self.source,
            "picture": {"width": width, "height": height},
            "task": self.task,
            "outputs": {name: values.tolist() for name, values in self.outputs.items()},
            "times_ms": {name: round(value, 3) for name, value in self.times_ms.items()},
            "backend": self.backend,
            "model": self.model,
            "details": dict(self.details),
        }

    def summary(self) -> str:
        """Return one line for people."""
        times = ", ".join(f"{name} {value:.1f} ms" for name, value in self.times_ms.items())
        found = ", ".join(f"{name} {_short(values)}" for name, values in self.outputs.items())
        return f"{self.task}: {found}, backend {self.backend} ({times})"


def decode_picture(source: str, backend: Accelerator, rotate: int = 0) -> Decoded:
    """Run the whole picture through the network, in its size and colours.

    source: path or HTTP address of a picture, or ASTRONAUT; rotate: degrees clockwise by which it
    is turned first. UserError if it cannot be read, ToolError if the backend's program fails.
    """
    times: dict[str, float] = {}
    settings = backend.settings
    with timed(times, "load"):
        picture = load_source(source)
        picture = np.rot90(picture, -rotate // 90).copy() if rotate else picture
    with timed(times, "infer"):
        found = settings.decode(backend.accumulate(fitted(picture, settings.shape)[np.newaxis]))
    return Decoded(
        source=source, picture=picture, task=settings.task,
        outputs={name: values[0] for name, values in found.items()}, backend=backend.name,
        model=backend.model, details=backend.details, times_ms=times,
    )  # fmt: skip


def _short(values: F64Array) -> str:
    """A number, or the shape of an array."""
    return f"{values:g}" if np.ndim(values) == 0 else f"of shape {values.shape}"
