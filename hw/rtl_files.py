# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog files: which ones a module needs, and the one order in which tools read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

RTL_FOLDER = Path(__file__).parent / "rtl"
PREFIX = "kl_"  #: of our modules: SystemVerilog has one namespace for those of all libraries
SUFFIXES = (".sv", ".v")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
DECLARED = re.compile(r"^[ \t]*(?:package|module)\s+(?:automatic\s+|static\s+)?(\w+)", re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")


def module_name(kernel: str) -> str:
    """Module, and stem of its file in hw/rtl, of the kernel ``kernel``."""
    return PREFIX + kernel


def files_of(modules: Iterable[str]) -> list[Path]:
    """Files of hw/rtl that the named ``modules`` of ours need, in the order of :func:`in_order`."""
    wanted = set(modules)
    files = in_order(RTL_FOLDER.glob("*.sv"))
    for path in reversed(files):  # users come after what they use
        if path.stem in wanted:
            wanted |= set(_names(path)[1])
    return in_order(path for path in files if path.stem in wanted)


def in_order(files: Iterable[Path]) -> list[Path]:
    """``files`` with every package and module before those that use it, otherwise by file name.

    Every tool that reads a list of sources gets it from here.
    """
    names = {path: _names(path) for path in sorted(files, key=lambda path: path.name)}
    home = {name: path for path, (declared, _) in names.items() for name in declared}
    ordered: dict[Path, None] = {}
    entered: set[Path] = set()

    def visit(path: Path) -> None:
        if path in entered:
            return
        entered.add(path)
        for used in sorted({home[name] for name in names[path][1] if name in home}):
            visit(used)
        ordered[path] = None

    for path in names:
        visit(path)
    return list(ordered)


def source_files(folder: Path) -> list[Path]:
    """All SystemVerilog and Verilog sources of a folder, in order."""
    return in_order(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def _names(path: Path) -> tuple[list[str], set[str]]:
    """Packages and modules that a file declares, and all identifiers in it."""
    text = COMMENT.sub("", path.read_text())
    return DECLARED.findall(text), set(NAME.findall(text))
