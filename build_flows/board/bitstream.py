# SPDX-License-Identifier: Apache-2.0
"""From the stitched design to a bitstream: the scripts for Vivado, its run, what its log means.

The folder of the project has all that Vivado needs and can be moved to another machine. Its
scripts keep what is finished when they are started again. The overlay that is there changes only
after everything has gone well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_flows.board import shell
from build_flows.board.overlay import ADDRESSES, REPORTS, settings, write_overlay
from build_flows.design.simulate import run_tool
from build_flows.design.stitch import Design
from build_flows.flow import hash_of
from host.board.overlay import BITSTREAM, HARDWARE, SOURCE_CLK_MHZ
from host.common.errors import ToolError, UserError
from host.common.json_file import write_json
from host.common.paths import relative
from host.common.provenance import provenance
from hw.finn.environment import find_vivado
from hw.rtl_order import source_files

TEMPLATES = Path(__file__).parent / "vivado"
VENDOR = "kria-landmarks"
OLDEST = "2022.2"
STRATEGIES = (
    "Performance_Explore", "Performance_ExplorePostRoutePhysOpt", "Performance_ExtraTimingOpt",
    "Performance_NetDelay_high", "Congestion_SpreadLogic_high",
)  # fmt: skip
"""Implementation strategies, tried in turn until the timing is met."""
CLOCK_STEP_MHZ, LOWEST_MHZ, HIGHEST_MHZ = 5, 50, 330
"""Clocks of the fabric: an MMCM makes each of these exactly from SOURCE_CLK_MHZ. The processors'
AXI ports, which have the same clock, take 333 MHz (DS925)."""
DOUBLED_HIGHEST_MHZ = 320
"""Highest clock of the fabric beside one of twice as much: a DSP48E2 with all its registers takes
644 MHz (DS925, -2 at 0.72 V)."""
VARIABLE_LIMIT = 1 << 22
"""Bits of a variable that synthesis is told to take; without a word it takes 1,000,000."""
RUNS = ("synth_1", "impl_")  #: what the names of our runs begin with; others are of single IPs
RESULT = "result.txt"
STAMP = "inputs.json"
BUILD, OUT_OF_CONTEXT = "build.tcl", "out_of_context.tcl"
SCRIPT_OF = {False: BUILD, True: OUT_OF_CONTEXT}  #: by whether only the accelerator is synthesised
RTL = "rtl"  #: all sources, beside the scripts


class Template(string.Template):
    """``@{name}`` is replaced; everything else is Tcl."""

    delimiter = "@"


@dataclass(frozen=True)
class Project:
    """A folder with everything for Vivado."""

    folder: Path
    config: str
    part: str
    clk_mhz: float

    def log(self, script: str) -> Path:
        """Log of a script's run."""
        return self.folder / f"{Path(script).stem}.log"


def legal_clock(clk_mhz: float) -> float:
    """The clock of the board nearest to ``clk_mhz``; UserError if it is over 1 MHz away."""
    nearest = CLOCK_STEP_MHZ * round(clk_mhz / CLOCK_STEP_MHZ)
    if abs(nearest - clk_mhz) > 1 or not LOWEST_MHZ <= nearest <= HIGHEST_MHZ:
        raise UserError(
            f"CLK_MHZ={clk_mhz:g} cannot be had; use a multiple of {CLOCK_STEP_MHZ} from "
            f"{LOWEST_MHZ} to {HIGHEST_MHZ}"
        )
    return float(nearest)


def clocks_from(clk_mhz: float) -> list[int]:
    """Clocks that are tried in turn: the given one and all that are lower."""
    return list(range(int(clk_mhz), LOWEST_MHZ - 1, -CLOCK_STEP_MHZ))


def write_project(design: Path, folder: Path, config: str, part: str, clk_mhz: float) -> Project:
    """Write sources and scripts; what Vivado has made stays if they are what they were."""
    project = Project(folder, config, part, legal_clock(clk_mhz))
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ports = shell.package(design, partial / RTL)
    _check_memories(ports)
    _check_double_clock(ports, project)
    sources = [path.name for path in source_files(partial / RTL)]
    values = _values(project, ports, sources)
    for template in sorted(TEMPLATES.iterdir()):
        (partial / template.name).write_text(Template(template.read_text()).substitute(values))
    stamp = _stamp(partial)
    write_json(partial / STAMP, stamp)
    if _read_stamp(folder) == stamp:
        shutil.rmtree(partial)
        return project
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return project


