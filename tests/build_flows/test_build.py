# SPDX-License-Identifier: Apache-2.0
"""A build owns its folder: two at once, a killed one, and one that is told to end."""

import multiprocessing
import os
import signal
import time

import pytest

from build_flows import __main__ as command_line
from build_flows.build import Build
from build_flows.flow import Listener, Step, run_steps

fork = multiprocessing.get_context("fork")


def wait_for(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"no {path}"
        time.sleep(0.01)


def until_told(model, job):
    """A step that is half done until the file ``go`` is there."""
    (job.folder / "half.txt").write_text("half")
    (job.out / "started").touch()
    wait_for(job.out / "go")
    return model


SLOW = [Step("slow", until_told, integer=False)]


def start(target, *arguments):
    process = fork.Process(target=target, args=arguments)
    process.start()
    return process


def build(cfg, out, line):
    """Build; exit code 10 when the step was kept."""
    work = Build(cfg, out, Listener(waiting=line.write_text), SLOW).until()
    raise SystemExit(10 if work.results[0].resumed else 0)


@pytest.fixture
def first(cfg, tmp_path):
    """A process in the middle of a build into ``out``."""
    process = start(build, cfg, tmp_path / "out", tmp_path / "line")
    wait_for(tmp_path / "out" / "started")
    yield process
    process.kill()
    process.join()


def test_a_second_build_waits_and_says_for_whom(cfg, tmp_path, first):
    out, line = tmp_path / "out", tmp_path / "line"
    second = start(build, cfg, out, line)
    wait_for(line)
    (out / "go").touch()
    first.join()
    second.join()
    assert (first.exitcode, second.exitcode) == (0, 10)
    assert line.read_text().startswith(f"{out} is in use by process {first.pid} since 20")
    assert "\n" not in line.read_text()


def test_a_killed_build_is_no_obstacle(cfg, tmp_path, first):
    out = tmp_path / "out"
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    assert [p.name for p in out.glob(".*")] == [f".slow.{first.pid}.partial"]
    (out / "go").touch()
    told = []
    assert not Build(cfg, out, Listener(waiting=told.append), SLOW).until().results[0].resumed
    assert told == []
    assert sorted(p.name for p in out.iterdir()) == ["go", "slow", "started"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_build_that_is_told_to_end_leaves_no_half_step(
    cfg, tmp_path, monkeypatch, capfd, sigint, number
):
    file, out = tmp_path / "c.toml", tmp_path / "out"
    file.write_text(f'model = "{cfg.model}"\nfolding = "{cfg.folding}"\n')
    monkeypatch.setattr(
        Build, "_run", lambda self, _: run_steps(SLOW, self.cfg, self.out, self.listener)
    )
    process = start(command_line.cli, ["build", "--config", str(file), "--out", str(out)])
    wait_for(out / "started")
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 1
    assert sorted(p.name for p in out.iterdir()) == ["started"]
    assert "interrupted; finished steps are kept" in capfd.readouterr().err
