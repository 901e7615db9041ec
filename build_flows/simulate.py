# SPDX-License-Identifier: Apache-2.0
"""Verilator model of the stitched design: built once, run on golden images, compared exactly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.stitch import TOP, Design
from build_flows.verify import Golden, compare
from host.errors import ToolError, UserError
from hw.environment import prepare_verilator

SIMULATOR = "simulator"
MAIN = Path(__file__).parent / "simulator" / "main.cpp"
STALL_SEED = 1
COMPILE = (
    "-CFLAGS", "-std=c++17 -O1",
    "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include VK_PCH_I_FAST= VK_PCH_I_SLOW=",
)  # fmt: skip
VERILATOR = (
    "verilator", "--cc", "--exe", "--build", "--top-module", TOP, "--prefix", f"V{TOP}",
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "-Wno-fatal", "-Werror-USERFATAL", "-Werror-USERERROR",
    "-Wno-WIDTH", "-Wno-STMTDLY", "-Wno-UNUSED", "-Wno-PINMISSING", "-Wno-TIMESCALEMOD",
    "--output-split", "10000", "--output-split-cfuncs", "500", "--build-jobs", "2",
)  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """Cycle counts of a run without stalls."""

    cycles_per_frame: int
    """Distance of the last two frames' ends: the steady state."""
    latency_cycles: int
    """From the first word of the first frame to its last accumulator."""


def simulate(
    model: ModelWrapper, design: Path, golden: Golden, frames: int, out: Path, cache: Path
) -> Timing:
    """Put the simulator into ``out`` and run it with and without stalls; both must be exact.

    ``cache`` keeps compiled simulators by the content of their sources: memory files are read at
    run time, so other weights of the same widths need no compilation.
    """
    provide_simulator(model, design, out, cache)
    images = golden.images[:frames]
    expected = golden.accumulators[:frames]
    stats: dict[str, list[int]] = {}
    for name, seed in (("full_rate", None), ("stalled", STALL_SEED)):
        found, run_stats = run_simulator(out / SIMULATOR, images, out, seed)
        np.save(out / f"{name}.npy", found)
        compare("accumulators", found, expected, f"simulation ({name.replace('_', ' ')})")
        stats = stats or run_stats
    ends = stats["frame_ends"]
    timing = Timing(ends[-1] - ends[-2], ends[0] - int(stats["first_input"]) + 1)  # type: ignore[call-overload]
    (out / "timing.json").write_text(json.dumps(timing.__dict__))
    return timing


def provide_simulator(model: ModelWrapper, design: Path, out: Path, cache: Path) -> None:
    """``out``/simulator for the design, from ``cache`` or compiled into it first."""
    prepare_verilator()
    header = _header(model, Design.read(design), os.path.relpath(design, out))
    sources = _compile_order(design)
    digest = hashlib.sha256("\0".join((*VERILATOR, *COMPILE, header)).encode())
    for path in (*sources, MAIN):
        digest.update(path.read_bytes())
    kept = cache / f"{SIMULATOR}-{digest.hexdigest()[:16]}"
    if not kept.is_file():
        _compile(sources, header, out)
        cache.mkdir(exist_ok=True)
        (out / SIMULATOR).replace(kept)
    shutil.copy2(kept, out / SIMULATOR)


def _compile(sources: Sequence[Path], header: str, out: Path) -> None:
    """Verilate and compile into ``out``/simulator; the objects go, the log stays."""
    work = out / "obj"
    work.mkdir()
    (work / "design.h").write_text(header)
    files = (*map(str, sources), str(MAIN))
    command = (*VERILATOR, *COMPILE, "-Mdir", str(work), "-o", f"../{SIMULATOR}", *files)
    run_tool(command, out, out / "verilator.log")
    shutil.rmtree(work)


def _header(model: ModelWrapper, ports: Design, folder: str) -> str:
    slowest = max(getCustomOp(node).get_exp_cycles() for node in model.graph.node)
    values = {
        "INPUT_BYTES": ports.input_bits // 8,
        "INPUT_WORDS": ports.input_words,
        "OUTPUT_LANES": ports.output_lanes,
        "OUTPUT_WORDS": ports.output_words,
        "STALL_LIMIT": 10 * slowest + 100_000,
        "DESIGN_FOLDER": json.dumps(folder),
    }
    if ports.output_bits != 32:
        raise UserError(f"accumulators of {ports.output_bits} bits; the simulator takes 32")
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _compile_order(design: Path) -> list[Path]:
    """Packages first."""
    files = sorted([*design.glob("*.sv"), *design.glob("*.v")])
    return sorted(files, key=lambda f: not f.stem.endswith("_pkg"))


def run_simulator(
    simulator: Path, images: npt.NDArray[np.uint8], folder: Path, stall_seed: int | None = None
) -> tuple[npt.NDArray[np.int64], dict[str, list[int]]]:
    """Accumulators (N, outputs) of ``images`` (N, height, width) and the run's statistics."""
    source, sink, stats = (folder / name for name in ("input.bin", "output.bin", "stats.json"))
    source.write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())
    command = [str(simulator), "--input", str(source), "--output", str(sink), "--stats", str(stats)]
    if stall_seed is not None:
        command += ["--stall-seed", str(stall_seed)]
    run_tool(command, folder, folder / "simulation.log")
    found = np.fromfile(sink, "<i4").astype(np.int64).reshape(len(images), -1)
    return found, json.loads(stats.read_text())


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
        raise ToolError(command, log, f"exit code {code}", tail)
