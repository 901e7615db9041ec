# SPDX-License-Identifier: Apache-2.0
"""Runs of Vivado, played by a stand-in: success, every failure in one line, the overlay's fate."""

import json
import shutil
import sys
import tarfile

import pytest
from click.testing import CliRunner

from build_flows import __main__ as command_line
from build_flows.board.bitstream import BUILD, OUT_OF_CONTEXT, publish, run_vivado, write_project
from build_flows.board.overlay import settings, write_overlay, write_package
from build_flows.build import Build
from host.board.overlay import read_overlay
from host.common.errors import ToolError, UserError
from host.common.paths import ROOT
from tests.build_flows.board import tiny

STANDIN = """#!{python}
import sys
from pathlib import Path
if "-version" in sys.argv:
    print({version!r})
    sys.exit(0)
script = sys.argv[sys.argv.index("-source") + 1]
assert sys.argv[1:3] == ["-mode", "batch"] and Path(script).is_file()
folder = Path("reports" if script == "build.tcl" else "out_of_context")
folder.mkdir(exist_ok=True)
Path("out").mkdir(exist_ok=True)
clocks = next(line for line in open("helpers.tcl") if line.startswith("set clocks"))
def result(setup, clock=clocks.split("{{")[1].split()[0]):
    (folder / "result.txt").write_text(
        "strategy Performance_Explore\\nclk_mhz %s\\nvivado 2022.2\\nsetup_slack_ns %s\\n"
        "hold_slack_ns 0.01\\npulse_width_slack_ns 0\\n"
        "from core/a_reg/C\\nto core/b_reg/D\\n" % (clock, setup))
def run(name, text):
    log = Path("project/landmarks.runs", name, "runme.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
def bit():
    Path("out/landmarks.bit").write_bytes(b"bits")
    Path("out/landmarks.hwh").write_text("<hwh/>")
    (folder / "utilization.rpt").write_text("some")
{scene}
"""
SUCCESS = "result('0.12'); bit()"


@pytest.fixture
def project(tiny_design, tmp_path):
    return write_project(tiny_design, tmp_path / "vivado", "tiny", "xck26-sfvc784-2LV-c", 250)


@pytest.fixture
def vivado(tmp_path, monkeypatch):
    """Function that puts a stand-in on PATH."""

    def put(scene=SUCCESS, version="Vivado v2022.2 (64-bit)"):
        program = tmp_path / "bin" / "vivado"
        program.parent.mkdir(exist_ok=True)
        text = STANDIN.format(python=sys.executable, version=version, scene=scene)
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return put


