# SPDX-License-Identifier: Apache-2.0
"""What computes the landmarks: onnxruntime on this CPU, or the simulated accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from host.errors import UserError
from host.landmarks import COUNT

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "model" / "zoo" / "pfld_025x_qdq.onnx"
BUILD = ROOT / "build" / "demo"
NAMES = ("cpu", "sim")


class Backend(Protocol):
    """Computes landmarks; close it after use."""

    name: str
    """One of NAMES."""

    model: str
    """File that the backend was opened from."""

    size: int
    """Side of its input pictures in pixels."""

    details: dict[str, Any]
    """What else it knows of the latest inference, for JSON; empty for most."""

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return landmarks (N, 98, 2), fractions 0..1 of the crop, for crops (N, size, size)."""

    def close(self) -> None:
        """Free what the backend holds."""


def open_backend(name: str, model: Path | None = None, build: Path | None = None) -> Backend:
    """Open a backend.

    Args:
        name: "cpu" or "sim".
        model: QDQ file for "cpu"; None for the shipped one.
        build: output folder of ``python -m build_flows build`` for "sim"; None for build/demo.

    Raises:
        UserError: unknown name, a file of the other backend is given, or its file is missing or
            not what the backend expects.
    """
    if name not in NAMES:
        raise UserError(f"unknown backend {name!r}; choose one of {', '.join(NAMES)}")
    if name == "cpu":
        if build is not None:
            raise UserError(f"backend cpu takes no build folder, got {build}; use --backend sim")
        from host.backends.cpu import CpuBackend

        return CpuBackend(model or MODEL)
    if model is not None:
        raise UserError(
            f"backend sim takes no model, got {model}; it runs the design in the build folder"
        )
    from host.backends.sim import SimBackend

    return SimBackend(build or BUILD)


def check_images(images: npt.NDArray[np.uint8], size: int) -> None:
    """Raise UserError unless ``images`` is uint8 of shape (N, size, size), N at least 1."""
    if images.dtype != np.uint8 or images.shape[1:] != (size, size) or not len(images):
        raise UserError(
            f"crops are {images.dtype} of shape {images.shape}; "
            f"give uint8 of shape (N, {size}, {size}), N at least 1"
        )


def as_landmarks(outputs: npt.ArrayLike, model: str) -> npt.NDArray[np.float64]:
    """Turn outputs (N, 196), x0, y0, x1, ..., into landmarks (N, 98, 2); they must be finite."""
    landmarks = np.asarray(outputs, np.float64).reshape(-1, COUNT, 2)
    if not np.isfinite(landmarks).all():
        raise UserError(f"{model}: landmarks are not finite; the model is damaged, make it anew")
    return landmarks
