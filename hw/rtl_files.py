# SPDX-License-Identifier: Apache-2.0
"""The files of hw/rtl: which ones a module needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hw.rtl_order import in_order, names_in

RTL_FOLDER = Path(__file__).parent / "rtl"


def files_of(modules: Iterable[str]) -> list[Path]:
    """Files of hw/rtl that the named ``modules`` of ours need, in the order of hw.rtl_order."""
    wanted = set(modules)
    files = in_order(RTL_FOLDER.glob("*.sv"))
    for path in reversed(files):  # users come after what they use
        if path.stem in wanted:
            wanted |= set(names_in(path)[1])
    return in_order(path for path in files if path.stem in wanted)
