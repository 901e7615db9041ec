# SPDX-License-Identifier: Apache-2.0
"""Ways to run the network: ``cpu`` (onnxruntime) and ``sim`` (simulated hardware).

What a backend needs beyond numpy is imported when it is opened.
"""

from __future__ import annotations

from pathlib import Path

from host.backends.base import Backend
from host.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_MODEL = ROOT / "model" / "zoo" / "pfld_025x_exact.onnx"
"""What ``cpu`` runs unless told otherwise: equal to the integer reference to the bit."""

MONITOR_MODEL = ROOT / "model" / "zoo" / "pfld_1x_fp32.onnx"
"""What ``cpu`` runs on moving pictures unless told otherwise: the quarter-width network does not
follow the eyelids."""

DEFAULT_BUILD = ROOT / "build" / "demo"
"""The build whose simulator ``sim`` runs unless told otherwise."""

BACKENDS = ("cpu", "sim")

__all__ = [
    "BACKENDS",
    "DEFAULT_BUILD",
    "DEFAULT_MODEL",
    "MONITOR_MODEL",
    "ROOT",
    "Backend",
    "open_backend",
]


def open_backend(name: str, model: Path | None = None, build: Path | None = None) -> Backend:
    """Open a backend.

    Args:
        name: one of BACKENDS.
        model: ONNX file for ``cpu``, exact or QDQ; None is DEFAULT_MODEL.
        build: folder with settings.json for ``sim``; None is DEFAULT_BUILD.

    Raises:
        UserError: the name is unknown, an argument belongs to another backend, or the backend
            lacks a file or package.
    """
    if name not in BACKENDS:
        raise UserError(f"unknown backend '{name}'; use {' or '.join(BACKENDS)}")
    if model is not None and name != "cpu":
        raise UserError(
            f"--model {model} is for the backend cpu; {name} runs the model of its --build"
        )
    if build is not None and name != "sim":
        raise UserError(f"--build {build} is for the backend sim; {name} runs its --model")
    if name == "cpu":
        from host.backends.cpu import CpuBackend

        return CpuBackend(model or DEFAULT_MODEL)
    from host.backends.sim import SimBackend

    return SimBackend(build or DEFAULT_BUILD)
