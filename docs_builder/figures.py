# SPDX-License-Identifier: Apache-2.0
"""Tables of results in pages, made from docs/figures.json; that from the reports of builds.

``python -m docs_builder figures`` writes the tables anew. With report.json files behind it the
figures of their configurations are taken from there first.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from build_flows.explore.budget import RESOURCES
from build_flows.parts import part_of
from docs_builder.pages import ROOT
from host.common.atomic import write_text
from host.common.errors import UserError

FILE = ROOT / "docs" / "figures.json"
PAGES = ("README.md",)
MARKS = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
PLAIN = ("outputs_exact", "outputs", "frames_checked", "cycles_per_frame", "latency_cycles",
         "clk_mhz", "rates", "macs", "mac_efficiency")  # fmt: skip
PART = {name: getattr(part_of("xck26"), name) for name in RESOURCES}  #: what the board's part has

Figures = dict[str, Any]


def from_report(report: Figures) -> Figures:
    """The figures of a build that the pages show; resources with the shell in them."""
    found = {name: report[name] for name in PLAIN}
    return found | {name: report["budget"][name]["used"] for name in RESOURCES}


def fps(figures: Figures) -> int:
    """Frames per second, rounded."""
    return round(float(figures["clk_mhz"]) * 1e6 / int(figures["cycles_per_frame"]))


def clocks(rate: Figures) -> str:
    """The clock of a rate, both of a design with two."""
    return " and ".join(f"{rate[n]:g}" for n in ("clk_mhz", "clk2x_mhz") if n in rate) + " MHz"


def _thousands(value: int) -> str:
    return f"{round(value / 1000)} k" if value >= 10_000 else f"{value:,}"


def table(figures: Figures) -> str:
    """Rows of a build: what, value, origin."""
    exact = f"{figures['outputs_exact']} of {figures['outputs']}"
    rows = [
        ("outputs equal to the integer reference",
         f"{exact}, in {figures['frames_checked']} frames back to back and under stalls",
         "simulated"),
        *(("frames per second", f"{rate['fps']:,.0f}",
           f"simulated cycles at an assumed clock of {clocks(rate)}") for rate in figures["rates"]),
        ("cycles per frame; latency",
         f"{figures['cycles_per_frame']:,}; {figures['latency_cycles']:,}", "simulated"),
        *((label, f"{_thousands(figures[name])} of {_thousands(PART[name])}", "estimated")
          for name, label in zip(RESOURCES, ("LUT", "flip-flops", "DSP", "BRAM18", "UltraRAM"),
                                 strict=True)),
    ]  # fmt: skip
    lines = ["| what | value | origin |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def with_tables(text: str, figures: Figures) -> str:
    """A page with its tables made anew; UserError for a table of a build without figures."""

    def made(match: re.Match[str]) -> str:
        if match[2] not in figures:
            known = ", ".join(figures)
            raise UserError(f"docs/figures.json has no figures of {match[2]}; it has {known}")
        return match[1] + table(figures[match[2]]) + match[3]

    return MARKS.sub(made, text)


def update(reports: list[Path]) -> list[Path]:
    """Take figures from reports, write docs/figures.json and the tables of the pages."""
    figures = json.loads(FILE.read_text())
    for path in reports:
        report = json.loads(path.read_text())
        figures[report["config"]["name"]] = from_report(report)
    write_text(FILE, json.dumps(figures, indent=2) + "\n")
    for name in PAGES:
        page = ROOT / name
        write_text(page, with_tables(page.read_text(), figures))
    return [FILE, *(ROOT / name for name in PAGES)]
