# SPDX-License-Identifier: Apache-2.0
"""A lint of the scripts for Vivado: run in tclsh with a stand-in that knows its commands."""

import json
import re
import shutil
import subprocess
import tkinter

import pytest

from build_flows.board import bitstream
from build_flows.board.bitstream import clocks_from, legal_clock, write_project
from build_flows.board.overlay import ADDRESSES, settings
from host.board.overlay import SOURCE_CLK_MHZ
from host.common.errors import UserError
from hw.rtl_order import source_files
from tests.build_flows.board import tiny

TCLSH = shutil.which("tclsh")
pytestmark = pytest.mark.skipif(TCLSH is None, reason="tclsh is not installed")
BOARDS = "xilinx.com:kv260_som:part0:1.3 xilinx.com:kv260_som:part0:1.4"
BUSES = ("s_axil", "s_axis", "m_axis")
STANDIN = tiny.__file__.replace("tiny.py", "standin.tcl")


@pytest.fixture
def project(tiny_design, tmp_path):
    return write_project(tiny_design, tmp_path / "vivado", "tiny", "xck26-sfvc784-2LV-c", 250)


def run(
    project, script, version="2022.2", boards=BOARDS, slacks="0.1", progress=(), failing="",
    form="status", kept_clock=250, broken="", pulse="0.000",
):  # fmt: skip
    """Exit code, output, and the commands as (name, options, others)."""
    top = (project.folder / "rtl" / "landmarks.v").read_text()
    pins = [pin for pin in re.findall(r"put +wire (\w+)", top) if not pin.startswith(BUSES)]
    runs = {"synth_1": "0%", "impl_1": "0%", **dict(progress)}
    record = project.folder / "record"
    start = project.folder / "start.tcl"
    start.write_text(
        f"set version {{{version}}}\nset boards {{{boards}}}\nset slacks {{{slacks}}}\n"
        f"set top_buses {{{' '.join(BUSES)}}}\nset top_pins {{{' '.join(pins)}}}\n"
        f"set progress {{{' '.join(f'{k} {v}' for k, v in runs.items())}}}\n"
        f"set failing {{{failing}}}\nset form {form}\nset kept_clock {kept_clock}\n"
        f"set broken {{{broken}}}\nset pulse {pulse}\nset record {record}\nsource {STANDIN}\n"
        f"source {project.folder / script}\nexit 0\n"
    )
    done = subprocess.run(
        [TCLSH, str(start)], capture_output=True, text=True, cwd=project.folder.parent
    )
    tcl = tkinter.Tcl()
    lines = record.read_text().splitlines() if record.is_file() else []
    commands = [tuple(map(tcl.splitlist, (tcl.splitlist(line)))) for line in lines]
    return done.returncode, done.stdout + done.stderr, [(c[0][0], c[1], c[2]) for c in commands]


def test_the_build_runs_to_the_bitstream(project):
    code, output, commands = run(project, "build.tcl")
    assert code == 0, output
    assert (project.folder / "out" / "landmarks.bit").is_file()
    assert (project.folder / "out" / "landmarks.hwh").is_file()
    result = bitstream.read_result(project.folder / "reports" / "result.txt")
    assert result["strategy"] == bitstream.STRATEGIES[0]
    names = [name for name, *_ in commands]
    assert names.count("launch_runs") == 2
    assert names.index("validate_bd_design") < names.index("launch_runs")
    (boards,) = [o[1] for n, _, o in commands if n == "set_property" and o[0] == "board_part"]
    assert boards.endswith("1.4")  # the newest


def connected(commands, name):
    return {pin for n, _, pins in commands if n == name for pin in pins}


