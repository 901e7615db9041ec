# SPDX-License-Identifier: Apache-2.0
"""The command line: one line and exit code 1 for whatever goes wrong, nothing left running."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from build_flows import __main__ as command_line
from build_flows.build import Build
from build_flows.design.simulate import run_tool
from host.common.errors import ToolError, UserError, VerifyError
from host.common.paths import ROOT


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (UserError("SIMD=5 is wrong"), "UserError: SIMD=5 is wrong"),
        (
            VerifyError("t", (0, 1), 3, 4, "map"),
            "VerifyError: t[0, 1] is 3, the integer reference says 4 after map",
        ),
        (
            ToolError(["g++"], Path("g.log"), "exit code 2"),
            "ToolError: g++: exit code 2; log: g.log",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (KeyboardInterrupt(), "interrupted; finished steps are kept, the same command goes on"),
    ],
)
def test_a_failure_is_one_line(monkeypatch, tmp_path, failure, line):
    def fails(*_):
        raise failure

    monkeypatch.setattr(Build, "until", fails)
    arguments = ["build", "--config", "demo", "--out", str(tmp_path)]
    result = CliRunner().invoke(command_line.cli, arguments)
    assert result.exit_code == 1
    assert result.output.strip().startswith(line)
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ["explore", "--config", "demo", "--fps"],
        ["explore", "--config", "demo", "--clk-mhz"],
        ["explore", "--config", "demo", "--time-limit"],
        ["bitstream", "--config", "demo", "--clk-mhz"],
        ["table", __file__, "--fps"],
        ["new", "n", "--model", "m.onnx", "--fps"],
        ["new", "n", "--model", "m.onnx", "--input-scale"],
        ["new", "n", "--model", "m.onnx", "--input-offset"],
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_are_finite(options, value):
    result = CliRunner().invoke(command_line.cli, [*options, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{options[-1]}': {value} is not finite; give a" in result.output


def test_a_tool_that_fails_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "tool.log"
    with pytest.raises(ToolError, match=r"sh: exit code 3; log: .*tool.log\nlast words"):
        run_tool(["sh", "-c", "echo last words; exit 3"], tmp_path, log)


def test_a_tool_that_is_missing(tmp_path):
    with pytest.raises(UserError, match="no_such_tool is missing"):
        run_tool(["no_such_tool"], tmp_path, tmp_path / "log")


def test_an_interrupt_ends_the_tool_and_its_children(tmp_path, sigint):
    """The grandchild would write its file a second later; it must not live that long."""
    mark = tmp_path / "mark"
    script = f"(sleep 1; touch {mark}) & touch {tmp_path / 'started'}; wait"
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run_tool(["sh", "-c", script], tmp_path, tmp_path / "log")
    assert (tmp_path / "started").exists()
    time.sleep(1.2)
    assert not mark.exists()


def test_an_unknown_config_from_a_shell():
    command = [sys.executable, "-m", "build_flows", "build", "--config", "nothing"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("UserError: no config nothing; known are")
    assert "Traceback" not in result.stderr
