# SPDX-License-Identifier: Apache-2.0
"""``python -m build_flows``: build a configuration, find its folding."""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click
from qonnx.core.modelwrapper import ModelWrapper
from rich.console import Console
from rich.table import Table

from build_flows.board import bitstream as vivado
from build_flows.board import overlay
from build_flows.board.simulator import simulate_board
from build_flows.config import ROOT, load_config, relative
from build_flows.cpp import network as hls
from build_flows.design.simulate import write_trace
from build_flows.design.verify import Golden, compare
from build_flows.explore.budget import RESOURCES, budget_of
from build_flows.explore.choices import space_of
from build_flows.explore.front import (
    Explorer,
    Point,
    comparison,
    row_of,
    write_comparison,
    write_folding,
    write_front,
)
from build_flows.flow import StepResult, run_steps
from build_flows.report import PRODUCTS, publish
from build_flows.steps import STEPS
from build_flows.synthesise import synthesise_design
from host.backends.csim import CsimBackend
from host.common.errors import FAILURES, UserError

STEP_NAMES = [step.name for step in STEPS]
console = Console(stderr=True)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Report a failure of ours, a full disk or Ctrl-C in one line and exit with 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except FAILURES as error:
            sys.exit(f"{type(error).__name__}: {error}")
        except OSError as error:
            sys.exit(f"{error.filename or 'output'}: {error.strerror or error}")
        except KeyboardInterrupt:
            sys.exit("interrupted; finished steps are kept, the same command goes on from there")

    return wrapped


@contextmanager
def spinner() -> Iterator[Callable[[str], None]]:
    """A spinner while the block runs; what it gives is told what is being done."""
    with console.status("") as status:
        yield lambda text: status.update(f"{text} ...")


@click.group()
def cli() -> None:
    """From a QONNX file to simulated RTL."""
    warnings.filterwarnings("ignore", module=r"(qonnx|finn|brevitas|torch)\.")
    logging.disable(logging.WARNING)


@cli.command()
@click.option("--config", required=True, help="Name in build_flows/configs, or a .toml file.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default build/CONFIG.")
@click.option("--until", type=click.Choice(STEP_NAMES), help="Stop behind this step.")
@one_line_errors
def build(config: str, out: Path | None, until: str | None) -> None:
    """Run the flow; steps whose inputs did not change are kept."""
    cfg = load_config(config)
    out = out or ROOT / "build" / cfg.name
    with spinner() as report:
        results = run_steps(STEPS, cfg, out, until, report, _print_step)
    _print_summary(results, out, cfg.name)


@cli.command()
@click.option("--config", required=True, help="Name in build_flows/configs, or a .toml file.")
@click.option("--fps", type=click.FloatRange(min=0, min_open=True), help="Only this rate.")
@click.option("--cycles", type=click.IntRange(min=1), help="Only this many cycles a frame.")
@click.option(
    "--points",
    type=click.IntRange(min=2),
    default=24,
    show_default=True,
    help="Searches on the front; some end at the same folding.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="Of each search, in the solver's deterministic seconds.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder; default build/CONFIG/explore."
)
@one_line_errors
def explore(
    config: str, fps: float | None, cycles: int | None, points: int, time_limit: float,
    out: Path | None,
) -> None:  # fmt: skip
    """Find foldings: the least resources at a rate, or the front up to the fastest that fits."""
    cfg = load_config(config)
    build = ROOT / "build" / cfg.name
    folder = out or build / "explore"
    if fps and cycles:
        raise UserError(f"--fps {fps:g} and --cycles {cycles} exclude each other; give one")
    with spinner() as report:
        run_steps(STEPS, cfg, build, "map", report, _print_step)
        mapped = ModelWrapper(str(build / "map" / "model.onnx"))
        report("costs of all choices")
        space = space_of(mapped, cfg.part)
        explorer = Explorer(space, budget_of(cfg.part), cfg.clk_mhz, time_limit, report)
        if fps or cycles:
            found = [explorer.smallest(cycles or explorer.cycles_for(fps))]
            write_folding(found[0], folder)
        else:
            found, bound = explorer.front(points)
            write_front(found, bound, explorer, folder)
            write_comparison(comparison(found, explorer, mapped), folder)
    _print_points(found, explorer, folder)


