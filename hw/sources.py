# SPDX-License-Identifier: Apache-2.0
"""Files of hw/rtl and of FINN's generators: the sources of units in one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from host.common.errors import UserError
from hw.ops.unit import Unit
from hw.rtl_files import files_of


def sources(units: Iterable[Unit]) -> list[Path]:
    """The files of hw/rtl that ``units`` need, each once, a module after those it instantiates."""
    return files_of(module for unit in units for module in unit.rtl_modules)


def write_rtl(
    units: Sequence[Unit], folder: Path, model: ModelWrapper, part: str, clk_ns: float
) -> None:
    """Put the sources of the units of ``model`` into ``folder``.

    FINN generates its own in a scratch folder, of which nothing stays; a file of hw/rtl takes the
    place of one of FINN's with its name. UserError if two differ in one name.
    """
    for file in sources(units):
        shutil.copyfile(file, folder / file.name)
    for unit in units:
        ours = {file.name for file in sources([unit])}
        with tempfile.TemporaryDirectory() as scratch:
            for file in unit.generated_rtl(Path(scratch), model, part, clk_ns):
                if file.name not in ours:
                    _place(file, folder, unit.name)


def _place(file: Path, folder: Path, unit: str) -> None:
    target = folder / file.name
    if target.exists() and target.read_bytes() != file.read_bytes():
        raise UserError(f"{unit}: two different files are called {file.name}")
    shutil.copyfile(file, target)