def test_without_vivado_one_line_says_what_is_left(project, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    text = (
        r"^vivado is not on PATH: install Vivado 2022\.2 or later .*; the complete project is in "
        r".*/vivado, all that is left is: vivado -mode batch -source .*/vivado/build\.tcl$"
    )
    with pytest.raises(UserError, match=text) as failure:
        run_vivado(project, BUILD)
    assert "\n" not in str(failure.value)


def test_a_success_becomes_an_overlay(project, vivado, tiny_design, tmp_path):
    vivado()
    result = run_vivado(project, BUILD)
    assert result["setup_slack_ns"] == "0.12"
    folder = tmp_path / "overlays" / "tiny"
    publish(project, tiny.SETTINGS, tiny_design, folder, result)
    overlay = read_overlay(folder)
    assert overlay.bitstream.read_bytes() == b"bits"
    assert (folder / "reports" / "utilization.rpt").read_text() == "some"
    origin = json.loads((folder / "settings.json").read_text())["origin"]
    assert origin["vivado"]["strategy"] == "Performance_Explore"
    assert set(origin) == {"part", "board", "vivado", "git", "versions"}


def test_out_of_context_needs_no_bitstream(project, vivado):
    vivado("result('-0.5')")
    assert run_vivado(project, OUT_OF_CONTEXT)["setup_slack_ns"] == "-0.5"


FAILURES = {
    "timing": (
        "result('-0.345', 50); print('ERROR: [landmarks] timing not met at any clock')",
        r"timing not met at any clock, with none of 5 strategies: at 50 MHz setup slack -0\.345 ns "
        r"from core/a_reg/C to core/b_reg/D; take a smaller folding",
    ),
    "licence": (
        "run('synth_1', \"ERROR: [Common 17-345] A valid license was not found for feature "
        "'Synthesis' and/or device 'xck26'.\"); "
        "print('ERROR: [landmarks] synth_1 ended with failure; see runme.log')",
        r"no licence: .*feature 'Synthesis' and/or device 'xck26'",
    ),
    "resources": (
        "print('ERROR: [Place 30-640] Place Check : This design requires more LUT as Logic cells "
        "than are available in the target device.')",
        r"the design does not fit the part: This design requires more LUT as Logic cells than are",
    ),
    "boards": (
        "print('ERROR: [landmarks] no board files of the KV260 SOM (xilinx.com:kv260_som)')",
        r"no board files of the KV260 SOM",
    ),
    "our own source": (
        "run('synth_1', 'ERROR: [Common 17-69] Command failed: Synthesis failed');"
        "run('system_landmarks_0_0_synth_1', 'ERROR: [Synth 8-1031] no y [x.sv:7]');"
        "run('impl_1', 'ERROR: [Place 1] nothing to place');"
        "print('ERROR: [landmarks] synth_1 ended with failure; see runme.log')",
        r"\[Synth 8-1031\] no y \[x\.sv:7\]",
    ),
    "crash": (
        "print('Abnormal program termination (11)')",
        r"Vivado crashed: Abnormal program termination \(11\); the same command goes on",
    ),
    "error": (
        "print('WARNING: x'); print('ERROR: [BD 41-758] no clock'); print('ERROR: later')",
        r"\[BD 41-758\] no clock",
    ),
    "full disk": (
        "run('synth_1', 'write error: No space left on device');"
        "print('ERROR: [landmarks] synth_1 ended with failure; see runme.log')",
        r"the disk is full: write error: No space left on device; make room, the same command goes",
    ),
    "licence server": (
        "print(\"ERROR: [Common 17-348] Failed to get the license for feature 'Implementation'\")",
        r"no licence: \[Common 17-348\] Failed to get the license for feature 'Impl.*'; the",
    ),
    "devices": (
        "print('ERROR: [Coretcl 2-106] Specified part could not be found.')",
        r"part could not be found\.; add the devices of Zynq UltraScale\+ MPSoC with Vivado's inst",
    ),
    "killed run": (
        "run('impl_1', 'rdiArgs.sh: line 312:  4711 Killed                  \"$RDI_PROG\"');"
        "print('ERROR: [landmarks] impl_1 ended with failure; see runme.log')",
        r"Vivado had too little memory: rdiArgs\.sh: line 312:  4711 Killed .*; the same command",
    ),
    "packager": (
        "print('ERROR: [IP_Flow 19-725] Identifier is not valid'); print('ERROR: later')",
        r"vivado: \[IP_Flow 19-725\] Identifier is not valid; log",
    ),
    "error of Tcl": (
        "print('INFO: x'); print('error copying \"a.hwh\": no such file or directory');"
        "print('    while executing'); print('\"file copy a.hwh\"');"
        "print('    (file \"build.tcl\" line 71)'); print('INFO: [Common 17-206] Exiting Vivado')",
        r'vivado: error copying "a\.hwh": no such file or directory; log',
    ),
    "garbage": ("print(chr(0xfffd) * 3 + chr(7)); print('the end'); print('INFO: Exiting Vivado')",
                r"ended without saying why, exit code 1: the end"),
    "silence": ("pass", "ended without saying why, exit code 1: empty log"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_one_line_and_the_overlay_stays(
    project, vivado, name, tiny_folder, tiny_design
):
    scene, message = FAILURES[name]
    vivado(f"{scene}; sys.exit(1)")
    before = {path: path.read_bytes() for path in tiny_folder.iterdir()}
    with pytest.raises(ToolError, match=message) as failure:
        run_vivado(project, BUILD)
    assert "\n" not in str(failure.value)
    assert str(failure.value).endswith(f"log: {project.folder / 'build.log'}")
    assert {path: path.read_bytes() for path in tiny_folder.iterdir()} == before


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(137)"])
def test_a_killed_vivado_is_a_failure(project, vivado, end):
    """By itself, or behind the shell script that starts it."""
    vivado(f"import os; print('working'); sys.stdout.flush(); {end}")
    text = "ended without saying why, killed by SIGKILL, most often for lack of memory: working"
    with pytest.raises(ToolError, match=text):
        run_vivado(project, BUILD)


def test_logs_of_an_earlier_start_tell_nothing(project, vivado):
    vivado(
        "import os; run('impl_1', 'No space left on device');"
        "os.utime('project/landmarks.runs/impl_1/runme.log', (1, 1));"
        "print('ERROR: [Project 1-19] the project is locked'); sys.exit(1)"
    )
    with pytest.raises(ToolError, match=r"vivado: \[Project 1-19\] the project is locked"):
        run_vivado(project, BUILD)


def test_a_library_that_vivado_lacks_is_named(project, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "vivado"
    program.parent.mkdir()
    missing = "libtinfo.so.5: cannot open shared object file: No such file or directory"
    program.write_text(f"#!/bin/sh\necho 'application-specific failed: {missing}'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    text = r"a library of the system is missing: .* libtinfo\.so\.5: cannot open .*; install it"
    with pytest.raises(ToolError, match=text) as failure:
        run_vivado(project, BUILD)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("version", ["Vivado v2022.1 (64-bit)", "Vivado v2019.2 (64-bit)"])
def test_an_old_vivado_is_refused(project, vivado, version):
    vivado(version=version)
    with pytest.raises(UserError, match=r"is Vivado 20.*, too old for this project; use 2022\.2"):
        run_vivado(project, BUILD)


def test_something_else_named_vivado(project, vivado):
    vivado(version="hello")
    with pytest.raises(ToolError, match="tells no version: is it Vivado"):
        run_vivado(project, BUILD)


@pytest.mark.parametrize("version", ["vivado v2023.2 (64-bit)", "vivado v2025.1 (64-bit)"])
def test_later_ones_are_taken(project, vivado, version):
    vivado(version=version)
    assert run_vivado(project, BUILD)["strategy"] == "Performance_Explore"


@pytest.mark.parametrize("name", ["my boards", "b\u00f6rds", "a[1]"])
def test_a_path_that_vivado_does_not_take(tiny_design, vivado, tmp_path, name):
    vivado()
    folder = tmp_path / name / "vivado"
    project = write_project(tiny_design, folder, "tiny", "xck26-sfvc784-2LV-c", 250)
    with pytest.raises(UserError, match="Vivado does not take the '.' in /.*; move the checkout"):
        run_vivado(project, BUILD)


def test_success_without_result_is_a_failure(project, vivado):
    vivado("(folder / 'result.txt').write_text('strategy x')")
    with pytest.raises(ToolError, match="no result although it ended well"):
        run_vivado(project, BUILD)


def test_success_without_bitstream_leaves_the_overlay(project, vivado, tiny_design, tmp_path):
    vivado("result('1')")
    result = run_vivado(project, BUILD)
    with pytest.raises(ToolError, match=r"left no landmarks\.bit, landmarks\.hwh"):
        publish(project, tiny.SETTINGS, tiny_design, tmp_path / "tiny", result)
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("clk", [100, 235])
def test_the_clock_reaches_the_scripts(tiny_design, tmp_path, clk):
    write_project(tiny_design, tmp_path / "p", "tiny", "xck26-sfvc784-2LV-c", clk)
    assert f"set clocks {{{clk} {clk - 5} " in (tmp_path / "p" / "helpers.tcl").read_text()
    assert f"-period {1000 / clk:.3f} " in (tmp_path / "p" / "out_of_context.xdc").read_text()


@pytest.fixture
def command(tiny_design, tmp_path, monkeypatch):
    """Function that runs the command line on the tiny design as the finished build ``demo``."""
    build = tmp_path / "build" / "demo"
    (build / "stitch").mkdir(parents=True)
    shutil.copytree(tiny_design, build / "stitch" / "design")
    (build / "settings.json").write_text(json.dumps(tiny.SETTINGS))
    monkeypatch.setattr("build_flows.build.WORK", tmp_path)
    monkeypatch.setattr(Build, "until", lambda self, step=None: self)
    overlays = ["--config", "demo", "--overlays", str(tmp_path / "overlays")]
    return lambda name, *more: CliRunner().invoke(command_line.cli, [name, *overlays, *more])


def test_the_command_without_vivado(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = command("bitstream")
    assert result.exit_code == 1
    assert result.output.startswith("UserError: vivado is not on PATH: install Vivado 2022.2")
    assert (tmp_path / "build" / "demo" / "vivado" / "build.tcl").is_file()
    assert not (tmp_path / "overlays").exists()


def test_the_command_writes_and_packs_the_overlay(command, vivado, tmp_path):
    vivado()
    result = command("bitstream", "--clk-mhz", "200")
    assert result.exit_code == 0, result.output
    assert "Performance_Explore at 200 MHz: setup slack 0.12 ns" in result.output
    assert read_overlay(tmp_path / "overlays" / "demo").clk_mhz == 200
    result = command("overlay-package", "--out", str(tmp_path / "p.tar.gz"))
    assert result.exit_code == 0, result.output
    assert tarfile.is_tarfile(tmp_path / "p.tar.gz")
    vivado("result('-0.1'); print('ERROR: [landmarks] timing not met at any clock');"
           "sys.exit(1)")  # fmt: skip
    result = command("bitstream", "--clk-mhz", "200")
    assert result.exit_code == 1
    assert "setup slack -0.1 ns from core/a_reg/C to core/b_reg/D" in result.output
    assert read_overlay(tmp_path / "overlays" / "demo").bitstream.is_file()


def test_the_command_refuses_a_clock(command):
    result = command("bitstream", "--clk-mhz", "303")
    assert result.exit_code == 1
    assert "CLK_MHZ=303 cannot be had; use a multiple of 5 from 50 to 330" in result.output


def test_the_overlay_states_the_clock_that_was_met(command, vivado, tmp_path):
    vivado("result('0.02', 195); bit()")
    result = command("bitstream", "--clk-mhz", "200")
    assert result.exit_code == 0, result.output
    assert "Performance_Explore at 195 MHz: setup slack 0.02 ns" in result.output
    assert read_overlay(tmp_path / "overlays" / "demo").clk_mhz == 195


def test_a_memory_that_synthesis_refuses_is_named(tiny_design, tmp_path):
    other = shutil.copytree(tiny_design, tmp_path / "design")
    values = json.loads((other / "design.json").read_text())
    values["memories"][1]["words"] = 1 << 17
    (other / "design.json").write_text(json.dumps(values))
    text = "the weight memory b has 5242880 bits, Vivado takes 4194304 in one variable; put it"
    with pytest.raises(UserError, match=text):
        write_project(other, tmp_path / "p", "tiny", "xck26-sfvc784-2LV-c", 250)
    assert not (tmp_path / "p").exists()
    values["memories"][1]["split"] = True
    (other / "design.json").write_text(json.dumps(values))
    write_project(other, tmp_path / "p", "tiny", "xck26-sfvc784-2LV-c", 250)


def test_the_package_has_what_the_board_needs(tiny_design, tmp_path):
    files = {}
    for name in ("landmarks.bit", "landmarks.hwh"):
        (tmp_path / name).write_text(name)
        files[name] = tmp_path / name
    folder = tmp_path / "tiny"
    write_overlay(folder, settings(tiny.SETTINGS, tiny_design, 250.0, {}), tiny_design, files)
    write_package(folder, ROOT, tmp_path / "p.tar.gz")
    with tarfile.open(tmp_path / "p.tar.gz") as tar:
        names = tar.getnames()
        tar.extractall(tmp_path / "board", filter="data")
    top = tmp_path / "board" / "landmarks-tiny"
    assert read_overlay(top / "overlays" / "tiny").config == "tiny"
    assert (top / "requirements-board.txt").is_file()
    assert (top / "host" / "run.py").is_file()
    assert not [name for name in names if "__pycache__" in name]


def test_a_package_needs_a_bitstream(tiny_folder, tmp_path):
    with pytest.raises(UserError, match=r"has no landmarks\.bit; make it again with: make bitstr"):
        write_package(tiny_folder, ROOT, tmp_path / "p.tar.gz")
    assert not (tmp_path / "p.tar.gz").exists()
