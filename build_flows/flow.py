# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of a build; saves and verifies the model after each; resumes what is unchanged.

Every step owns a folder of the build. It is filled under another name and renamed when the step
is complete, so a folder that exists can be trusted. A step is skipped when the program that it
runs, its configuration, the part and everything it reads are what they were.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BuildConfig
from build_flows.design.verify import Golden, verify
from build_flows.parts import part_of
from build_flows.sources import files_of, modules_of
from host.common.json_file import write_json
from host.common.provenance import provenance, versions

DONE = "done.json"


@dataclass(frozen=True)
class Job:
    """What a step may read and where it writes."""

    cfg: BuildConfig
    golden: Golden
    out: Path
    """Folder of the whole build."""
    folder: Path
    """Folder of this step while it runs."""

    @property
    def cache(self) -> Path:
        """Folder of what is kept by content, whichever step made it."""
        return self.out / "cache"

    def of(self, step: str) -> Path:
        """Finished folder of an earlier step."""
        return self.out / step


@dataclass(frozen=True)
class Step:
    """A named function on the model; ``reads`` gives the files beside the previous model."""

    name: str
    run: Callable[[ModelWrapper, Job], ModelWrapper]
    reads: Callable[[Job], Iterable[Path]] = lambda _: ()
    integer: bool = True
    """Whether this step gives a new integer graph, which is then verified."""


@dataclass(frozen=True)
class StepResult:
    """How a step went; ``seconds`` is the time it took when it ran."""

    name: str
    seconds: float
    resumed: bool


def _nobody(_: Any) -> None:
    """Told, and says nothing."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told how a build goes."""

    started: Callable[[str], None] = _nobody
    """Told what is being done."""
    finished: Callable[[StepResult], None] = _nobody
    waiting: Callable[[str], None] = _nobody
    """Told who else owns the folder."""


def run_steps(
    steps: Sequence[Step],
    cfg: BuildConfig,
    out: Path,
    listener: Listener,
    withdraw: Callable[[Path], None] = _nobody,
) -> list[StepResult]:
    """Run ``steps`` into ``out``, which this process must own.

    ``withdraw`` takes from ``out`` what the last build published; it is called before a step runs.
    Whatever a step raises leaves earlier folders as they are and nothing of the failed one.
    """
    golden, results, previous = Golden.load(cfg), [], None
    for step in steps:  # before any runs: the program is the one that was there at the start
        _program(step.run)
    for step in steps:
        listener.started(step.name)
        for leftover in out.glob(f".{step.name}.*.partial"):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        folder = out / f".{step.name}.{os.getpid()}.partial"
        result = _run_step(step, Job(cfg, golden, out, folder), previous, withdraw)
        listener.finished(result)
        results.append(result)
        previous = out / step.name
    return results


def _run_step(
    step: Step, job: Job, previous: Path | None, withdraw: Callable[[Path], None]
) -> StepResult:
    final, begin = job.out / step.name, time.monotonic()
    fingerprint = _fingerprint(step, job, previous)
    done = _read_done(final)
    if done is not None and done["fingerprint"] == fingerprint:
        return StepResult(step.name, done["seconds"], resumed=True)
    withdraw(job.out)
    job.folder.mkdir(parents=True)
    try:
        source = previous / "model.onnx" if previous else job.cfg.model
        model = step.run(ModelWrapper(str(source)), job)
        if step.integer:
            verify(model, job.golden, step.name)
        model.save(str(job.folder / "model.onnx"))
        seconds = round(time.monotonic() - begin, 2)
        record = {"fingerprint": fingerprint, "seconds": seconds, "config": job.cfg.as_dict()}
        write_json(job.folder / DONE, record | provenance())
        shutil.rmtree(final, ignore_errors=True)
        job.folder.rename(final)
    except BaseException:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    return StepResult(step.name, seconds, resumed=False)


def _read_done(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / DONE).read_text())
    except (OSError, ValueError):
        return None
    return found


def _fingerprint(step: Step, job: Job, previous: Path | None) -> str:
    digest = hashlib.sha256(step.name.encode())
    part = asdict(part_of(job.cfg.part))
    settings = {"config": job.cfg.as_dict(), "part": part, "versions": versions()}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    files = [job.cfg.golden, *step.reads(job)]
    files += _files_below(previous) if previous else [job.cfg.model]
    digest.update(_program(step.run) + hash_of(files))
    return digest.hexdigest()


@cache
def _program(run: Callable[..., object]) -> bytes:
    """Hash of the program behind a step: its own file, what it runs, and this runner."""
    files = files_of(modules_of(run) | {__name__})
    return hash_of([Path(inspect.getfile(run)), *files])


def hash_of(files: Iterable[Path]) -> bytes:
    """SHA-256 over the names and contents of ``files`` in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.digest()


def _files_below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != DONE)
