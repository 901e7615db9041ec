# SPDX-License-Identifier: Apache-2.0
"""The script for Vitis HLS in tclsh with a stand-in that knows its commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from build_flows.config import load_config
from build_flows.cpp.network import run_vitis, write_scripts
from build_flows.design.verify import Golden
from host.common.errors import ToolError

TCLSH = shutil.which("tclsh")
pytestmark = pytest.mark.skipif(TCLSH is None, reason="tclsh is not installed")
COMMANDS = (
    "open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock",
    "csim_design", "csynth_design", "cosim_design", "export_design",
)  # fmt: skip
STAND_IN = "".join(f"proc {name} args {{puts [concat {name} $args]}}\n" for name in COMMANDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    golden = Golden(np.arange(32, dtype=np.uint8).reshape(4, 2, 4), np.arange(-8, 0).reshape(4, 2))
    write_scripts(tmp_path, load_config("demo"), golden)
    return tmp_path


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    text = STAND_IN + (folder / "vitis.tcl").read_text()
    return subprocess.run(
        [TCLSH], input=text, cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_script_goes_from_simulation_to_the_ip(folder: Path) -> None:
    done = run(folder)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert done.stderr == ""
    assert [line.split()[0] for line in lines][-4:] == list(COMMANDS[-4:])
    assert "set_part xck26-sfvc784-2LV-c" in lines
    assert "create_clock -period 4.000 -name default" in lines
    assert lines[-1].endswith("-format ip_catalog -vendor kria-landmarks -output accelerator.zip")
    benches = [line.split()[-1] for line in lines if line.startswith("add_files -tb")]
    assert benches == [
        "frames.cpp", "accelerator_tb.cpp", "golden_images.txt", "golden_accumulators.txt",
    ]  # fmt: skip


def test_it_stops_where_it_is_told(folder: Path) -> None:
    last = run(folder, LANDMARKS_UNTIL="csynth").stdout.splitlines()[-1]
    assert last == "csynth_design"
    done = run(folder, LANDMARKS_UNTIL="all")
    assert done.returncode == 1
    assert "LANDMARKS_UNTIL=all is unknown; use csim, csynth, cosim or export" in done.stdout


def test_golden_frames_are_a_line_each(folder: Path) -> None:
    assert (folder / "golden_images.txt").read_text().splitlines()[1] == "8 9 10 11 12 13 14 15"
    assert (folder / "golden_accumulators.txt").read_text() == "-8 -7\n-6 -5\n-4 -3\n"


@pytest.mark.parametrize(("does", "reason"), [("exit 0", "left no acc"), ("exit 2", "exit code 2")])
def test_a_failing_vitis_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, reason: str
) -> None:
    program = tmp_path / "bin" / "vitis_hls"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    with pytest.raises(ToolError, match=f"vitis_hls: {reason}"):
        run_vitis(folder)
    program.write_text("#!/bin/sh\ntouch accelerator.zip\n")
    assert run_vitis(folder) == folder / "accelerator.zip"