def test_every_bus_clock_and_reset_is_connected(project):
    _, _, commands = run(project, "build.tcl")
    buses = connected(commands, "connect_bd_intf_net")
    pins = connected(commands, "connect_bd_net")
    assert {f"landmarks_0/{bus}" for bus in BUSES} <= buses
    top = (project.folder / "rtl" / "landmarks.v").read_text()
    names = re.findall(r"put +wire (?:\[\d+:0\] )?(\w+)", top)
    assert {name.rpartition("_")[0] for name in names if "_" in name} == set(BUSES)
    single = {f"landmarks_0/{name}" for name in names if "_" not in name}
    assert single - pins == {"landmarks_0/irq"}  # the driver asks
    dma = {f"axi_dma_0/{n}" for n in ("M_AXIS_MM2S", "S_AXIS_S2MM", "S_AXI_LITE", "M_AXI_MM2S",
                                      "M_AXI_S2MM")}  # fmt: skip
    assert dma <= buses
    assert {"axi_dma_0/axi_resetn", "axi_dma_0/m_axi_mm2s_aclk"} <= pins
    clocked = [p for n, _, p in commands if n == "connect_bd_net" and p[0] == "ps/pl_clk0"]
    assert clocked == [("ps/pl_clk0", "clock/clk_in1")]
    assert {"clock/locked", "reset/dcm_locked", "clock/resetn", "reset/ext_reset_in"} <= pins


def test_the_address_map_is_that_of_the_settings(project, tiny_design):
    _, _, commands = run(project, "build.tcl")
    found = {}
    for name, options, others in commands:
        values = dict(zip(options[::2], options[1::2], strict=True))
        if name == "assign_bd_address" and "-offset" in values:
            cell = others[0].partition("/")[0]
            found[cell] = {"offset": int(values["-offset"], 0), "size": int(values["-range"], 0)}
    assert found == settings(tiny.SETTINGS, tiny_design, 250.0, {})["addresses"]
    assert set(found) == set(ADDRESSES)


def test_what_is_finished_is_kept(project):
    run(project, "build.tcl")
    others = {f"impl_{name}": "0%" for name in bitstream.STRATEGIES[1:]}
    done = {"synth_1": "100%", "impl_1": "40%", **others}
    code, output, commands = run(project, "build.tcl", progress=done)
    assert code == 0, output
    names = [name for name, *_ in commands]
    assert "create_bd_cell" not in names
    assert [o for n, _, o in commands if n == "launch_runs"] == [("impl_1",)]
    assert [o for n, _, o in commands if n == "reset_run"] == [("impl_1",)]
    assert "synth_1: kept" in output


@pytest.mark.parametrize("command", ["ipx::check_integrity", "ipx::associate_bus_interfaces"])
def test_an_ip_that_is_not_whole_is_packaged_again(project, command):
    """Though its component.xml is there from the packager's first command on."""
    code, output, _ = run(project, "build.tcl", broken=command)
    assert code == 1
    assert f"Command failed: {command}" in output
    assert (project.folder / "ip" / "component.xml").is_file()
    for packaged in (True, False):
        code, output, commands = run(project, "build.tcl")
        assert code == 0, output
        assert ("ipx::package_project" in [name for name, *_ in commands]) == packaged
        shutil.rmtree(project.folder / "project")


def test_strategies_are_tried_in_turn(project):
    code, output, commands = run(project, "build.tcl", slacks="-0.2 -0.1 0.05")
    assert code == 0, output
    launched = [o[0] for n, _, o in commands if n == "launch_runs"]
    assert launched == ["synth_1", "impl_1", *(f"impl_{s}" for s in bitstream.STRATEGIES[1:3])]
    result = bitstream.read_result(project.folder / "reports" / "result.txt")
    assert result["strategy"] == bitstream.STRATEGIES[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "2022.1"}, "Vivado 2022.1 is too old; use 2022.2 or later"),
        ({"version": "2021.2_AR12345"}, "Vivado 2021.2_AR12345 is too old"),
        ({"boards": ""}, "no board files of the KV260 SOM"),
        ({"failing": "synth_1"}, "synth_1 ended with .synth_design ERROR.; see .*1/runme.log"),
    ],
)
def test_failures_are_one_line(project, changes, message):
    code, output, _ = run(project, "build.tcl", **changes)
    assert code == 1
    assert re.search(rf"ERROR: \[landmarks\] {message}", output), output
    assert not (project.folder / "out" / "landmarks.bit").exists()


