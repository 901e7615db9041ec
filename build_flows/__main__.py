# SPDX-License-Identifier: Apache-2.0
"""``python -m build_flows``: build a configuration, find its folding."""

from __future__ import annotations

import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from build_flows import timing
from build_flows.board import overlay
from build_flows.board.bitstream import legal_clock
from build_flows.build import Build
from build_flows.config import BYTE, load_config
from build_flows.design.verify import compare
from build_flows.explore.budget import BUILT_FILL, FILLS, RESOURCES
from build_flows.explore.front import (
    Explorer,
    Point,
    Search,
    comparison,
    row_of,
    write_comparison,
    write_folding,
    write_fronts,
)
from build_flows.flow import Listener, StepResult
from build_flows.new import FIRST_SEARCH, write_first_folding, write_network
from build_flows.report import PRODUCTS
from build_flows.steps import STEPS
from build_flows.sweep.plan import read_sweep
from build_flows.sweep.run import run_sweep
from build_flows.table import files_in, rows_of, write_table
from host.common.ending import ended_by_signals
from host.common.errors import FAILURES, UserError
from host.common.paths import ROOT, WORK, relative
from host.common.tasks import TASKS

STEP_NAMES = [step.name for step in STEPS]
OVERLAYS = WORK / "overlays"
console = Console(stderr=True)


def finite(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The value of an option unless it is infinite or nan."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not finite; give a number.", param=parameter)
    return value


POSITIVE: dict[str, Any] = {"type": click.FloatRange(min=0, min_open=True), "callback": finite}
JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Searches side by side; the result does not depend on it.",
)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Report a failure of ours, a full disk, Ctrl-C or SIGTERM in one line and exit with 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with ended_by_signals():
                command(*args, **kwargs)
        except FAILURES as error:
            sys.exit(f"{type(error).__name__}: {error}")
        except OSError as error:
            sys.exit(f"{error.filename or 'output'}: {error.strerror or error}")
        except KeyboardInterrupt:
            sys.exit("interrupted; finished steps are kept, the same command goes on from there")

    return wrapped


@contextmanager
def listening() -> Iterator[Listener]:
    """Steps are printed, a spinner says what is being done."""
    with console.status("") as status:
        yield Listener(
            started=lambda text: status.update(f"{text} ..."),
            finished=_print_step,
            waiting=lambda text: console.print(text, highlight=False, soft_wrap=True),
        )


@contextmanager
def opened(config: str, out: Path | None = None) -> Iterator[Build]:
    """The build of a config, whose steps are printed."""
    with listening() as listener:
        yield Build(load_config(config), out, listener)


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
    with opened(config, out) as work:
        work.until(until)
    _print_summary(work)


@cli.command()
@click.argument("name")
@click.option("--model", "file", required=True, type=click.Path(path_type=Path), help="QONNX file.")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of pictures, or npz with uint8 images (N, height, width[, channels]); default: "
    "drawn at random.",
)
@click.option("--part", help="FPGA part as Vivado spells it.")
@click.option(
    "--task", type=click.Choice(TASKS), default="values", show_default=True, help="Of the outputs."
)
@click.option(
    "--input-scale", **POSITIVE, default=BYTE, show_default="1/255", help="Worth of one of a byte."
)
@click.option("--input-offset", type=float, callback=finite, default=0.0, help="Worth of byte 0.")
@click.option(
    "--fps",
    **POSITIVE,
    help="Least resources at this rate; default: the fastest folding that fits.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default networks/NAME.")
@one_line_errors
def new(
    name: str, file: Path, images: Path | None, part: str | None, task: str, input_scale: float,
    input_offset: float, fps: float | None, out: Path | None,
) -> None:  # fmt: skip
    """Make a configuration of a QONNX file: golden vectors by running it, and a folding."""
    folder = out or WORK / "networks" / name
    config = write_network(name, file, images, folder, part, task, input_scale, input_offset)
    with opened(str(config)) as work:
        cycles = write_first_folding(work.cfg, work.explorer(FIRST_SEARCH), fps)
    click.echo(
        f"{relative(config)}: {len(work.golden.images)} images, {cycles} cycles a frame expected\n"
        f"next: python -m build_flows build --config {relative(config)}"
    )


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--fps",
    **POSITIVE,
    help="Least resources at this rate; default: the fastest folding that fits.",
)
@click.option("--part", help="FPGA part as Vivado spells it.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default build/table.")
@one_line_errors
def table(files: tuple[Path, ...], fps: float | None, part: str | None, out: Path | None) -> None:
    """Build QONNX files, or all in a folder, to simulated RTL: a row each, or why there is none.

    Each network has a folder with configuration and build; what is finished is kept. The exit code
    is 1 if a network failed or differs from its file; refused ones are no failure.
    """
    folder, rows = out or WORK / "build" / "table", []
    with listening() as listener:
        for row in rows_of(files_in(files), folder, fps, part, listener):
            rows.append(row)
            click.echo(" | ".join(map(str, row.cells)))
            path = write_table(rows, folder)
    click.echo(relative(path))
    if bad := [row.network for row in rows if not row.sound]:
        sys.exit(f"{len(bad)} of {len(rows)} failed or differ: {', '.join(bad)}")


