# SPDX-License-Identifier: Apache-2.0
"""The results of a sweep as one table and one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build_flows.explore.budget import RESOURCES
from build_flows.sweep.plan import Cell
from build_flows.sweep.work import Found
from host.common.atomic import replacing, write_text
from host.common.tables import to_csv, to_markdown

Row = dict[str, Any]
NAMED = ("network", "part", "clk_mhz", "fill", "pumped")  #: what distinguishes cells
SHARE = "_share"  #: end of a column's name: of a resource, as a share of what is allowed
MARKS = "os^vDP*X"


def write_table(
    results: Sequence[tuple[Cell, Found]], accuracy: Mapping[str, float], out: Path
) -> list[Path]:
    """Write sweep.csv, sweep.md, sweep.png and the folding files into ``out``; the first three."""
    rows = [row for cell, found in results for row in _rows(cell, found, accuracy, out)]
    files = [out / f"sweep.{ending}" for ending in ("csv", "md", "png")]
    write_text(files[0], to_csv(rows))
    shown = [name for name in rows[0] if not name.endswith(SHARE)]
    write_text(files[1], to_markdown(shown, [[row[name] for name in shown] for row in rows]))
    plot(rows, files[2])
    return files


def _rows(cell: Cell, found: Found, accuracy: Mapping[str, float], out: Path) -> list[Row]:
    """Rows of a cell, one that says why where it has no folding."""
    network, search = Path(cell.config).stem, cell.search
    first: Row = {
        "network": network,
        "part": search.part,
        "clk_mhz": search.clk_mhz,
        "fill": search.fill,
        "pumped": search.pumped,
        "accuracy": accuracy.get(network, ""),
    }
    folder = out / "foldings" / "_".join(str(first[name]) for name in NAMED if first[name])
    rows = []
    for row, folding in zip(found.rows, found.foldings, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"folding_{row['fps']:.0f}.json", folding)
        rows.append(_row(first, row, cell, found))
    return rows or [_row(first, {}, cell, found)]


def _row(first: Row, values: Row, cell: Cell, found: Found) -> Row:
    shares = [name + SHARE for name in RESOURCES]
    built = ("simulated", "exact") if cell.build else ()
    columns = ("fps", "cycles", *RESOURCES, *shares, *built)
    middle = {name: values.get(name, "") for name in columns}
    why = {"refused": found.refused, "failed": found.failed}
    return first | middle | why | {"command": cell.command}


def plot(rows: Sequence[Row], path: Path) -> None:
    """Share of each resource against frames per second, a line for each cell.

    Where accuracies are known a last panel has them. What no folding fits is not in the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row["fps"] != ""]
    differing = [name for name in NAMED if len({row[name] for row in rows}) > 1] or ["network"]
    series: dict[str, list[Row]] = {}
    for row in drawn:
        series.setdefault(", ".join(_said(name, row[name]) for name in differing), []).append(row)
    known = any(row["accuracy"] != "" for row in drawn)
    panels = [*RESOURCES, *(["accuracy"] if known else [])]
    figure = Figure(figsize=(2.6 * len(panels), 3.4 + 0.12 * len(series)), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for name, axes in zip(panels, all_axes, strict=True):
        for index, (label, found) in enumerate(series.items()):
            _line(axes, name, found, label, index)
        _frame(axes, name)
    all_axes[0].set(ylabel="share of what is allowed, %")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8)
    figure.supxlabel("frames per second at the assumed clock")
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _said(name: str, value: Any) -> str:
    """A value that distinguishes cells, as the legend has it."""
    if name == "pumped":
        return "pumped" if value else "one clock"
    return f"{value:g} MHz" if name == "clk_mhz" else str(value)


def _line(axes: Any, panel: str, rows: Sequence[Row], label: str, index: int) -> None:
    if panel == "accuracy":
        shown = [(row["fps"], row["accuracy"]) for row in rows if row["accuracy"] != ""]
    else:
        shown = [(row["fps"], 100 * row[panel + SHARE]) for row in rows]
    style = {"color": f"C{index % 10}", "marker": MARKS[index % len(MARKS)], "markersize": 4}
    if shown:
        axes.plot(*zip(*shown, strict=True), label=label, linewidth=1, **style)


def _frame(axes: Any, panel: str) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", rotation=45, labelsize=8)
    axes.grid(alpha=0.3)
    if panel == "accuracy":
        axes.set(title="accuracy, %")
    else:
        axes.axhline(100, color="black", linestyle="--", linewidth=1)
        axes.set(title=panel.upper(), ylim=(0, 108))
