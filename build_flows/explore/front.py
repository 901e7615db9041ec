# SPDX-License-Identifier: Apache-2.0
"""Foldings of a mapped model: the fastest that fits, the smallest at a rate, and those between.

The budget is a share of each resource of the part, of which the shell and the small FIFOs take a
fixed part. Results are folding files; see docs/folding.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.checked import check_types
from build_flows.explore.budget import BUILT_FILL, RESOURCES, Budget, Cost, shares_of
from build_flows.explore.choices import Space, table_of
from build_flows.explore.setfolding import finn_space
from build_flows.explore.solve import (
    Problem,
    Solution,
    Unsolved,
    burden,
    cycle_bounds,
    improved,
    without_limit,
)
from build_flows.graph.folding import Table
from host.common.atomic import replacing, write_text
from host.common.errors import UserError
from host.common.json_file import write_json
from host.common.provenance import provenance
from host.common.tables import to_csv, to_markdown

SLOWEST_FPS = 60.0  #: where the front begins
UNBOUNDED = 1 << 40  #: cycles
Report = Callable[[str], None]


def silent(_: str) -> None:
    """Report of what nobody is told."""


@dataclass(frozen=True)
class Point:
    """A folding with its rate at the assumed clock."""

    fps: float
    solution: Solution
    pumped: bool
    """Whether DSPs may run at twice the clock in it."""

    @property
    def file(self) -> str:
        """Name of its folding file."""
        return f"folding_{self.fps:.0f}{'' if self.pumped else '_single'}.json"


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched for, beside the network."""

    time_limit: float = 20.0
    """Of each search, in the solver's deterministic seconds."""
    pumped: bool = False
    """Whether the DSPs of dense units may run at twice the clock."""
    fill: str = BUILT_FILL
    """Shares of the part that a folding may take, a name of FILLS."""
    part: str | None = None
    """FPGA part as Vivado spells it; default: the config's."""
    clk_mhz: float | None = None
    """Clock assumed where cycles become frames a second; default: the config's."""

    def __post_init__(self) -> None:
        check_types(self, "the search")
        shares_of(self.fill)
        for name in ("time_limit", "clk_mhz"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"{name}={value} in the search; give more than 0")


