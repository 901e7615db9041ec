# SPDX-License-Identifier: Apache-2.0
"""A cell of a sweep as a function of what it is given, so that any machine can work on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from build_flows.build import Build
from build_flows.config import BuildConfig
from build_flows.explore.front import Explorer, Point, row_of, write_folding
from build_flows.flow import hash_of
from build_flows.parts import part_of
from build_flows.sources import files_of
from build_flows.sweep.plan import Cell
from host.common.errors import FAILURES, UserError, line_of
from host.common.provenance import versions

NAMED = ("name", "model", "folding")  #: in a config, what the result does not depend on
SKIPPED = ("seconds", "folding", "gap")  #: of a point's row, what the machine or the files say


@dataclass(frozen=True)
class Task:
    """A cell with all that is needed to work on it, wherever that is."""

    cell: Cell
    cfg: BuildConfig
    """Of the network, with part and clock of the cell."""
    model: bytes
    golden: bytes
    key: str
    """Changes with all that the result may depend on, the program among it."""

    @staticmethod
    def of(cell: Cell, cfg: BuildConfig) -> Task:
        """Read what the config names; UserError for a part that is not known."""
        model, golden = cfg.model.read_bytes(), cfg.golden.read_bytes()
        asked = asdict(cell) | {"config": ""}  # where a file lies changes nothing, nor its name
        given = {key: value for key, value in cfg.as_dict().items() if key not in NAMED}
        part = asdict(part_of(cfg.part))
        text = json.dumps([asked, given, part, versions()], sort_keys=True)
        program = hash_of(files_of([__name__]))
        digest = hashlib.sha256(text.encode() + program + model + golden)
        return Task(cell, cfg, model, golden, digest.hexdigest()[:16])


@dataclass(frozen=True)
class Found:
    """What came out of a cell."""

    rows: tuple[dict[str, Any], ...]
    """Rate, cycles, resources and shares of each folding, the slowest first."""
    foldings: tuple[str, ...]
    """Their folding files."""
    refused: str = ""
    """Why there is no row."""
    failed: str = ""
    """What went wrong, in one line; the next run of the sweep tries the cell again."""


def work_on(task: Task) -> Found:
    """Explore the cell and, if it is to be built, build the fastest; in a folder that goes away.

    What a build raises is a failure, also a UserError: the network was taken.
    """
    with TemporaryDirectory(prefix="sweep_") as scratch:
        work = _unpacked(task, Path(scratch))
        try:
            explorer = work.explorer(task.cell.search)
            points = explorer.front(task.cell.points).points
        except UserError as error:
            return Found((), (), refused=str(error))
        except FAILURES as error:
            return Found((), (), failed=line_of(error))
        rows, foldings = [], []
        for point in points:
            row = row_of(point, explorer.budget)
            rows.append({name: value for name, value in row.items() if name not in SKIPPED})
            foldings.append(write_folding(point, work.out, explorer.space.layers).read_text())
        if task.cell.build:
            try:
                rows[-1] |= _built(work, points[-1], explorer)
            except FAILURES as error:
                return Found((), (), failed=line_of(error))
        return Found(tuple(rows), tuple(foldings))


def _unpacked(task: Task, folder: Path) -> Build:
    model, folding = folder / task.cfg.model.name, folder / "folding.json"
    model.write_bytes(task.model)
    folding.write_text("{}\n")
    model.with_name(task.cfg.golden.name).write_bytes(task.golden)
    return Build(replace(task.cfg, model=model, folding=folding), folder / "build")


def _built(work: Build, point: Point, explorer: Explorer) -> dict[str, Any]:
    """What the simulated design adds to the row of its folding."""
    folding = write_folding(point, work.out, explorer.space.layers)
    built = Build(replace(work.cfg, folding=folding), work.out).until()
    report = built.report()
    return {"simulated": report["cycles_per_frame"], "exact": report["bit_exact"]}