@cli.command()
@click.option("--config", required=True, help="Config that is built.")
@click.option(
    "--from", "first", type=click.IntRange(min=0), default=0, show_default=True, help="First cycle."
)
@click.option(
    "--cycles",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Cycles in the file.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default build/CONFIG/trace.vcd.")
@one_line_errors
def trace(config: str, first: int, cycles: int, out: Path | None) -> None:
    """Write a window of the simulation as waveforms (VCD)."""
    cfg = load_config(config)
    build = ROOT / "build" / cfg.name
    out = out or build / "trace.vcd"
    with spinner() as report:
        run_steps(STEPS, cfg, build, "stitch", report, _print_step)
        report("trace")
        model, images = ModelWrapper(str(build / "stitch" / "model.onnx")), Golden.load(cfg).images
        window = range(first, first + cycles)
        write_trace(model, build / "stitch" / "design", images[:1], window, out, build / "cache")
    click.echo(f"cycles {first} to {first + cycles - 1}: {relative(out)}")


@cli.command()
@click.option("--config", required=True, help="Config whose units are synthesised.")
@one_line_errors
def synthesise(config: str) -> None:
    """Build, then count the cells of every unit with yosys, beside the formulas.

    build/CONFIG/synthesis.json has every unit, report.json the kernels. Minutes for a small design,
    more than an hour for the largest; units that did not change are kept.
    """
    cfg = load_config(config)
    out = ROOT / "build" / cfg.name
    with spinner() as report:
        run_steps(STEPS, cfg, out, "stitch", report, _print_step)
        model = ModelWrapper(str(out / "stitch" / "model.onnx"))
        found = synthesise_design(model, cfg, out, report)
        run_steps(STEPS, cfg, out, None, report, _print_step)
    publish(out / STEP_NAMES[-1], out)
    _print_synthesis(found, relative(out / "synthesis.json"))


@cli.command()
@click.option("--config", required=True, help="Config that is built.")
@click.option(
    "--clk-mhz",
    type=click.FloatRange(min=0, min_open=True),
    help="Clock of the fabric; default: the config's.",
)
@click.option(
    "--out-of-context",
    is_flag=True,
    help="Only synthesise the accelerator alone: quicker, no bitstream.",
)
@click.option(
    "--overlays",
    type=click.Path(path_type=Path),
    default=ROOT / "overlays",
    help="Folder of all overlays.",
)
@one_line_errors
def bitstream(config: str, clk_mhz: float | None, out_of_context: bool, overlays: Path) -> None:
    """Build, write the project for Vivado, run it, write overlays/CONFIG.

    build/CONFIG/vivado is the project; what Vivado has finished is kept.
    """
    cfg = load_config(config)
    clock = vivado.legal_clock(clk_mhz or cfg.clk_mhz)
    out, script = ROOT / "build" / cfg.name, vivado.SCRIPT_OF[out_of_context]
    with spinner() as report:
        run_steps(STEPS, cfg, out, None, report, _print_step)
        publish(out / STEP_NAMES[-1], out)
        design = out / "stitch" / "design"
        project = vivado.write_project(design, out / "vivado", cfg.name, cfg.part, clock)
        report(f"vivado, see {relative(project.log(script))}")
        result = vivado.run_vivado(project, script)
        if not out_of_context:
            host = json.loads((out / "settings.json").read_text())
            vivado.publish(project, host, design, overlays / cfg.name, result)
    click.echo(
        f"{result['strategy']} at {clock:g} MHz: setup slack {result['setup_slack_ns']} ns, "
        f"hold slack {result['hold_slack_ns']} ns"
    )
    if not out_of_context:
        click.echo(f"overlay: {relative(overlays / cfg.name)}")


@cli.command("hls-sim")
@click.option("--config", required=True, help="Config whose C++ is run.")
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Golden images, in a circle.",
)
@one_line_errors
def hls_sim(config: str, frames: int) -> None:
    """Build until hls, compile the C++ with g++ and compare every output of golden images."""
    cfg = load_config(config)
    out = ROOT / "build" / cfg.name
    with spinner() as report:
        run_steps(STEPS, cfg, out, "hls", report, _print_step)
        report("compiling")
        backend = CsimBackend(out)
        sent = Golden.load(cfg).repeated(frames)
        begin = time.perf_counter()
        found = backend.accumulate(sent.images)
        seconds = time.perf_counter() - begin
    compare("accumulators", found, sent.accumulators, "C++ simulation")
    outputs = found.shape[1]
    click.echo(
        f"{cfg.name}: bit-exact: {outputs}/{outputs} outputs in {frames} frames, "
        f"{seconds / frames * 1e3:.0f} ms a frame, library after {backend.load_seconds:.0f} s"
    )


