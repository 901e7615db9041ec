# SPDX-License-Identifier: Apache-2.0
"""Ways to run the network: ``cpu`` (onnxruntime), ``sim`` (simulated hardware), ``fpga`` (KV260).

What a backend needs beyond numpy is imported when it is opened.
"""

from __future__ import annotations

from pathlib import Path

from host.backends.base import Backend
from host.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_MODEL = ROOT / "model" / "zoo" / "pfld_025x_exact.onnx"
"""What ``cpu`` runs unless told otherwise: equal to the integer reference to the bit."""

DEFAULT_BUILD = ROOT / "build" / "demo"
"""The build whose simulator ``sim`` runs unless told otherwise."""

DEFAULT_OVERLAY = ROOT / "overlays" / "kv260_1x"
"""The overlay that ``fpga`` loads unless told otherwise."""

BACKENDS = ("cpu", "sim", "fpga")

__all__ = [
    "BACKENDS",
    "DEFAULT_BUILD",
    "DEFAULT_MODEL",
    "DEFAULT_OVERLAY",
    "Backend",
    "open_backend",
]


def open_backend(name: str, model: Path | None = None, build: Path | None = None) -> Backend:
    """Open a backend.

    Args:
        name: one of BACKENDS.
        model: ONNX file for ``cpu``, exact or QDQ; None is DEFAULT_MODEL.
        build: folder with settings.json for ``sim`` and ``fpga``; None is DEFAULT_BUILD for
            ``sim``, DEFAULT_OVERLAY for ``fpga``.

    Raises:
        UserError: the name is unknown, an argument belongs to another backend, or the backend
            lacks a file or package.
        DeviceError: the accelerator of ``fpga`` does not work.
    """
    if name not in BACKENDS:
        raise UserError(f"unknown backend '{name}'; use {' or '.join(BACKENDS)}")
    if model is not None and name != "cpu":
        raise UserError(
            f"--model {model} is for the backend cpu; {name} runs the model of its --build"
        )
    if build is not None and name == "cpu":
        raise UserError(f"--build {build} is for the backends sim and fpga; cpu runs its --model")
    if name == "fpga":
        from host.backends.fpga import open_board

        return open_board(build or DEFAULT_OVERLAY)
    if name == "cpu":
        from host.backends.cpu import CpuBackend

        return CpuBackend(model or DEFAULT_MODEL)
    from host.backends.sim import SimBackend

    return SimBackend(build or DEFAULT_BUILD)
