# SPDX-License-Identifier: Apache-2.0
"""What a step depends on: found in the program's text, and all that a step really opens."""

import ast
import shutil
import sys
from pathlib import Path

import pytest

from build_flows import steps as steps_module
from build_flows.build import Build
from build_flows.flow import Listener
from build_flows.sources import PACKAGES, data_files, files_of, modules_of
from build_flows.steps import STEPS
from host.common.paths import ROOT

ALL = [step.name for step in STEPS]
RUNNER = "build_flows.flow"


@pytest.fixture(scope="module")
def programs():
    """Files of the program behind each step."""
    return {step.name: files_of(modules_of(step.run) | {RUNNER}) for step in STEPS}


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("host/monitor/dashboard.html", []),
        ("host/monitor/dashboard.py", []),
        ("host/run.py", []),
        ("model/training/train.py", []),
        ("build_flows/configs/demo.toml", []),
        ("build_flows/board/vivado/build.tcl", ["hls"]),
        ("hw/hls/requant.hpp", ["hls"]),
        ("hw/rtl/kl_requant.sv", ["size", "hls", "generate", "report"]),  # stitch reads generate's
        ("build_flows/design/simulator/main.cpp", ["size", "hls", "simulate", "report"]),
        ("build_flows/graph/mapping.py", ["map"]),
        ("build_flows/graph/streamline.py", ["streamline", "hls", "report"]),
        ("hw/ops/stream_add.py", ALL),  # found by its folder, not by its name
        ("build_flows/flow.py", ALL),
    ],
)
def test_a_file_is_behind_the_steps_that_use_it(programs, file, again):
    """A change of it runs these steps again, and no other; see the step runner's tests."""
    assert (ROOT / file).is_file()
    assert [name for name in ALL if ROOT / file in programs[name]] == again


def test_every_file_of_ours_that_a_step_opens_is_known(small, small_build, programs, tmp_path):
    """``size`` is left out: it needs minutes of simulation, and opens what generate opens."""
    shutil.copytree(small_build, tmp_path / "out")  # up to map
    steps = [step for step in STEPS[: ALL.index("stitch") + 1] if step.name not in ("size", "hls")]
    opened, current = {step.name: set() for step in steps}, []

    def watch(event, arguments):
        if event == "open" and current and isinstance(arguments[0], str):
            opened[current[0]].add(Path(arguments[0]))

    def started(name):
        current[:] = [name]

    sys.addaudithook(watch)
    try:
        Build(small, tmp_path / "out", Listener(started=started), steps).until()
    finally:
        current.clear()
    folders = [ROOT / package for package in PACKAGES]
    for step in steps:
        known = {*programs[step.name], Path(steps_module.__file__)}
        ours = {p for p in opened[step.name] if any(p.is_relative_to(f) for f in folders)}
        assert {p for p in ours if p.suffix != ".pyc"} <= known, step.name
    assert ROOT / "hw" / "rtl" / "kl_requant.sv" in opened["generate"]


def test_a_function_names_modules_also_through_others_of_its_module():
    source = """
import build_flows.config as cfg
from host.common.errors import UserError
from hw.ops.requant import quantise_affine

def helper():
    raise UserError("no")

def step(model):
    return [helper() for _ in cfg.CONFIGS]

def other():
    return quantise_affine
"""
    names = {"__name__": "somewhere"}
    exec(compile(source, "somewhere.py", "exec"), names)
    assert modules_of(names["step"]) == {"build_flows.config", "host.common.errors"}
    assert modules_of(names["other"]) == {"hw.ops.requant"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('A = Path(__file__).parent / "data" / "a.sv"', ["a.sv"]),
        ('A = Path(__file__).resolve().parents[1] / "hw" / "data"', ["a.sv", "b.hpp"]),
        ('A = Path(__file__).with_name("page.html")', ["page.html"]),
        ('A = Path(__file__).parent\nB = A / "data"\nc = B / f"{name}.sv"', ["a.sv", "b.hpp"]),
        ('A = ROOT / "hw" / "data" / "b.hpp"', ["b.hpp"]),
        ('A = ROOT / "elsewhere"', []),
        ('A = Path(__file__).parent / "inner"', []),
    ],
)
def test_data_that_a_module_names(tmp_path, line, found):
    folder = tmp_path / "hw"
    for name in (
        "__init__.py",
        "data/a.sv",
        "data/b.hpp",
        "data/c.json",
        "page.html",
        "inner/__init__.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    files = data_files(ast.parse(line), folder / "module.py", tmp_path)
    assert sorted({file.name for file in files}) == found
