# SPDX-License-Identifier: Apache-2.0
"""Ways to run the network: ``cpu`` and ``gpu`` (onnxruntime), ``sim``, ``csim``, ``fpga`` (KV260).

What a backend needs beyond numpy is imported when it is opened.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from host.backends.base import Backend
from host.common.errors import UserError
from host.common.paths import WORK, ZOO

if TYPE_CHECKING:
    from host.backends.cpu import CpuBackend

DEFAULT_MODEL = ZOO / "pfld_eyes_fp32.onnx"
"""What ``cpu`` and ``gpu`` run unless told otherwise."""

SMALL_MODEL = ZOO / "pfld_eyes_small_fp32.onnx"
"""What watches a face in its place where the processor needs more than SLOW with it."""

SLOW = 0.04
"""Seconds per face; a blink is shorter than four pictures at that pace."""

DEFAULT_BUILD = WORK / "build" / "demo"
"""The build that ``sim`` and ``csim`` run unless told otherwise."""

DEFAULT_OVERLAY = WORK / "overlays" / "kv260_eyes"
"""The overlay that ``fpga`` loads unless told otherwise."""

BACKENDS = ("auto", "gpu", "cpu", "sim", "csim", "fpga")

BUILT = ("sim", "csim", "fpga")
"""Those that run a build of the hardware flow; the others run a model file."""

AUTOMATIC = ("fpga", "gpu", "cpu")
"""What ``auto`` tries, the fastest first."""

__all__ = [
    "BACKENDS",
    "DEFAULT_BUILD",
    "DEFAULT_MODEL",
    "DEFAULT_OVERLAY",
    "SMALL_MODEL",
    "Backend",
    "open_backend",
    "open_monitor",
]


def open_backend(
    name: str,
    model: Path | None = None,
    build: Path | None = None,
    threads: int = 0,
) -> Backend:
    """Open a backend.

    Args:
        name: one of BACKENDS; ``auto`` is the first of AUTOMATIC that this machine has.
        model: ONNX file for ``cpu`` and ``gpu``; None is DEFAULT_MODEL.
        build: folder of the build for ``sim`` and ``csim``, of the overlay for ``fpga``; None is
            DEFAULT_BUILD or DEFAULT_OVERLAY.
        threads: of ``cpu``; 0 for the fastest number, which is measured.

    Raises:
        UserError: the name is unknown, an argument belongs to another backend, or the backend
            lacks a file, package or device.
        DeviceError: the accelerator of ``fpga`` does not work.
    """
    if name not in BACKENDS:
        raise UserError(f"unknown backend '{name}'; use {', '.join(BACKENDS)}")
    if model is not None and name in BUILT:
        raise UserError(
            f"--model {model} is for the backends cpu and gpu; {name} runs the model of its --build"
        )
    if build is not None and name not in BUILT:
        raise UserError(
            f"--build {build} is for the backends {', '.join(BUILT)}; {name} runs its --model"
        )
    if name == "fpga":
        from host.backends.fpga import open_board

        return open_board(build or DEFAULT_OVERLAY)
    if name == "auto":
        return _first(model, threads)
    if name == "gpu":
        from host.backends.gpu import GpuBackend

        return GpuBackend(model or DEFAULT_MODEL)
    if name == "cpu":
        from host.backends.cpu import CpuBackend

        return CpuBackend(model or DEFAULT_MODEL, threads)
    if name == "csim":
        from host.backends.csim import CsimBackend

        return CsimBackend(build or DEFAULT_BUILD)
    from host.backends.sim import SimBackend

    return SimBackend(build or DEFAULT_BUILD)


def open_monitor(
    name: str, model: Path | None = None, build: Path | None = None, threads: int = 0
) -> Backend:
    """Open a backend for faces that are watched: SMALL_MODEL by default on a slow processor.

    Arguments and errors are those of :func:`open_backend`. Which network runs is in ``model``, and
    a line of the log says why it is the small one.
    """
    backend = open_backend(name, model, build, threads)
    if model is not None or backend.name != "cpu":
        return backend
    seconds = cast("CpuBackend", backend).seconds
    if seconds <= SLOW:
        return backend
    backend.close()
    logging.getLogger(__name__).warning(
        "one face takes %.0f ms with %s on this processor; %s is taken, --model chooses",
        1000 * seconds, DEFAULT_MODEL.name, SMALL_MODEL.name,
    )  # fmt: skip
    return open_backend("cpu", SMALL_MODEL, threads=threads)


def _first(model: Path | None, threads: int) -> Backend:
    """Open the first of AUTOMATIC that works; the last one's error tells why none does."""
    for name in AUTOMATIC[:-1]:
        try:
            return open_backend(name, model, threads=threads)
        except UserError as error:
            logging.getLogger(__name__).info("backend %s: %s", name, error)
    return open_backend(AUTOMATIC[-1], model, threads=threads)