@pytest.mark.parametrize(("version", "slack"), [("2022.2", "0.3"), ("2025.1", "-0.3")])
def test_out_of_context(project, version, slack):
    code, output, commands = run(project, "out_of_context.tcl", version, slacks=slack)
    assert code == 0, output
    assert ("timing is not met" in output) == (float(slack) < 0)
    result = bitstream.read_result(project.folder / "out_of_context" / "result.txt")
    assert (result["setup_slack_ns"], result["vivado"]) == (slack, version)
    assert "set_property" not in [name for name, *_ in commands]


def test_sources_name_their_memories_by_absolute_paths(project):
    rtl = project.folder / "rtl"
    with (rtl / "accelerator.sv").open("a") as file:
        file.write(
            '// .START_FILE ("l_start_file"), .CODE_FILE("l_code.hex"), .NAME ("l"), FILE == ""\n'
        )
    run(project, "out_of_context.tcl")
    text = (project.folder / "out_of_context" / "src" / "accelerator.sv").read_text()
    paths = re.findall(r'"([^"]+\.hex)"', text)
    assert paths == [str(rtl / name) for name in ("a_file.hex", "b_file.hex", "l_code.hex")]
    assert f'.START_FILE ("{rtl}/l_start_file"), ' in text
    assert text.endswith('.NAME ("l"), FILE == ""\n')


def test_a_memory_without_its_file_ends_the_synthesis(project):
    _, _, commands = run(project, "out_of_context.tcl")
    severe = ("-id", "Synth 8-4445", "-new_severity", "ERROR")
    assert ("set_msg_config", severe, ()) in commands


def test_no_module_has_the_name_of_the_block_design(project):
    """Nor that of its wrapper: synthesis would take one for the other."""
    _, _, commands = run(project, "build.tcl")
    ((design,),) = [others for name, _, others in commands if name == "create_bd_design"]
    sources = "\n".join(path.read_text() for path in source_files(project.folder / "rtl"))
    modules = set(re.findall(r"^\s*(?:module|package)\s+(\w+)", sources, re.MULTILINE))
    assert "landmarks" in modules
    assert not modules & {design, f"{design}_wrapper"}


def test_a_clock_too_fast_for_what_it_drives_is_not_met(project):
    code, output, _ = run(project, "build.tcl", slacks="0.2 " * 400, pulse="-0.100")
    assert code == 1
    assert "timing not met at any clock" in output
    result = bitstream.read_result(project.folder / "reports" / "result.txt")
    assert (result["clk_mhz"], result["pulse_width_slack_ns"]) == ("50", "-0.100")


def test_the_standin_refuses_what_vivado_would(project):
    wrong = project.folder / "wrong.tcl"
    for text, message in (
        ("create_bd_cell -kind ip x", "create_bd_cell has no option -kind"),
        ("create_bd_cell -type", "create_bd_cell: -type lacks its value"),
        ("create_bd_design landmarks", "a module landmarks is there already, of the IP kria"),
        ("create_bd_thing x", 'invalid command name "create_bd_thing"'),
        ("add_files no.sv", "no file no.sv"),
        ("puts $nothing", 'can\'t read "nothing": no such variable'),
        ("create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma d; get_bd_pins d/x", "has no pin x"),
    ):
        wrong.write_text(text)
        code, output, _ = run(project, "wrong.tcl")
        assert code == 1
        assert message in output


def test_a_project_is_kept_until_its_inputs_change(tiny_design, project):
    mark = project.folder / "out" / "mark"
    mark.parent.mkdir()
    mark.touch()
    write_project(tiny_design, project.folder, "tiny", project.part, 250)
    assert mark.exists()
    write_project(tiny_design, project.folder, "tiny", project.part, 200)
    assert not mark.exists()


def test_clocks_of_the_board():
    assert [legal_clock(clock) for clock in (250, 304.5, 205, 50, 330)] == [250, 305, 205, 50, 330]
    for clock in (303, 45, 335):
        text = rf"CLK_MHZ={clock} cannot be had; use a multiple of 5 from 50 to 330"
        with pytest.raises(UserError, match=text):
            legal_clock(clock)
    assert clocks_from(260.0)[:3] == [260, 255, 250]
    assert clocks_from(260.0)[-1] == 50


