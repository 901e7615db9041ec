# SPDX-License-Identifier: Apache-2.0
"""Environments of Python 3.10, as on the board, each in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from host.common.paths import ROOT

REQUIREMENTS = ROOT / "host" / "requirements-board.txt"


def new_environment(folder: Path, *packages: str) -> Path:
    """Python of a new environment with ``packages``; skips the test without Python 3.10."""
    found = _python_3_10()
    if found is None:
        pytest.skip("Python 3.10 is not installed")
    subprocess.run([found, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(command, check=True, capture_output=True)
    return python


def _python_3_10() -> str | None:
    """A Python 3.10 that starts; the name on PATH may be a shim of another version."""
    for name in ("python3.10", *Path.home().glob(".pyenv/versions/3.10*/bin/python3.10")):
        program = shutil.which(name)
        if program and subprocess.run([program, "-V"], capture_output=True).returncode == 0:
            return program
    return None
