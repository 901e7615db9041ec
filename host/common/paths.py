# SPDX-License-Identifier: Apache-2.0
"""Where the program lies and where it writes unless told otherwise."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the packages: a checkout, or site-packages."""

WORK = ROOT if (ROOT / "pyproject.toml").is_file() else Path.cwd()
"""Folder of ``build`` and ``overlays``: the checkout, or where an installed program is started."""

ZOO = ROOT / "model" / "zoo"
"""Folder of the trained networks."""


def relative(path: Path) -> str:
    """Path for a message or a report: relative to where the program lies or writes, if below."""
    for folder in (WORK, ROOT):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return str(path)