@cli.command()
@click.option("--config", required=True, help="Name in build_flows/configs, or a .toml file.")
@click.option("--fps", **POSITIVE, help="Only this rate.")
@click.option("--cycles", type=click.IntRange(min=1), help="Only this many cycles a frame.")
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Searches on each front, 1 for the fastest only; some end at the same folding.",
)
@click.option(
    "--time-limit",
    **POSITIVE,
    default=Search.time_limit,
    show_default=True,
    help="Of each search, in the solver's deterministic seconds.",
)
@click.option(
    "--pumped/--no-pumped",
    default=None,
    help="Whether DSPs may run at twice the clock; default: a front of each kind, with --fps or "
    "--cycles they may.",
)
@click.option(
    "--fill",
    type=click.Choice([*FILLS]),
    default=BUILT_FILL,
    show_default=True,
    help="Shares of the part that a folding may take: all that is built, or AMD's guideline.",
)
@click.option("--part", help="FPGA part as Vivado spells it; default: the config's.")
@click.option(
    "--clk-mhz",
    **POSITIVE,
    help="Clock that is assumed; default: the config's.",
)
@JOBS
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder; default build/CONFIG/explore."
)
@one_line_errors
def explore(
    config: str, fps: float | None, cycles: int | None, points: int, jobs: int,
    pumped: bool | None, out: Path | None, **search: Any,
) -> None:  # fmt: skip
    """Find foldings: the least resources at a rate, or the fronts up to the fastest that fits.

    There is a front with DSPs at twice the clock and one without.
    """
    if fps and cycles:
        raise UserError(f"--fps {fps:g} and --cycles {cycles} exclude each other; give one")
    with opened(config) as work:
        folder = out or work.out / "explore"
        kinds = (True, False) if pumped is None else (pumped,)
        wanted = kinds[:1] if fps or cycles else kinds
        explorers = [work.explorer(Search(**search, pumped=kind)) for kind in wanted]
        explorer = explorers[0]
        bound = explorer.cycles_for(fps) if fps else cycles
        if bound is not None:
            found = [explorer.smallest(bound)]
            write_folding(found[0], folder, explorer.space.layers)
        else:
            fronts = [one.front(points, jobs) for one in explorers]
            write_fronts(fronts, folder)
            write_comparison(comparison(fronts[-1], work.model("map")), folder)
            found = [point for front in fronts for point in front.points]
    _print_points(found, explorer, folder)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@JOBS
@click.option("--scheduler", metavar="ADDRESS", help="Of Dask, instead of processes here.")
@click.option("--build", is_flag=True, help="Build and simulate the fastest folding of each cell.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default build/sweeps/FILE.")
@one_line_errors
def sweep(file: Path, jobs: int, scheduler: str | None, build: bool, out: Path | None) -> None:
    """Explore a grid of networks, parts, clocks and shares; one table and one plot.

    FILE is a TOML file, see docs/sweeps.md. Cells that are done are kept; those that failed are
    tried again, and the exit code is 1 if one failed.
    """
    plan = read_sweep(file)
    plan = replace(plan, build=plan.build or build)
    tell = partial(console.print, highlight=False, soft_wrap=True)
    folder = out or WORK / "build" / "sweeps" / file.stem
    files, failed = run_sweep(plan, folder, tell, jobs, scheduler)
    click.echo(", ".join(relative(path) for path in files))
    if failed:
        sys.exit(f"cells that failed: {failed}; the table says why, the same command tries again")


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
    with opened(config) as work:
        out = out or work.out / "trace.vcd"
        work.trace(range(first, first + cycles), out)
    click.echo(f"cycles {first} to {first + cycles - 1}: {relative(out)}")


@cli.command()
@click.option("--config", required=True, help="Config whose units are synthesised.")
@click.option("--kernel", multiple=True, help="Only the units of this kernel, nothing is written.")
@one_line_errors
def synthesise(config: str, kernel: tuple[str, ...]) -> None:
    """Build, then count the cells of every unit with yosys, beside the formulas.

    build/CONFIG/synthesis.json has every unit, report.json the kernels. Minutes for a small design,
    more than an hour for the largest; units that did not change are kept.
    """
    with opened(config) as work:
        found = work.synthesise(kernel)
    _print_synthesis(found, "its units" if kernel else relative(work.out / "synthesis.json"))


