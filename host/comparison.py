# SPDX-License-Identifier: Apache-2.0
"""One page of many machines' results: ``python host/comparison.py RESULTS... --out DIR``.

Three kinds of rows, each with its origin: measured by host/bench.py, simulated by a build of the
flow (no power: nothing was measured), and published by the paper.
"""

from __future__ import annotations

import argparse
import html
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # started as a script: what is imported is the package, not its folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from host.bench import FORMAT
from host.common.atomic import replacing, write_text
from host.common.errors import FAILURES, UserError
from host.common.json_file import read_object
from host.common.tables import to_markdown

CLOCKS = ("clk_mhz", "clk2x_mhz")  #: of a rate in report.json
COLUMNS = ("platform", "network", "FPS", "power", "FPS/W", "accuracy", "origin")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One platform."""

    platform: str
    network: str
    fps: float
    origin: str
    """measured, simulated or published, and where."""
    watts: float | None = None
    watts_of: str = ""
    """What the power is of."""
    accuracy: float | None = None
    """100 - NME in percent where we measured; the paper does not define it."""

    def cells(self) -> list[str]:
        """The texts of COLUMNS."""
        per_watt = f"{self.fps / self.watts:.2f}" if self.watts else "-"
        power = f"{self.watts:.1f} W {self.watts_of}".strip() if self.watts else "-"
        accuracy = f"{self.accuracy:.2f} %" if self.accuracy is not None else "-"
        return [
            self.platform, self.network, f"{self.fps:.1f}", power, per_watt, accuracy, self.origin,
        ]  # fmt: skip


PUBLISHED = tuple(
    Row(platform=platform, network=network, fps=fps, watts=watts, accuracy=accuracy,
        origin="published, the paper's Table V; its accuracy is not defined there")
    for platform, network, fps, watts, accuracy in (
        ("KV260, Vitis AI DPU", "QAT INT8", 30.0, 3.0, 91.74),
        ("RTX 4060", "FP32", 430.0, 110.0, 92.42),
        ("Core i9-13900K", "FP32", 108.0, 80.0, 92.42),
        ("Jetson Nano", "FP32", 9.0, 10.0, 92.42),
        ("Raspberry Pi 4", "FP32", 6.0, 7.0, 92.42),
    )
)  # fmt: skip
"""What the paper reports."""


def measured_row(path: Path) -> Row:
    """The row of a result of host/bench.py.

    Raises:
        UserError: the file is missing or is no such result.
    """
    content = read_object(path)
    if content.get("format") != FORMAT or "landmarks_fps" not in content:
        raise UserError(f"{path} is no result of host/bench.py with format {FORMAT}")
    power: dict[str, float] = content["power_w"]
    origin = next(iter(power), "")
    machine, exact = content["machine"], content.get("accuracy") or {}
    busy = machine["load"] > 0.5 * machine["cores"]
    note = f", while the machine was busy (load {machine['load']:.1f})" if busy else ""
    clock = f" at {machine['clock_mhz']:.0f} MHz" if machine.get("clock_mhz") else ""
    return Row(
        platform=f"{content['name']}: {machine['cores']} cores {machine['processor']}{clock}",
        network=f"{content['model']}, {content['backend']}, batch 1",
        fps=content["landmarks_fps"],
        watts=power.get(origin),
        watts_of=f"({origin})" if origin else "",
        accuracy=exact.get("accuracy"),
        origin=f"measured {content['time'][:10]}{note}; "
        f"{content['end_to_end_fps']:.1f} FPS with detection and tracking",
    )


def simulated_row(path: Path) -> Row:
    """The row of a build's report.json.

    Raises:
        UserError: the file is missing or is no such report.
    """
    content = read_object(path)
    try:
        cycles, rate = int(content["cycles_per_frame"]), content["rates"][0]
        clocks = [float(rate[clock]) for clock in CLOCKS if clock in rate]
        name, clk_mhz = str(content["config"]["name"]), clocks[0]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no report of a simulated build: {error!r}") from error
    return Row(
        platform="KV260, this project's accelerator",
        network=f"{name}, INT8",
        fps=clk_mhz * 1e6 / cycles,
        origin=f"simulated: {cycles:,} cycles per frame (RTL), "
        f"{' and '.join(f'{mhz:g}' for mhz in clocks)} MHz assumed; no power",
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """The page in Markdown."""
    table = to_markdown(COLUMNS, [row.cells() for row in rows])
    return f"# Platforms compared\n\n{NOTE}\n\n{table}\n![Frames per second](platforms.png)\n"


NOTE = (
    "Frames per second of the landmark network alone, batch 1. Accuracy is 100 - NME "
    "(inter-ocular, points 60 and 72) where we measured it. Measured, simulated and published "
    "rows are not of one kind: the last column says which is which."
)

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.4rem .6rem;"
    "border-bottom:1px solid #ddd;vertical-align:top}td:nth-child(3),td:nth-child(5){text-align:"
    "right;font-variant-numeric:tabular-nums}th{background:#f4f4f4}img{max-width:100%}"
)


def as_html(rows: Sequence[Row]) -> str:
    """The page in HTML."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.cells()) + "</tr>"
        for row in rows
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Platforms compared</title>'
        f"<style>{STYLE}</style><h1>Platforms compared</h1><p>{NOTE}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        '<p><img src="platforms.png" alt="Frames per second of all platforms"></p></html>\n'
    )


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a bar chart of the frames per second. UserError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("the chart needs matplotlib; pip install matplotlib") from error
    colours = {"measured": "#2f7ebc", "simulated": "#e08a1e", "published": "#9a9a9a"}
    figure = Figure(figsize=(10, 0.62 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    kinds = [row.origin.split()[0].strip(":,") for row in rows]
    axes.barh(places, [row.fps for row in rows], color=[colours[kind] for kind in kinds])
    labels = [f"{textwrap.fill(row.platform, 40)}\n{row.network}" for row in rows]
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("frames per second, landmark network alone, batch 1 (logarithmic)")
    for place, row in zip(places, rows, strict=True):
        axes.annotate(f" {row.fps:.0f}", (row.fps, place), va="center", fontsize=9)
    axes.margins(x=0.12)
    handles = [axes.barh([0], [0], color=colour) for colour in colours.values()]
    axes.legend(handles, colours, loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=130)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 1 after a failure told in one line on stderr."""
    parser = argparse.ArgumentParser(description="Compare platforms.")
    parser.add_argument("results", type=Path, nargs="*", help="JSON files of host/bench.py")
    parser.add_argument("--build", type=Path, action="append", default=[], metavar="FILE",
                        help="report.json of a simulated build")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/report"), metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        rows = [measured_row(path) for path in options.results]
        rows += [simulated_row(path) for path in options.build]
        rows += PUBLISHED
        options.out.mkdir(parents=True, exist_ok=True)
        draw(rows, options.out / "platforms.png")
        write_text(options.out / "platforms.md", as_markdown(rows))
        write_text(options.out / "platforms.html", as_html(rows))
    except (*FAILURES, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{len(rows)} platforms -> {options.out / 'platforms.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
