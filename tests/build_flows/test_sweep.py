# SPDX-License-Identifier: Apache-2.0
"""Sweeps: what a file asks for, the same table however it is worked on, killed or not."""

import csv
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from build_flows import parts
from build_flows.__main__ import cli
from build_flows.config import load_config
from build_flows.explore.front import Search
from build_flows.new import write_network
from build_flows.sweep import run, work
from build_flows.sweep.plan import Cell, read_sweep
from build_flows.sweep.run import client_of, run_sweep, tasks_of
from build_flows.sweep.work import Task
from host.common.errors import ToolError, UserError
from tests.build_flows.networks import network_of_others

PARTS = ("xck26-sfvc784-2LV-c", "xczu3eg-sbva484-1-e")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Config of a network of two convolutions and a matrix product."""
    folder = tmp_path_factory.mktemp("network")
    model = folder / "in.onnx"
    network_of_others(1).save(str(model))
    return write_network("tiny", model, None, folder, input_scale=0.0123, input_offset=-1.5)


def write_sweep(folder, config, **lines):
    path = folder / "grid.toml"
    rows = {"networks": [str(config)], "points": 2, "time_limit": 0.2} | lines
    text = "".join(f"{key} = {value!r}\n" for key, value in rows.items())
    parts = ", ".join(f'"{part}"' for part in PARTS)
    path.write_text(f'{text}[grid]\npart = [{parts}]\nfill = "full"\n[accuracy]\ntiny = 91.5\n')
    return path


def ignore(_):
    pass


def table(folder):
    return (folder / "sweep.csv").read_text()


# -- the file --------------------------------------------------------------------------------------


def test_cells_are_all_combinations_and_name_their_command(tmp_path, config):
    path = tmp_path / "s.toml"
    path.write_text(
        f'networks = ["{config}"]\npoints = 3\ntime_limit = 2.0\n[grid]\nclk_mhz = [200.0, 250.0]\n'
        f'part = ["{PARTS[1]}"]\npumped = [false, true]\n'
    )
    commands = [task.cell.command for task in tasks_of(read_sweep(path), tmp_path, ignore)]
    assert len(commands) == 4
    assert commands[-1] == (
        f"python -m build_flows explore --config {config} --time-limit 2.0 --pumped --fill full "
        f"--part {PARTS[1]} --clk-mhz 250.0 --points 3"
    )
    assert "--no-pumped" in shlex.split(commands[0])
    known = {o for p in cli.commands["explore"].params for o in (*p.opts, *p.secondary_opts)}
    given = {word for line in commands for word in shlex.split(line) if word.startswith("--")}
    assert {"--pumped", "--no-pumped"} < given <= known


def test_untrained_networks_are_named_by_their_form(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('[untrained]\nwidth = [0.25, 0.5]\nweight_bits = [8, 4]\nhead = "grid"\n')
    assert list(read_sweep(path).forms()) == [
        "width0p25_weight_bits8_headgrid", "width0p25_weight_bits4_headgrid",
        "width0p5_weight_bits8_headgrid", "width0p5_weight_bits4_headgrid",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points = 2\n", "the sweep has no network; give networks or a table"),
        ('networks = ["demo"]\nwidth = 1\n', "unknown key width in .*; known are networks, points"),
        ('networks = ["demo"]\n[grid]\nbits = [4]\n', "unknown key bits in grid; known are part,"),
        ("[untrained]\ndepth = [4]\n", "unknown key depth in untrained; known are width, stem"),
        ('networks = ["demo"]\npoints = 0\n', "points=0; give 1 or more"),
        ('networks = ["demo"]\n[grid]\npart = []\n', "part has no value; give a list"),
        ('networks = "demo"\n', "networks='demo' in the sweep; give a list, each a text"),
        ('networks = ["demo"]\npoints = "4"\n', "points='4' in the sweep; give a whole number"),
        ('networks = ["demo"]\nbuild = "no"\n', "build='no' in the sweep; give true or false"),
        ('networks = ["demo"]\ngrid = 5\n', "grid=5 in the sweep; give a table"),
        ('networks = ["demo"]\naccuracy = {demo = nan}\n', "accuracy={'demo': nan} in the sweep"),
        ('networks = ["demo"]\ntime_limit = -1\n', "time_limit=-1 in the search; give more than"),
        ('networks = ["demo"]\n[grid]\nclk_mhz = [0]\n', "clk_mhz=0 in the search; give more"),
        ('networks = ["demo"]\n[grid]\nclk_mhz = [inf]\n', "clk_mhz=inf in the search; give a fin"),
        ('networks = ["demo"]\n[grid]\npumped = ["no"]\n', "pumped='no' in the search; give true"),
        ('networks = ["demo"]\n[grid]\npart = [5]\n', "part=5 in the search; give a text$"),
        ('networks = ["demo"]\n[grid]\nfill = ["x"]\n', "are called x; use full, guideline"),
        ("networks = " + "[" * 9_999, "s.toml is no sweep .*recursion"),
        ("points\n", "s.toml is no sweep .*; see docs/sweeps.md"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, message):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_sweep(path)


# -- what a result depends on ----------------------------------------------------------------------


def key_of(cfg):
    search = Search(part=cfg.part, clk_mhz=cfg.clk_mhz)
    return Task.of(Cell(config="c", search=search, points=1, build=False), cfg).key


def test_the_key_of_a_cell_has_all_of_the_config_but_its_names(cfg, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert key_of(replace(cfg, name="other", folding=other)) == key_of(cfg)
    changes = (
        {"input_scale": 0.5}, {"input_offset": -1.0}, {"task": "values"}, {"frames": 5},
        {"clk_mhz": 200.0}, {"part": PARTS[1]},
    )  # fmt: skip
    keys = {key_of(replace(cfg, **change)) for change in changes}
    assert len(keys | {key_of(cfg)}) == len(changes) + 1


def test_the_key_of_a_cell_has_the_row_of_its_part(cfg, monkeypatch):
    before, row = key_of(cfg), parts.part_of(cfg.part)
    monkeypatch.setattr(parts, "parts", lambda: {cfg.part: replace(row, lut=row.lut - 1)})
    assert key_of(cfg) != before


# -- work ------------------------------------------------------------------------------------------


class Immediately:
    """Client that does what it is given at once, and stops at the task ``until``."""

    def __init__(self, until=None):
        self.until, self.done = until, 0

    def work(self, client, tasks):
        for task in tasks:
            if self.done == self.until:
                raise KeyboardInterrupt
            self.done += 1
            yield task, run.work_on(task)


@contextmanager
def nobody(jobs, scheduler):
    yield None


def swept(monkeypatch, sweep, out, until=None):
    worker = Immediately(until)
    monkeypatch.setattr(run, "client_of", nobody)
    monkeypatch.setattr(run, "_worked_on", worker.work)
    run_sweep(sweep, out, ignore)
    return worker.done


def with_wrong_golden(config, folder):
    """Config of the same network with golden integers that it does not give."""
    cfg, model = load_config(str(config)), folder / "wrong.onnx"
    model.write_bytes(cfg.model.read_bytes())
    with np.load(cfg.golden) as golden:
        arrays = dict(golden)
    np.savez(folder / "wrong_golden.npz", **arrays | {"accumulators": arrays["accumulators"] + 1})
    path = folder / "wrong.toml"
    path.write_text(config.read_text().replace(str(cfg.model), str(model)))
    return path


def test_an_interrupted_sweep_goes_on_to_the_same_table(monkeypatch, tmp_path, config):
    sweep = read_sweep(write_sweep(tmp_path, config))
    with pytest.raises(KeyboardInterrupt):
        swept(monkeypatch, sweep, tmp_path / "a", until=1)
    assert swept(monkeypatch, sweep, tmp_path / "a") == 1
    assert swept(monkeypatch, sweep, tmp_path / "b") == 2
    assert table(tmp_path / "a") == table(tmp_path / "b")
    assert swept(monkeypatch, sweep, tmp_path / "a") == 0
    rows = list(csv.DictReader(table(tmp_path / "a").splitlines()))
    assert {row["part"] for row in rows} == set(PARTS)
    assert {row["accuracy"] for row in rows} == {"91.5"}
    assert (tmp_path / "a" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "a" / "foldings").rglob("*.json"))) == len(rows)


def test_a_part_that_nothing_fits_is_a_row_with_the_reason(monkeypatch, tmp_path, config):
    row = parts.part_of(PARTS[0])
    table_of_parts = {PARTS[0]: row, "xc2v80": replace(row, lut=19_000)}
    monkeypatch.setattr(parts, "parts", lambda: table_of_parts)
    path = tmp_path / "s.toml"
    path.write_text(f'networks = ["{config}"]\n[grid]\npart = ["xc2v80"]\n')
    swept(monkeypatch, read_sweep(path), tmp_path / "o")
    (row,) = csv.DictReader(table(tmp_path / "o").splitlines())
    assert row["fps"] == ""
    assert "cycles a frame fits the budget" in row["refused"]


def test_a_cell_that_fails_is_a_row_and_is_tried_again(monkeypatch, tmp_path, config):
    path, out = tmp_path / "s.toml", tmp_path / "o"
    wrong = with_wrong_golden(config, tmp_path)
    path.write_text(f'networks = ["{wrong}", "{config}"]\ntime_limit = 0.2\n')
    monkeypatch.setattr(run, "client_of", nobody)
    for worked_on in (2, 1):  # the second time only what failed
        worker = Immediately()
        monkeypatch.setattr(run, "_worked_on", worker.work)
        ended = CliRunner().invoke(cli, ["sweep", str(path), "--out", str(out)])
        assert (worker.done, ended.exit_code) == (worked_on, 1)
        assert "cells that failed: 1; the table says why, the same command" in ended.output
        bad, good = csv.DictReader(table(out).splitlines())
        assert "the integer reference says" in bad["failed"]
        assert (bad["network"], bad["fps"], bad["refused"]) == ("wrong", "", "")
        assert float(good["fps"]) > 0
        assert good["failed"] == ""


@pytest.mark.parametrize(
    "failure", [ToolError(["verilator"], Path("log"), "died"), UserError("no")]
)
def test_a_build_that_fails_is_a_failure_of_its_cell(monkeypatch, config, failure):
    def fails(*_):
        raise failure

    monkeypatch.setattr(work, "_built", fails)
    cfg = load_config(str(config))
    search = Search(part=cfg.part, clk_mhz=cfg.clk_mhz, time_limit=0.2)
    found = work.work_on(Task.of(Cell(config="c", search=search, points=1, build=True), cfg))
    assert (found.rows, found.refused, found.failed) == ((), "", str(failure))


def test_a_part_that_is_not_known_stops_the_sweep_before_it_starts(tmp_path, config):
    path = tmp_path / "s.toml"
    path.write_text(f'networks = ["{config}"]\n[grid]\npart = ["xc2v80"]\n')
    with pytest.raises(UserError, match="no budget for the part xc2v80; known are xck26"):
        run_sweep(read_sweep(path), tmp_path / "o", ignore)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(run, "PATIENCE", "1s")
    with (
        pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 "),
        client_of(1, "tcp://127.0.0.1:1"),
    ):
        pass


# -- on processes ----------------------------------------------------------------------------------


def start(*words):
    return subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@contextmanager
def scheduler_with_workers(folder):
    """A Dask scheduler on the loopback with two worker processes; its address."""
    scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                      "--no-dashboard")  # fmt: skip
    workers = []
    try:
        text = next(line for line in scheduler.stderr if "Scheduler at:" in line)
        address = re.search(r"tcp://\S+", text)[0]
        for name in "ab":
            options = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(folder / name)]
            workers.append(start("distributed.cli.dask_worker", address, *options))
        yield address
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            process.communicate()


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_and_on_a_scheduler_the_table_is_the_same(tmp_path, config):
    file = write_sweep(tmp_path, config)
    alone = ["build_flows", "sweep", str(file), "--out"]  # of two at a time both may be done
    command = [*alone[:-1], "--jobs", "2", "--out"]
    killed = start(*alone, str(tmp_path / "a"))
    wait_for(lambda: list((tmp_path / "a" / "cells").glob("*.json")))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "a" / "sweep.csv").exists()
    resumed = start(*command, str(tmp_path / "a"))
    said = resumed.communicate()[1]
    assert resumed.returncode == 0, said
    assert "2 cells, 1 of them kept" in said
    with scheduler_with_workers(tmp_path) as address:
        remote = start(*command, str(tmp_path / "b"), "--scheduler", address)
        said = remote.communicate()[1]
        assert remote.returncode == 0, said
    assert table(tmp_path / "a") == table(tmp_path / "b")