def _values(project: Project, ports: Design, sources: Sequence[str]) -> dict[str, Any]:
    input_bits, output_bits = ports.input_bits, shell.output_bits(ports)
    half_ns = f"{500 / project.clk_mhz:.3f}"
    period_ns = f"{1000 / project.clk_mhz:.3f}"
    if ports.double_clock:
        period_ns = f"{2 * float(half_ns):.3f}"  # twice the other to the last digit
    second_clock = f"create_clock -name aclk2x -period {half_ns} [get_ports aclk2x]"
    dma, accelerator = ADDRESSES["axi_dma_0"], ADDRESSES["landmarks_0"]
    return {
        "generated": f"Generated by build_flows for {project.config} at {project.clk_mhz:g} MHz.",
        "part": project.part,
        "config": project.config,
        "clocks": " ".join(map(str, clocks_from(project.clk_mhz))),
        "source_mhz": f"{SOURCE_CLK_MHZ:g}",
        "variable_limit": VARIABLE_LIMIT,
        "sources": " ".join(sources),
        "period_ns": period_ns,
        "double_clock": int(ports.double_clock),
        "second_clock": second_clock if ports.double_clock else "",
        "oldest": OLDEST,
        "top": shell.TOP,
        "vendor": VENDOR,
        "strategies": " ".join(STRATEGIES),
        "jobs": os.cpu_count() or 1,
        "input_bits": input_bits,
        "output_bits": output_bits,
        "mm2s_memory_bits": max(64, input_bits),
        "s2mm_memory_bits": max(64, output_bits),
        "dma_offset": f"{dma.offset:#010x}",
        "dma_size": f"{dma.size:#x}",
        "accelerator_offset": f"{accelerator.offset:#010x}",
        "accelerator_size": f"{accelerator.size:#x}",
    }


def _check_memories(ports: Design) -> None:
    """UserError for a weight memory that synthesis would refuse in spite of VARIABLE_LIMIT."""
    for memory in ports.memories:
        if not memory.split and memory.bits * memory.words > VARIABLE_LIMIT:
            raise UserError(
                f"the weight memory {memory.name} has {memory.bits * memory.words} bits, Vivado "
                f"takes {VARIABLE_LIMIT} in one variable; put it into UltraRAM, "
                "which is split"
            )


def _check_double_clock(ports: Design, project: Project) -> None:
    """UserError for a clock that the DSPs of a design with a double clock cannot double."""
    if ports.double_clock and project.clk_mhz > DOUBLED_HIGHEST_MHZ:
        raise UserError(
            f"CLK_MHZ={project.clk_mhz:g} is too high for DSPs at twice the clock; use "
            f"{DOUBLED_HIGHEST_MHZ} at most, or a folding without DensePumped"
        )


def _stamp(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != STAMP)
    return hash_of(files).hex()


def _read_stamp(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / STAMP).read_text()))
    except (OSError, ValueError):
        return None


def run_vivado(project: Project, script: str) -> dict[str, str]:
    """Run a script of the project; what it found of the worst path, see helpers.tcl.

    Raises:
        UserError: Vivado is missing or too old, or the folder's path is none for it.
        ToolError: it failed; one line says why, with its log.
    """
    vivado = find_vivado()
    hint = f"vivado -mode batch -source {relative(project.folder / script)}"
    if vivado is None:
        raise UserError(
            f"vivado is not on PATH: install Vivado {OLDEST} or later with the Kria SOM; the "
            f"complete project is in {relative(project.folder)}, all that is left is: {hint}"
        )
    _check_version(vivado, project.folder)
    _check_path(project.folder)
    log = project.log(script)
    command = (
        vivado, "-mode", "batch", "-nojournal", "-log", f"vivado_{log.name}", "-source", script
    )  # fmt: skip
    reports = project.folder / (REPORTS if script == BUILD else Path(script).stem)
    started = time.time()
    try:
        run_tool(command, project.folder, log)
    except ToolError as error:
        reason = diagnosis(log, reports / RESULT, started, error.reason)
        raise ToolError(command, log, reason) from error
    try:
        return read_result(reports / RESULT)
    except (OSError, ValueError) as error:
        raise ToolError(command, log, f"no result although it ended well: {error}") from error


def _check_version(vivado: str, folder: Path) -> None:
    command, log = (vivado, "-version"), folder / "version.log"
    try:
        run_tool(command, folder, log)
    except ToolError as error:
        raise ToolError(command, log, cause_in(_text(log), error.reason)) from error
    text = _text(log)
    found = re.search(r"vivado v(\d+)\.(\d+)", text, re.IGNORECASE)
    if found is None:
        raise ToolError(command, log, "tells no version: is it Vivado?")
    if (int(found[1]), int(found[2])) < tuple(map(int, OLDEST.split("."))):
        raise UserError(
            f"{vivado} is Vivado {found[1]}.{found[2]}, too old for this project; "
            f"use {OLDEST} or later"
        )


def _check_path(folder: Path) -> None:
    """UserError for a path that a list of Tcl, or one of Vivado's tools, takes for several."""
    if wrong := re.search(r"[^\w./+~-]", str(folder.resolve()), re.ASCII):
        raise UserError(
            f"Vivado does not take the {wrong[0]!r} in {folder.resolve()}; move the checkout, or "
            "that folder alone, to a path of letters, digits and . _ - +"
        )


