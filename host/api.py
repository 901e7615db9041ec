# SPDX-License-Identifier: Apache-2.0
"""What other programs use; docs/api.md begins with six lines that run."""

from __future__ import annotations

from pathlib import Path

from host import backends
from host.backends import Backend
from host.common.errors import UserError
from host.face.detect.choice import open_detector
from host.face.image import load_source
from host.face.landmarker import FaceLandmarks, Landmarker
from host.monitor.judge import Observation
from host.monitor.profile import read_profile, write_profile
from host.monitor.thresholds import Thresholds, read_thresholds
from host.monitor.watch import Monitor

__all__ = [
    "FaceLandmarks",
    "Landmarker",
    "Monitor",
    "Observation",
    "Thresholds",
    "UserError",
    "load_source",
    "open_backend",
    "open_detector",
    "read_profile",
    "read_thresholds",
    "write_profile",
]


def open_backend(
    name: str = "cpu", model: Path | None = None, build: Path | None = None, threads: int = 0
) -> Backend:
    """Open a backend as the commands do for a stream; see :func:`host.backends.open_monitor`."""
    return backends.open_monitor(name, model, build, threads)