class Explorer:
    """Searches in one space under one budget; ``time_limit`` is for each search."""

    def __init__(
        self, space: Space, budget: Budget, clk_mhz: float, time_limit: float, report: Report
    ) -> None:
        self.space, self.budget, self.clk_mhz = space, budget, clk_mhz
        self.time_limit, self.report = time_limit, report

    def cycles_for(self, fps: float) -> int:
        """Most cycles a frame at which ``fps`` frames a second are reached."""
        return int(self.clk_mhz * 1e6 / fps)

    def smallest(self, cycles: int, start: Solution | None = None) -> Point:
        """Least resources with at most ``cycles`` a frame; UserError says why nothing fits.

        ``start`` is a folding of no more cycles, else ValueError; the result costs no more.
        """
        if start is not None and start.cycles > cycles:
            raise ValueError(
                f"a start of {start.cycles} cycles for at most {cycles}; give a faster"
            )
        self.report(f"least resources at {cycles} cycles")
        problem = Problem(self.space, self.budget, cycles)
        problem.prefer_least()
        found = problem.solve(self.time_limit)
        if isinstance(found, Unsolved):
            found = start or Problem(self.space, self.budget, cycles).solve(self.time_limit)
        if isinstance(found, Unsolved):
            raise UserError(self._why(found, cycles))
        best = min(found, start or found, key=lambda s: burden(s.used, self.budget))
        best = replace(best, bound=found.bound if found is not start else 0.0)
        found = improved(self.space, self.budget, cycles, best, self.time_limit)
        return Point(round(self.clk_mhz * 1e6 / found.cycles, 1), found, self.space.pumped)

    def fastest(self) -> tuple[Point, int]:
        """The folding of least cycles that fits, and cycles below which there is provably none."""
        bounds = cycle_bounds(self.space)
        impossible, possible, proven = -1, len(bounds) - 1, -1  # positions in bounds
        start = None
        while possible - impossible > 1:
            middle = (impossible + possible) // 2
            self.report(f"searching for {bounds[middle]} cycles")
            result = self._any(bounds[middle])
            if isinstance(result, Solution):
                possible, start = bounds.index(result.cycles), result
            else:
                impossible = middle
                proven = middle if result.proven else proven
        return self.smallest(bounds[possible], start), bounds[proven + 1]

    def _any(self, cycles: int) -> Solution | Unsolved:
        """A folding that fits; where plain search finds none in time, an objective may lead."""
        problem = Problem(self.space, self.budget, cycles)
        result = problem.solve(self.time_limit)
        if isinstance(result, Unsolved) and not result.proven:
            problem.prefer_least()
            result = problem.solve(self.time_limit)
        return result

    def front(self, points: int, jobs: int = 1) -> Front:
        """Foldings from SLOWEST_FPS to the fastest, and the bound of :meth:`fastest`.

        There are ``points`` searches, the fastest first, then ``jobs`` side by side; how many does
        not change the result. Of two foldings of like cost only the faster is kept. Where no
        folding is faster than SLOWEST_FPS, the fastest is all there is.
        """
        fastest, bound = self.fastest()
        if fastest.fps <= SLOWEST_FPS:
            return Front(self, [fastest], bound)
        step = (fastest.fps / SLOWEST_FPS) ** (1 / max(points - 1, 1))
        least = fastest.solution.cycles  # the rate is rounded
        cycles = [max(least, self.cycles_for(fastest.fps / step**i)) for i in range(1, points)]
        found = [fastest]
        for point in self._all_smallest(cycles, fastest.solution, jobs):
            if self._burden(point) < self._burden(found[-1]):
                found.append(point)
        return Front(self, found[::-1], bound)

    def _burden(self, point: Point) -> float:
        return burden(point.solution.used, self.budget)

    def _all_smallest(self, cycles: list[int], start: Solution, jobs: int) -> list[Point]:
        """Least resources at each of ``cycles``, all from ``start``, ``jobs`` at a time."""
        if jobs == 1:
            return [self.smallest(bound, start) for bound in cycles]
        self.report(f"least resources at {len(cycles)} rates, {jobs} at a time")
        quiet = Explorer(self.space, self.budget, self.clk_mhz, self.time_limit, silent)
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            return list(pool.map(quiet.smallest, cycles, repeat(start)))

    def _why(self, result: Unsolved, cycles: int) -> str:
        """What must be relaxed for a folding of at most ``cycles``."""
        if not result.proven:
            return (
                f"no folding of at most {cycles} cycles a frame found within the time limit of "
                f"{self.time_limit:g}; give more time or ask for more cycles"
            )
        needs = [n for r in RESOURCES if (n := self._need(r, cycles)) is not None]
        reason = " or ".join(needs) if needs else "more than one resource is short"
        return (
            f"no folding of at most {cycles} cycles a frame fits the budget: {reason}; "
            "ask for more cycles"
        )

    def _need(self, resource: str, cycles: int) -> str | None:
        """How much of ``resource`` alone would do; None if no amount does."""
        self.report(f"is {resource} short at {cycles} cycles?")
        problem = Problem(self.space, without_limit(self.budget, resource), cycles)
        problem.prefer_least_of(resource)
        result = problem.solve(self.time_limit)
        if isinstance(result, Unsolved):
            return None
        index = RESOURCES.index(resource)
        return (
            f"{resource} of {result.used[index]}, where {self.budget.limits[index]} are allowed, "
            "would do"
        )


@dataclass(frozen=True)
class Front:
    """Foldings of one space under one budget, the slowest first."""

    explorer: Explorer
    points: list[Point]
    bound: int
    """Cycles below which there is provably no folding."""

    @property
    def label(self) -> str:
        """What its clocks are."""
        return "DSPs at twice the clock" if self.explorer.space.pumped else "one clock"

    def rows(self) -> list[dict[str, Any]]:
        """Its points as rows of a table."""
        return [row_of(point, self.explorer.budget) for point in self.points]


# -- files -----------------------------------------------------------------------------------------


