# SPDX-License-Identifier: Apache-2.0
"""Verilator model of the stitched design: built once, run on golden images, compared exactly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.design.stitch import TOP, Design, Stream, net_of
from build_flows.design.verify import Golden, compare
from build_flows.graph.edit import streams_of
from host.board.simulation import PRELOAD, SimulationFiles
from host.common.arrays import Images, IntArray
from host.common.atomic import replacing
from host.common.errors import ToolError, UserError
from host.common.json_file import write_json
from hw.finn.environment import prepare_verilator
from hw.ops.unit import Unit
from hw.registers import HEADER
from hw.rtl_order import source_files
from hw.units import unit_of, units_of

SIMULATOR = "simulator"
MAIN = Path(__file__).parent / "simulator" / "main.cpp"
TRACE = ("--trace",)  #: Verilator's switch for waveforms; the simulation is then slower
STALLED_FRAMES = 3
RUNS = (("stalled", 1, PRELOAD), ("full_rate", None, ()))  #: name, seed of stalls, options
LOG = "simulation.log"
SIGNALLED = 128  #: exit code of a shell, less the signal that ended its command
SMALL = 64  #: streams of a design up to which one compilation is less work than one a file
ONE_FILE = ("-MAKEFLAGS", "VM_PARALLEL_BUILDS=0")
COMPILE = (
    "-CFLAGS", "-std=c++17 -O1",
    "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include VK_PCH_I_FAST= VK_PCH_I_SLOW=",
)  # fmt: skip
VERILATOR = (
    "verilator", "--cc", "--exe", "--build",
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "-Wno-fatal", "-Werror-USERFATAL", "-Werror-USERERROR",
    "-Wno-WIDTH", "-Wno-STMTDLY", "-Wno-UNUSED", "-Wno-PINMISSING", "-Wno-TIMESCALEMOD",
    "--output-split", "10000", "--output-split-cfuncs", "500", "--build-jobs", "2",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a simulation gave."""

    found: IntArray
    """Accumulators (N, outputs)."""
    stats: dict[str, Any]
    """Cycle of the first input word and of each frame's last output, and what the streams did."""

    @property
    def cycles_per_frame(self) -> int:
        """Distance of the last two frames' ends: the steady state."""
        ends = self.stats["frame_ends"]
        return int(ends[-1] - ends[-2])

    @property
    def latency_cycles(self) -> int:
        """From the first word of the first frame to its last accumulator."""
        return int(self.stats["frame_ends"][0] - self.stats["first_input"] + 1)


@dataclass(frozen=True)
class Simulator:
    """A compiled design."""

    path: Path
    """The executable; it finds the design's memory files from where it lies."""
    model: ModelWrapper
    """Graph of the design's units."""
    design: Path
    """Stitched folder."""

    def run(
        self,
        images: Images,
        folder: Path,
        stall_seed: int | None = None,
        options: Sequence[str] = (),
    ) -> Run:
        """Send ``images`` (N, height, width) through; files and the log are left in ``folder``.

        Raises ToolError; for a design that stands still, it names the FIFOs that are too shallow.
        """
        files, ports = SimulationFiles(folder), Design.read(self.design)
        files.write(images)
        seed = () if stall_seed is None else ("--stall-seed", str(stall_seed))
        command = files.command(self.path, *options, *seed)
        try:
            run_tool(command, folder, folder / LOG)
        except ToolError as error:
            if not files.stats.is_file():
                raise
            reason = _blocked_joins(self.model, ports.streams, files.statistics()["stuck"])
            raise ToolError(command, folder / LOG, f"deadlock: {reason}") from error
        try:
            found = files.accumulators(len(images), ports.output_lanes * ports.output_words)
            return Run(found.astype(np.int64), files.statistics())
        except ValueError as error:
            raise ToolError(command, folder / LOG, str(error)) from error


def simulate(
    model: ModelWrapper, design: Path, golden: Golden, frames: int, out: Path, cache: Path
) -> None:
    """Put the simulator into ``out`` and run it with and without stalls; both must be exact.

    Without stalls, the weights go into their memories over the port, as on the board.

    ``cache`` keeps compiled simulators by the content of their sources: memory files are read at
    run time, so other weights of the same widths need no compilation.
    """
    simulator = provide_simulator(model, design, out, cache)
    for name, seed, options in RUNS:
        sent = golden.repeated(frames if seed is None else STALLED_FRAMES)
        run = simulator.run(sent.images, out, seed, options)
        where = f"simulation ({name.replace('_', ' ')})"
        compare("accumulators", run.found, sent.accumulators, where)
        np.save(out / f"{name}.npy", run.found)
    timing = {"cycles_per_frame": run.cycles_per_frame, "latency_cycles": run.latency_cycles}
    write_json(out / "timing.json", timing | {"flows": run.stats["flows"]})