@cli.command("hls-ip")
@click.option("--config", required=True, help="Config whose C++ becomes an IP.")
@one_line_errors
def hls_ip(config: str) -> None:
    """Build until hls, then simulate, synthesise and export the C++ with Vitis HLS."""
    cfg = load_config(config)
    out = ROOT / "build" / cfg.name
    with spinner() as report:
        run_steps(STEPS, cfg, out, "hls", report, _print_step)
        report(f"vitis_hls, see {relative(out / 'hls' / hls.LOG)}")
        archive = hls.run_vitis(out / "hls")
    click.echo(relative(archive))


@cli.command()
@click.option("--config", required=True, help="Config that is built.")
@one_line_errors
def shell(config: str) -> None:
    """Build, then put the accelerator with its shell in Verilator into build/CONFIG/shell.

    With its overlay: what host/backends/fpga.py drives on the board, for host/board/sim_device.py.
    """
    cfg = load_config(config)
    out = ROOT / "build" / cfg.name
    with spinner() as report:
        run_steps(STEPS, cfg, out, None, report, _print_step)
        publish(out / STEP_NAMES[-1], out)
        report("simulator of the shell")
        program, folder = simulate_board(out)
    click.echo(f"{relative(program)}, {relative(folder)}")


@cli.command("overlay-package")
@click.option("--config", required=True, help="Config whose overlay is packed.")
@click.option(
    "--overlays",
    type=click.Path(path_type=Path),
    default=ROOT / "overlays",
    help="Folder of all overlays.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Tarball; default build/landmarks-CONFIG.tar.gz."
)
@one_line_errors
def overlay_package(config: str, overlays: Path, out: Path | None) -> None:
    """Pack an overlay, host/ and its requirements for the board."""
    archive = out or ROOT / "build" / f"landmarks-{config}.tar.gz"
    archive.parent.mkdir(exist_ok=True)
    overlay.write_package(overlays / config, ROOT, archive)
    click.echo(relative(archive))


def _print_synthesis(found: dict[str, Any], title: str) -> None:
    names = ("lut", "ff", "dsp", "bram18", "uram")
    table = Table("kernel", "number", *names, "levels", title=f"{title}: yosys (formula)")
    for kernel, row in [*found["kernels"].items(), ("all", found["total"])]:
        cells = [f"{row[name]} ({row['formula'][name]})" for name in names]
        table.add_row(kernel, str(row["instances"]), *cells, str(row["levels"]))
    Console().print(table)
    for name, path in found["over_max_levels"].items():
        click.echo(f"{name}: {path}")


def _print_points(points: list[Point], explorer: Explorer, folder: Path) -> None:
    columns = ("fps", "cycles", *RESOURCES, "gap")
    table = Table(*columns, title=relative(folder))
    for point in points:
        row = row_of(point, explorer.budget)
        table.add_row(*(str(row[name]) for name in columns))
    table.add_row("", "at most", *map(str, explorer.budget.limits))
    Console().print(table)


def _print_step(result: StepResult) -> None:
    state = "kept" if result.resumed else "done"
    console.print(f"{result.name:<12}{state}  {result.seconds:7.1f} s", highlight=False)


def _print_summary(results: list[StepResult], out: Path, name: str) -> None:
    table = Table("step", "time", title=name)
    for result in results:
        table.add_row(
            result.name, f"{result.seconds:.1f} s" + (" (kept)" if result.resumed else "")
        )
    Console().print(table)
    if results[-1].name != STEP_NAMES[-1]:
        return
    publish(out / STEP_NAMES[-1], out)
    report = json.loads((out / "report.json").read_text())
    click.echo(
        f"bit-exact: {report['outputs_exact']}/{report['outputs']} outputs in "
        f"{report['frames_checked']} frames\n"
        f"cycles per frame: {report['cycles_per_frame']} (simulated), "
        f"latency {report['latency_cycles']}\n"
        f"frames per second: {report['fps']} at an assumed clock of {report['clk_mhz']:g} MHz\n"
        f"resources (estimated): {_resources(report['budget'])}\n"
        f"{', '.join(relative(out / name) for name in PRODUCTS if (out / name).is_file())}"
    )


def _resources(budget: dict[str, Any]) -> str:
    rows = ((name, budget[name]) for name in RESOURCES)
    used = ", ".join(f"{row['used']} of {row['allowed']} {name}" for name, row in rows)
    return used if budget["kept"] else f"{used}: MORE THAN THE BUDGET"


if __name__ == "__main__":
    cli(prog_name="python -m build_flows")
