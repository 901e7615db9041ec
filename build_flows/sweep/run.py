# SPDX-License-Identifier: Apache-2.0
"""Runs a sweep through Dask: local processes, or the workers of a scheduler somewhere.

Each cell's result is written when it is there, so a sweep that was killed goes on where it was. A
failure is not written: the next run tries its cell again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from build_flows.config import BuildConfig, load_config
from build_flows.explore.front import Search
from build_flows.sweep.plan import Cell, Sweep
from build_flows.sweep.table import write_table
from build_flows.sweep.work import Found, Task, work_on
from host.common.atomic import write_text
from host.common.errors import ToolError, UserError
from host.common.json_file import read_object, write_json
from host.common.lock import owning
from host.common.paths import relative

CELLS, NETWORKS = "cells", "networks"  #: folders of a sweep
PATIENCE = "20s"  #: for a scheduler to answer
Tell = Callable[[str], None]


def run_sweep(
    sweep: Sweep, out: Path, tell: Tell, jobs: int = 1, scheduler: str | None = None
) -> tuple[list[Path], int]:
    """Work on every cell that has no result yet, then write table and plot.

    Their paths, and how many cells failed. ``scheduler`` is the address of a Dask scheduler;
    without one there are ``jobs`` processes here.
    """
    with owning(out, tell):
        (out / CELLS).mkdir(parents=True, exist_ok=True)
        tasks = tasks_of(sweep, out, tell)
        waiting = [task for task in tasks if not _result(out, task).is_file()]
        tell(f"{len(tasks)} cells, {len(tasks) - len(waiting)} of them kept")
        failed: dict[str, Found] = {}
        if waiting:
            with client_of(jobs, scheduler) as client:
                for task, found in _worked_on(client, waiting):
                    if found.failed:
                        failed[task.key] = found
                    else:
                        write_json(_result(out, task), asdict(found))
                    tell(f"{task.cell.command}: {found.failed or found.refused or 'done'}")
        results = [(t.cell, failed.get(t.key) or _read(_result(out, t))) for t in tasks]
        files = write_table(results, sweep.accuracy, out)
        return files, len(failed)


def tasks_of(sweep: Sweep, out: Path, tell: Tell) -> list[Task]:
    """All cells in the order of the file; untrained networks are exported where they are not."""
    configs = list(sweep.networks)
    for name, form in sweep.forms().items():
        tell(f"network {name}")
        configs.append(_untrained(name, form, out / NETWORKS))
    loaded = [(config, load_config(config)) for config in configs]
    return [
        _task(sweep, config, cfg, search) for config, cfg in loaded for search in sweep.searches()
    ]


def _task(sweep: Sweep, config: str, cfg: BuildConfig, search: Search) -> Task:
    part = cfg.part if search.part is None else search.part
    clk_mhz = cfg.clk_mhz if search.clk_mhz is None else search.clk_mhz
    known = replace(cfg, part=part, clk_mhz=clk_mhz)
    filled = replace(search, part=part, clk_mhz=clk_mhz)
    cell = Cell(config=config, search=filled, points=sweep.points, build=sweep.build)
    return Task.of(cell, known)


def _untrained(name: str, form: Mapping[str, Any], folder: Path) -> str:
    """Config of an untrained network."""
    folder.mkdir(parents=True, exist_ok=True)
    model, config, folding = (
        folder / f"{name}{end}" for end in (".onnx", ".toml", "_folding.json")
    )
    if not config.is_file():
        options = (part for key, value in form.items()
                   for part in (f"--{key.replace('_', '-')}", str(value)))  # fmt: skip
        _run([sys.executable, "-m", "model", "untrained", "--out", str(model), *options],
             folder / f"{name}.log")  # fmt: skip
        write_text(folding, "{}\n")
        rows = (("model", model), ("folding", folding))
        text = "".join(f'{key} = "{path.resolve()}"\n' for key, path in rows)
        write_text(config, f"{text}frames = 3\n")
    return relative(config)


def _run(command: Sequence[str], log: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        write_text(log, done.stdout + done.stderr)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolError([*command], log, last)


def _result(out: Path, task: Task) -> Path:
    return out / CELLS / f"{task.key}.json"


def _read(path: Path) -> Found:
    found = read_object(path)
    return Found(tuple(found["rows"]), tuple(found["foldings"]), found["refused"])


@contextmanager
def client_of(jobs: int, scheduler: str | None) -> Iterator[Any]:
    """A Dask client of ``scheduler``, or of ``jobs`` processes that end with it."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise UserError("a sweep needs Dask; pip install 'kria-landmarks[sweep]'") from error
    if scheduler is None:
        with (
            LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Dask scheduler answers at {scheduler} ({error}); start one with `dask scheduler`"
        ) from error
    with client:
        yield client


def _worked_on(client: Any, tasks: Sequence[Task]) -> Iterator[tuple[Task, Found]]:
    """Every task with what came out of it, in the order in which they end."""
    from distributed import as_completed

    futures = {client.submit(work_on, task, pure=False): task for task in tasks}
    for future in as_completed(list(futures)):
        yield futures[future], future.result()