def row_of(point: Point, budget: Budget) -> dict[str, Any]:
    """A point as a row: rate, cycles, resources, their shares of the limits, the search."""
    solution = point.solution
    used = dict(zip(RESOURCES, solution.used, strict=True))
    shares = zip(RESOURCES, solution.used, budget.limits, strict=True)
    return {
        "fps": point.fps,
        "cycles": solution.cycles,
        **used,
        **{f"{name}_share": round(n / limit, 3) if limit else 0.0 for name, n, limit in shares},
        "gap": round(solution.gap(budget), 4),
        "seconds": round(solution.seconds, 1),
        "pumped": point.pumped,
        "folding": point.file,
    }


def write_folding(point: Point, folder: Path, layers: Mapping[str, str] | None = None) -> Path:
    """Write the folding file of a point into ``folder``, ``layers`` of the network beside units."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / point.file
    write_text(path, dump_table(table_of(point.solution.chosen, layers or {})))
    return path


def dump_table(table: Table) -> str:
    """Text of a folding file, one line a unit."""
    rows = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


def write_fronts(fronts: Sequence[Front], folder: Path) -> None:
    """Write front.csv, front.json, front.png and all folding files of fronts under one budget."""
    for front in fronts:
        for point in front.points:
            write_folding(point, folder, front.explorer.space.layers)
    rows, explorer = [row for front in fronts for row in front.rows()], fronts[0].explorer
    write_text(folder / "front.csv", to_csv(rows))
    record = {
        "clk_mhz": explorer.clk_mhz,
        "limits": dict(zip(RESOURCES, explorer.budget.limits, strict=True)),
        "reserved": dict(zip(RESOURCES, explorer.budget.reserved, strict=True)),
        "no_folding_below_cycles": {front.label: front.bound for front in fronts},
        "points": rows,
        **provenance(),
    }
    write_json(folder / "front.json", record)
    plot_fronts({front.label: front.rows() for front in fronts}, folder / "front.png")


def write_comparison(rows: list[dict[str, Any]], folder: Path) -> None:
    """Write comparison.csv and comparison.md."""
    write_text(folder / "comparison.csv", to_csv(rows))
    write_text(folder / "comparison.md", to_markdown(rows[0], [row.values() for row in rows]))


def plot_fronts(fronts: Mapping[str, list[dict[str, Any]]], path: Path) -> None:
    """Share of each resource's limit against frames per second, a panel for each resource.

    ``fronts`` are rows by label; each is a curve.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(RESOURCES), sharex=True, sharey=True)
    for name, axes in zip(RESOURCES, panels, strict=True):
        for (label, rows), marker in zip(fronts.items(), "os", strict=False):
            rates, shares = zip(*((r["fps"], 100 * r[f"{name}_share"]) for r in rows), strict=True)
            axes.plot(rates, shares, marker=marker, markersize=3.5, label=label)
        axes.axhline(100, color="black", linestyle="--", linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(ylim=(0, 108), title=name.upper())
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="share of what is allowed, %")
    panels[0].legend(loc="lower right", fontsize=8)
    figure.supxlabel("frames per second at the assumed clock")
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


# -- beside FINN's own -----------------------------------------------------------------------------


def comparison(front: Front, mapped: ModelWrapper) -> list[dict[str, Any]]:
    """For each point two rows: its folding and FINN's SetFolding for as many cycles."""
    rows, explorer = [], front.explorer
    for point in front.points:
        cycles = point.solution.cycles
        explorer.report(f"FINN's SetFolding at {cycles} cycles")
        folded = finn_space(mapped, explorer.space, cycles)
        problem = Problem(folded, without_limit(explorer.budget, *RESOURCES), UNBOUNDED)
        problem.prefer_least()
        finn = problem.solve(explorer.time_limit)
        if isinstance(finn, Unsolved):
            raise UserError(f"no memories found for SetFolding at {cycles} cycles; give more time")
        rows.append(_compared("explore", cycles, point.solution.used, explorer.budget))
        rows.append(_compared("SetFolding", finn.cycles, finn.used, explorer.budget))
    return rows


def _compared(name: str, cycles: int, used: Cost, budget: Budget) -> dict[str, Any]:
    fits = all(n <= limit for n, limit in zip(used, budget.limits, strict=True))
    resources = dict(zip(RESOURCES, used, strict=True))
    return {"folding": name, "cycles": cycles, **resources, "fits": fits}