def write_trace(
    model: ModelWrapper,
    design: Path,
    images: Images,
    window: range,
    path: Path,
    cache: Path,
) -> None:
    """Write the waveforms of all signals in a window of cycles as VCD.

    Cycles count from the beginning of the reset; the weights are preloaded.
    """
    with tempfile.TemporaryDirectory(dir=design.parent.parent, prefix=".trace_") as folder, \
            replacing(path) as partial:  # fmt: skip
        simulator = provide_simulator(model, design, Path(folder), cache, TRACE)
        options = ("--trace", str(partial.resolve()), "--trace-from", str(window.start))
        length = ("--trace-cycles", str(len(window)))
        simulator.run(images, Path(folder), options=(*options, *length, *PRELOAD))


def provide_simulator(
    model: ModelWrapper, design: Path, out: Path, cache: Path, flags: Sequence[str] = ()
) -> Simulator:
    """``out``/simulator for the design, from ``cache`` or compiled into it first."""
    ports = Design.read(design)
    header = _header(ports, os.path.relpath(design, out))
    flags = (*flags, *(ONE_FILE if len(ports.streams) <= SMALL else ()))
    provide_program(TOP, MAIN, source_files(design), header, out, cache, flags)
    return Simulator(out / SIMULATOR, model, design)


def provide_program(
    top: str,
    main: Path,
    sources: Sequence[Path],
    header: str,
    out: Path,
    cache: Path,
    flags: Sequence[str] = (),
) -> None:
    """``out``/simulator from the module ``top``, the program ``main`` and its ``header``.

    It is taken from ``cache``, where it is kept by content, or compiled into that first.
    """
    prepare_verilator()
    command = (*VERILATOR, "--top-module", top, "--prefix", f"V{top}", *COMPILE, *flags)
    digest = hashlib.sha256("\0".join((*command, header)).encode())
    for path in (*sources, main, HEADER):
        digest.update(path.read_bytes())
    kept = cache / f"{SIMULATOR}-{digest.hexdigest()[:16]}"
    if not kept.is_file():
        _compile(command, [*sources, main], header, out)
        cache.mkdir(exist_ok=True)
        (out / SIMULATOR).replace(kept)
    shutil.copy2(kept, out / SIMULATOR)


def _compile(command: Sequence[str], files: Sequence[Path], header: str, out: Path) -> None:
    """Verilate and compile into ``out``/simulator; the objects go, the log stays."""
    work = out / "obj"
    work.mkdir()
    (work / "design.h").write_text(header)
    placed = ("-Mdir", str(work), "-o", f"../{SIMULATOR}", *map(str, files))
    run_tool((*command, *placed), out, out / "verilator.log")
    shutil.rmtree(work)


def _header(ports: Design, folder: str) -> str:
    values = {
        "INPUT_BYTES": ports.input_bits // 8,
        "INPUT_WORDS": ports.input_words,
        "OUTPUT_LANES": ports.output_lanes,
        "OUTPUT_WORDS": ports.output_words,
        "STREAMS": len(ports.streams),
        "DOUBLE_CLOCK": int(ports.double_clock),
        "DESIGN_FOLDER": json.dumps(folder),
    }
    if ports.output_bits != 32:
        raise UserError(f"accumulators of {ports.output_bits} bits; the simulator takes 32")
    memories = "".join(f'X("{memory.file}", {memory.bits}) ' for memory in ports.memories)
    values |= {"MEMORIES": len(ports.memories), "MEMORY_LIST(X)": memories}
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _blocked_joins(model: ModelWrapper, streams: Sequence[Stream], stuck: Sequence[str]) -> str:
    """What is full before a unit that waits for another branch, from the state of all streams.

    A unit that joins branches takes words from all of them at once: where one branch offers a word
    and another does not, what stands before the first is too shallow.
    """
    offered = {(s.net, s.sink): state[0] == "1" for s, state in zip(streams, stuck, strict=True)}
    found = []
    for unit in units_of(model):
        inputs = streams_of(model, unit.onnx_node)
        waiting = [name for name in inputs if not offered[net_of(name), unit.name]]
        full = [name for name in inputs if name not in waiting]
        if waiting and full:
            short, long = (unit_of(model.find_producer(names[0])) for names in (full, waiting))
            found.append(
                f"{_holding(short)} is full before {unit.name}, which waits for {long.described}; "
                f"{short.described} must hold more words"
            )
    return "; ".join(found) or "no unit waits for one branch while another is full"


def _holding(unit: Unit) -> str:
    """A unit with what it can hold."""
    return f"{unit.name} " + (
        f"of depth {unit.fifo_depth}" if unit.fifo_depth else "(without FIFO)"
    )


def run_tool(command: Sequence[str], folder: Path, log: Path) -> None:
    """Run ``command`` in ``folder``; ToolError with the end of the log when it fails.

    Whatever ends the wait, Ctrl-C for one, also ends the command and all it has started.
    """
    with log.open("w") as file:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdout=file, stderr=file, start_new_session=True
            )
        except FileNotFoundError as error:
            raise UserError(f"{command[0]} is missing: {error}") from error
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        tail = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-5:])
        raise ToolError(command, log, _ending(code), tail)


def _ending(code: int) -> str:
    """How a command ended: with an exit code, or by a signal, of its own or of what it started."""
    number = -code if code < 0 else code - SIGNALLED
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit code {code}"
    hint = ", most often for lack of memory" if number == signal.SIGKILL else ""
    return f"killed by {name}{hint}"
