# SPDX-License-Identifier: Apache-2.0
"""``python -m build_flows``: build a configuration, make a folding file."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from qonnx.core.modelwrapper import ModelWrapper
from rich.console import Console
from rich.table import Table

from build_flows.config import ROOT, load_config, relative
from build_flows.flow import StepResult, run_steps
from build_flows.folding import balance
from build_flows.report import publish
from build_flows.steps import STEPS
from host.errors import FAILURES

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
    with console.status("") as status:
        results = run_steps(
            STEPS, cfg, out, until, lambda name: status.update(f"{name} ..."), _print_step
        )
    _print_summary(results, out, cfg.name)


@cli.command()
@click.option("--config", required=True, help="Config whose model is folded; must be built to map.")
@click.option("--cycles", required=True, type=click.IntRange(min=1), help="Cycles a frame.")
@one_line_errors
def fold(config: str, cycles: int) -> None:
    """Print a folding file: the least parallelism with which every kernel keeps to CYCLES."""
    cfg = load_config(config)
    out = ROOT / "build" / cfg.name
    run_steps(STEPS, cfg, out, "map", lambda _: None, _print_step)
    table = balance(ModelWrapper(str(out / "map" / "model.onnx")), cycles)
    click.echo(json.dumps(table, indent=1))


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
        f"{relative(out / 'face.png')}, {relative(out / 'report.json')}"
    )


if __name__ == "__main__":
    cli(prog_name="python -m build_flows")