@cli.command()
@click.option("--config", required=True, help="Config that is built.")
@click.option(
    "--clk-mhz",
    **POSITIVE,
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
    default=OVERLAYS,
    help="Folder of all overlays.",
)
@one_line_errors
def bitstream(config: str, clk_mhz: float | None, out_of_context: bool, overlays: Path) -> None:
    """Build, write the project for Vivado, run it, write overlays/CONFIG.

    build/CONFIG/vivado is the project; what Vivado has finished is kept.
    """
    with opened(config) as work:
        clock = legal_clock(work.cfg.clk_mhz if clk_mhz is None else clk_mhz)
        target = overlays / work.cfg.name
        result = work.bitstream(clock, None if out_of_context else target)
    click.echo(
        f"{result['strategy']} at {result['clk_mhz']} MHz: "
        f"setup slack {result['setup_slack_ns']} ns, hold slack {result['hold_slack_ns']} ns"
    )
    if not out_of_context:
        click.echo(f"overlay: {relative(target)}")


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
    with opened(config) as work:
        backend, sent = work.cpp(), work.golden.repeated(frames)
        begin = time.perf_counter()
        found = backend.accumulate(sent.images)
        seconds = time.perf_counter() - begin
    compare("accumulators", found, sent.accumulators, "C++ simulation")
    outputs = found.shape[1]
    click.echo(
        f"{work.cfg.name}: bit-exact: {outputs}/{outputs} outputs in {frames} frames, "
        f"{seconds / frames * 1e3:.0f} ms a frame, library after {backend.load_seconds:.0f} s"
    )


@cli.command("hls-ip")
@click.option("--config", required=True, help="Config whose C++ becomes an IP.")
@one_line_errors
def hls_ip(config: str) -> None:
    """Build until hls, then simulate, synthesise and export the C++ with Vitis HLS."""
    with opened(config) as work:
        archive = work.vitis_ip()
    click.echo(relative(archive))


@cli.command()
@click.option("--config", required=True, help="Config that is built.")
@one_line_errors
def shell(config: str) -> None:
    """Build, then put the accelerator with its shell in Verilator into build/CONFIG/shell.

    With its overlay: what host/backends/fpga.py drives on the board, for host/board/sim_device.py.
    """
    with opened(config) as work:
        program, folder = work.board()
    click.echo(f"{relative(program)}, {relative(folder)}")


@cli.command("overlay-package")
@click.option("--config", required=True, help="Config whose overlay is packed.")
@click.option(
    "--overlays",
    type=click.Path(path_type=Path),
    default=OVERLAYS,
    help="Folder of all overlays.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Tarball; default build/landmarks-CONFIG.tar.gz."
)
@one_line_errors
def overlay_package(config: str, overlays: Path, out: Path | None) -> None:
    """Pack an overlay, host/ and its requirements for the board."""
    archive = out or WORK / "build" / f"landmarks-{config}.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
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
    click.echo(timing.nets(found))


def _print_points(points: list[Point], explorer: Explorer, folder: Path) -> None:
    columns = ("fps", "cycles", *RESOURCES, "folding")
    table = Table(title=relative(folder), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))  # 80 columns
    for name in columns:
        table.add_column(name, justify="left" if name == "folding" else "right", no_wrap=True)
    for number, point in enumerate(points):
        row = row_of(point, explorer.budget)
        ends = number + 1 == len(points) or points[number + 1].pumped != point.pumped
        cells = (str(row[name]) for name in columns[1:])
        table.add_row(f"{point.fps:.0f}", *cells, end_section=ends)
    table.add_row("", "at most", *map(str, explorer.budget.limits))
    Console().print(table)


def _print_step(result: StepResult) -> None:
    state = "kept" if result.resumed else "done"
    console.print(f"{result.name:<12}{state}  {result.seconds:7.1f} s", highlight=False)


def _print_summary(work: Build) -> None:
    table = Table("step", "time", title=work.cfg.name)
    for result in work.results:
        table.add_row(
            result.name, f"{result.seconds:.1f} s" + (" (kept)" if result.resumed else "")
        )
    Console().print(table)
    if work.results[-1].name != STEP_NAMES[-1]:
        return
    report, products = work.report(), [work.out / name for name in PRODUCTS]
    if "equal_to_file" in report:
        click.echo(
            f"equal to the QONNX file on {report['equal_to_file']} of {report['images_compared']} "
            "images"
        )
    click.echo(
        f"bit-exact: {report['outputs_exact']}/{report['outputs']} outputs in "
        f"{report['frames_checked']} frames\n"
        f"cycles per frame: {report['cycles_per_frame']} (simulated), "
        f"latency {report['latency_cycles']}\n"
        f"frames per second at assumed clocks: {_rates(report['rates'])}\n"
        f"resources (estimated): {_resources(report['budget'])}\n"
        f"{', '.join(relative(path) for path in products if path.is_file())}"
    )


def _rates(rates: list[dict[str, float]]) -> str:
    clocks = ((rate["fps"], rate["clk_mhz"], rate.get("clk2x_mhz")) for rate in rates)
    return ", ".join(
        f"{fps} at {mhz:g} MHz" + (f" with DSPs at {twice:g} MHz" if twice else "")
        for fps, mhz, twice in clocks
    )


def _resources(budget: dict[str, Any]) -> str:
    rows = ((name, budget[name]) for name in RESOURCES)
    used = ", ".join(f"{row['used']} of {row['allowed']} {name}" for name, row in rows)
    return used if budget["kept"] else f"{used}: MORE THAN THE BUDGET"


if __name__ == "__main__":
    cli(prog_name="python -m build_flows")