def read_result(path: Path) -> dict[str, str]:
    """Name -> value of a result.txt; ValueError if it is not whole."""
    rows = (line.partition(" ") for line in path.read_text().splitlines())
    result = {name: value for name, _, value in rows}
    for name in ("clk_mhz", "setup_slack_ns", "hold_slack_ns", "pulse_width_slack_ns"):
        float(result.get(name, "missing"))
    if not {"strategy", "vivado", "from", "to"} <= set(result):
        raise ValueError(f"{path} has only {', '.join(result)}")
    return result


CAUSES = (
    (r"valid license was not found[^\n]*|\[Common 17-34[58]\][^\n]*",
     "no licence: {0}; the part needs Vivado ML Standard or a licence server"),
    (r"[^\n]*[Nn]o space left on device[^\n]*",
     "the disk is full: {0}; make room, the same command goes on from the last finished step"),
    (r"[^\n]*: cannot open shared object file[^\n]*",
     "a library of the system is missing: {0}; install it, AMD's installLibs.sh names all"),
    (r"\[Coretcl 2-106\][^\n]*",
     "{0}; add the devices of Zynq UltraScale+ MPSoC with Vivado's installer"),
    (r"This design requires[^\n]*|[^\n]*over-utilized[^\n]*",
     "the design does not fit the part: {0}; take a smaller folding"),
    (r"board_part definition was not found[^\n]*|no board files of the KV260[^\n]*", "{0}"),
    (r"[^\n]*line \d+: +\d+ Killed[^\n]*|[^\n]*std::bad_alloc[^\n]*|[^\n]*[Oo]ut of memory[^\n]*",
     "Vivado had too little memory: {0}; the same command goes on from the last finished step"),
    (r"Abnormal program termination[^\n]*|Segmentation fault[^\n]*",
     "Vivado crashed: {0}; the same command goes on from the last finished step"),
    (r"^ERROR:[^\n]*", "{0}"),
    (r"^[^\n]+(?=\n(?: +\([^\n]*\)\n)? +(?:while executing|invoked from within)$)", "{0}"),
)  # fmt: skip
"""What a log may say, in the order of trust, and the line for people; the last is Tcl's error."""


def diagnosis(log: Path, result: Path, started: float, ending: str) -> str:
    """One line on why a run failed, from its log, the logs of its runs, and the worst path.

    Errors in our sources are in the logs of runs, and in that of the IP before that of the whole;
    those from before the time ``started`` tell of another failure. ``ending`` is how it ended.
    """
    text = _text(log)
    if "timing not met at any clock" in text:
        return _timing(result)
    runs = [path for path in _run_logs(log.parent) if path.stat().st_mtime >= started - 1]
    return cause_in("\n".join([*map(_text, runs), text]), ending)


def cause_in(text: str, ending: str) -> str:
    """The line for people on what the logs in ``text`` say, or on how the command ended."""
    for pattern, line in CAUSES:
        if found := re.search(pattern, text, re.MULTILINE):
            return line.format(_clean(found[0]))
    said = [line for line in text.splitlines() if line.strip() and not line.startswith("INFO:")]
    return f"ended without saying why, {ending}: {_clean(said[-1]) if said else 'empty log'}"


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


def _timing(result: Path) -> str:
    try:
        worst = read_result(result)
    except (OSError, ValueError):
        return "timing not met, and no report of the worst path"
    kinds = ("setup", "hold", "pulse_width")
    kind = next((name for name in kinds if float(worst[f"{name}_slack_ns"]) < 0), "setup")
    slack = worst[f"{kind}_slack_ns"]
    return (
        f"timing not met at any clock, with none of {len(STRATEGIES)} strategies: at "
        f"{worst['clk_mhz']} MHz {kind.replace('_', ' ')} slack {slack} ns from {worst['from']} "
        f"to {worst['to']}; take a smaller folding"
    )


def _run_logs(folder: Path) -> list[Path]:
    """Logs of the runs of a project: those of single IPs first, then synthesis, then the others."""
    logs = (folder / "project" / "landmarks.runs").glob("*/runme.log")
    return sorted(logs, key=lambda path: (_place(path.parent.name), path))


def _place(run: str) -> int:
    return next((i for i, name in enumerate(RUNS, 1) if run.startswith(name)), 0)


def _clean(text: str) -> str:
    return re.sub(r"^(ERROR|CRITICAL WARNING): |\[landmarks\] ", "", text).strip()[:300]


def publish(
    project: Project, host: dict[str, Any], design: Path, folder: Path, result: dict[str, str]
) -> None:
    """Write the overlay from a finished project; ToolError if Vivado left not all files.

    ``host`` is the build's settings.json, ``result`` what the run gave.
    """
    files = {name: project.folder / "out" / name for name in (BITSTREAM, HARDWARE)}
    reports = sorted((project.folder / REPORTS).glob("*.*"))
    files |= {f"{REPORTS}/{path.name}": path for path in reports}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        raise ToolError(("vivado",), project.log(BUILD), f"left no {', '.join(missing)}")
    values = {"part": project.part, "board": "KV260", "vivado": result, **provenance()}
    content = settings(host, design, float(result["clk_mhz"]), values)
    write_overlay(folder, content, design, files)
