# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of a build; saves and verifies the model after each; resumes what is unchanged.

Every step owns a folder of the build. It is filled under another name and renamed when the step
is complete, so a folder that exists can be trusted. A step is skipped when the sources of the flow,
its configuration and everything it reads are what they were.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import ROOT, BuildConfig, tool_versions
from build_flows.design.verify import Golden, verify
from host.common.errors import UserError

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


def run_steps(
    steps: list[Step],
    cfg: BuildConfig,
    out: Path,
    until: str | None,
    started: Callable[[str], None],
    finished: Callable[[StepResult], None],
) -> list[StepResult]:
    """Run ``steps`` into ``out`` up to and including ``until``, reporting each.

    Raises UserError for an unknown ``until``; whatever a step raises leaves earlier folders as they
    are and nothing of the failed one.
    """
    names = [s.name for s in steps]
    if until is not None and until not in names:
        raise UserError(f"unknown step {until}; known are {', '.join(names)}")
    golden = Golden.load(cfg)
    results, previous = [], None
    for step in steps[: names.index(until) + 1 if until else None]:
        started(step.name)
        result = _run_step(step, Job(cfg, golden, out, out / f".{step.name}.partial"), previous)
        finished(result)
        results.append(result)
        previous = out / step.name
    return results


def _run_step(step: Step, job: Job, previous: Path | None) -> StepResult:
    final, begin = job.out / step.name, time.monotonic()
    fingerprint = _fingerprint(step, job, previous)
    done = _read_done(final)
    if done is not None and done["fingerprint"] == fingerprint:
        return StepResult(step.name, done["seconds"], resumed=True)
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True)
    try:
        source = previous / "model.onnx" if previous else job.cfg.model
        model = step.run(ModelWrapper(str(source)), job)
        if step.integer:
            verify(model, job.golden, step.name)
        model.save(str(job.folder / "model.onnx"))
        seconds = time.monotonic() - begin
        record = {"fingerprint": fingerprint, "seconds": round(seconds, 2)}
        (job.folder / DONE).write_text(json.dumps(record))
        shutil.rmtree(final, ignore_errors=True)
        job.folder.rename(final)
    except BaseException:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    return StepResult(step.name, seconds, resumed=False)


def _read_done(folder: Path) -> dict[str, object] | None:
    try:
        return json.loads((folder / DONE).read_text())
    except (OSError, ValueError):
        return None


def _fingerprint(step: Step, job: Job, previous: Path | None) -> str:
    digest = hashlib.sha256(step.name.encode())
    settings = {"config": job.cfg.as_dict(), "versions": tool_versions()}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    files = [job.cfg.golden, *step.reads(job)]
    files += _files_below(previous) if previous else [job.cfg.model]
    digest.update(_sources() + hash_of(files))
    return digest.hexdigest()


@cache
def _sources() -> bytes:
    """Hash of the program; of what is running, should its files be edited meanwhile."""
    folders = (ROOT / name for name in ("build_flows", "hw", "host"))
    files = (path for folder in folders for path in folder.rglob("*"))
    return hash_of(sorted(path for path in files if path.suffix in (".py", ".sv", ".cpp", ".hpp")))


def hash_of(files: Iterable[Path]) -> bytes:
    """SHA-256 over the names and contents of ``files`` in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.digest()


def _files_below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != DONE)