@pytest.mark.parametrize("clk_mhz", clocks_from(bitstream.HIGHEST_MHZ))
def test_an_mmcm_makes_every_clock_exactly(clk_mhz):
    """Multiplier and divider in eighths, VCO of 800 to 1,600 MHz: DS925 and UG572."""
    source = int(SOURCE_CLK_MHZ)
    assert any(
        8 * source * m == 8 * clk_mhz * d
        for d8 in range(8, 8 * 128 + 1)
        for m, d in [(clk_mhz * d8 / 8 / source, d8 / 8)]
        if (8 * m).is_integer() and 2 <= m <= 128 and 800 <= source * m <= 1600
    )


@pytest.mark.parametrize("clk_mhz", clocks_from(bitstream.DOUBLED_HIGHEST_MHZ))
def test_an_mmcm_makes_every_clock_and_twice_it_exactly(clk_mhz):
    """The second output divides by whole numbers only; the input may be divided, to 10 MHz."""
    source = int(SOURCE_CLK_MHZ)
    assert any(
        800 <= 2 * clk_mhz * d <= 1600 and (8 * m).is_integer() and 2 <= m <= 128
        for d in range(1, 129)
        for by in range(1, source // 10 + 1)
        for m in [2 * clk_mhz * d * by / source]
    )


@pytest.fixture
def doubled_design(tiny_design, tmp_path):
    """The tiny design as if it had the port clk2x; its sources are text here."""
    folder = tmp_path / "doubled"
    shutil.copytree(tiny_design, folder)
    values = json.loads((folder / "design.json").read_text())
    (folder / "design.json").write_text(json.dumps(values | {"double_clock": True}))
    return folder


def properties_of(commands, name):
    """All values that the property ``name`` is set to, in order."""
    found = []
    for command, options, others in commands:
        if command == "set_property":
            options = dict(zip(options[::2], options[1::2], strict=True))
            values = tkinter.Tcl().splitlist(options.get("-dict", " ".join(others[:2])))
            found += [v for k, v in zip(values[::2], values[1::2], strict=False) if k == name]
    return found


def test_a_second_clock_of_twice_the_frequency(doubled_design, tmp_path):
    part = "xck26-sfvc784-2LV-c"
    project = write_project(doubled_design, tmp_path / "vivado", "tiny", part, 250)
    slacks = slacks_of((-0.1,) * len(bitstream.STRATEGIES), (0.1,))
    code, output, commands = run(project, "build.tcl", slacks=slacks)
    assert code == 0, output
    nets = [pins for name, _, pins in commands if name == "connect_bd_net"]
    assert ("clock/clk_out2", "landmarks_0/aclk2x") in nets
    first = properties_of(commands, "CONFIG.CLKOUT1_REQUESTED_OUT_FREQ")
    second = properties_of(commands, "CONFIG.CLKOUT2_REQUESTED_OUT_FREQ")
    assert [2 * int(clock) for clock in first] == [int(clock) for clock in second]
    assert second == ["500", "480"]
    for output in (1, 2):
        assert properties_of(commands, f"CONFIG.CLKOUT{output}_MATCHED_ROUTING") == ["true"]
    text = (project.folder / "out_of_context.xdc").read_text()
    assert "create_clock -name aclk2x -period 2.000 [get_ports aclk2x]" in text


def test_without_it_there_is_one_clock(project):
    _, _, commands = run(project, "build.tcl")
    assert "clock/clk_out2" not in connected(commands, "connect_bd_net")
    assert properties_of(commands, "CONFIG.CLKOUT2_REQUESTED_OUT_FREQ") == []
    assert "aclk2x" not in (project.folder / "out_of_context.xdc").read_text()
    assert "aclk2x" not in (project.folder / "rtl" / "landmarks.v").read_text()


def test_a_clock_that_the_dsps_cannot_double_is_refused(doubled_design, tmp_path):
    text = "CLK_MHZ=325 is too high for DSPs at twice the clock; use 320 at most, or a folding"
    with pytest.raises(UserError, match=text):
        write_project(doubled_design, tmp_path / "vivado", "tiny", "xck26-sfvc784-2LV-c", 325)


def slacks_of(*clocks):
    return " ".join(str(slack) for clock in clocks for slack in clock)


def tried(commands):
    """Clock of the wizard before each implementation run that was launched."""
    clock, found = None, []
    for name, options, others in commands:
        if name == "set_property":
            options = dict(zip(options[::2], options[1::2], strict=True))
            values = tkinter.Tcl().splitlist(options.get("-dict", " ".join(others[:2])))
            values = dict(zip(values[::2], values[1::2], strict=False))
            clock = values.get("CONFIG.CLKOUT1_REQUESTED_OUT_FREQ", clock)
        if name == "launch_runs" and others[0] != "synth_1":
            found.append((int(clock), others[0].removeprefix("impl_")))
    return found


def test_lower_clocks_follow_the_strategies(project):
    """250 MHz misses by 0.1 ns at best: 245 is out of reach, 240 misses by little, 235 is met."""
    names = bitstream.STRATEGIES
    slacks = slacks_of((-0.3, -0.1, -0.4, -0.2, -0.5), (-0.01,), (0.02,))
    code, output, commands = run(project, "build.tcl", slacks=slacks)
    assert code == 0, output
    others = [(250, name) for name in names[1:]]
    assert tried(commands) == [(250, "1"), *others, (240, names[1]), (235, names[1])]
    result = bitstream.read_result(project.folder / "reports" / "result.txt")
    assert (result["clk_mhz"], result["strategy"]) == ("235", names[1])


def test_a_later_start_goes_on_at_the_clock_that_was_next(project):
    run(project, "build.tcl", slacks="-0.1 -0.1 -0.1 -0.1 -0.1 0.1")
    runs = {"synth_1": "100%", "impl_1": "100%"}
    runs |= {f"impl_{name}": "100%" for name in bitstream.STRATEGIES[1:]}
    code, output, commands = run(project, "build.tcl", progress=runs, kept_clock=240)
    assert code == 0, output
    assert "launch_runs" not in [name for name, *_ in commands]
    assert bitstream.read_result(project.folder / "reports" / "result.txt")["clk_mhz"] == "240"


def test_no_clock_at_all_is_one_line(project):
    code, output, commands = run(project, "build.tcl", slacks="-30 -30 -30 -30 -30")
    assert code == 1
    assert "ERROR: [landmarks] timing not met at any clock" in output
    assert {clock for clock, _ in tried(commands)} == {250}


def test_synthesis_sees_the_clock_and_takes_long_variables(project):
    _, _, commands = run(project, "build.tcl")
    assert ("set_property", (), ("synth_checkpoint_mode", "None", "system.bd")) in commands
    hook = [o for n, _, o in commands if n == "set_property" and o[0].startswith("STEPS.SYNTH")]
    assert hook == [("STEPS.SYNTH_DESIGN.TCL.PRE", str(project.folder / "limit.tcl"), "synth_1")]
    for script in ("package_ip.tcl", "out_of_context.tcl"):
        assert "source $here/limit.tcl" in (project.folder / script).read_text()
    text = (project.folder / "limit.tcl").read_text()
    assert f"var_size_limit {bitstream.VARIABLE_LIMIT}" in text


def test_sources_are_read_packages_first(project):
    _, _, commands = run(project, "out_of_context.tcl")
    read = [others[0].rpartition("/")[2] for name, _, others in commands if name == "read_verilog"]
    assert read == [path.name for path in source_files(project.folder / "rtl")]
    assert read[0] == "kl_pkg.sv"
    assert read.index("kl_registers_pkg.sv") < read.index("kl_control_registers.sv")


@pytest.mark.parametrize(
    ("form", "cause"),
    [
        ("status", r"\[Synth 8-1031\] nothing is not declared \[accelerator\.sv:7\]"),
        ("error", r"\[Synth 8-4556\] size of variable 'words' is too large"),
    ],
)
def test_both_forms_of_a_failed_run_are_diagnosed(project, form, cause):
    code, output, _ = run(project, "build.tcl", failing="synth_1", form=form)
    assert code == 1
    log = project.log(bitstream.BUILD)
    log.write_text(output)
    found = bitstream.diagnosis(log, project.folder / "none", 0.0, "exit code 1")
    assert re.match(cause, found)
