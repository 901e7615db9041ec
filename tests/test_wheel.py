# SPDX-License-Identifier: Apache-2.0
"""The wheel away from the checkout: all that the code reads is in it, and it writes where it is."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("host", "hw", "model", "build_flows")
ONLY_IN_THE_CHECKOUT = (
    "hw/README.md",
    "model/zoo/README.md",
    "model/zoo/pfld_025x_qdq.onnx",
    "model/zoo/pfld_1x_fp32.pt",
    "model/zoo/pfld_1x_ptq.onnx",
    "model/zoo/pfld_eyes_fp32.pt",
    "model/zoo/pfld_eyes_small_fp32.pt",
    "model/zoo/pfld_eyes_ptq.onnx",
    "model/zoo/pfld_eyes_ptq_golden.npz",
    "model/zoo/pfld_1x_ptq_golden.npz",
    "model/zoo/pfld_1x_qat_qdq.onnx",
)
"""What people read or name in commands, and no code by itself."""


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools writes beside its sources."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, source / package, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", out, source)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Folder of the commands in an environment of its own, with the packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # it holds a checkout
    run(*pip, "install", "--quiet", "--no-deps", wheel, env=environment)
    site = next(folder.glob("lib/python*/site-packages"))
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))  # their .pth files are not followed
    return python.parent


@pytest.fixture
def call(installed, tmp_path):
    """Runs a command of the environment in an empty folder, without this one's settings."""
    ours = ("PYTHONPATH", "FINN_BUILD_DIR", "VERILATOR_ROOT")
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    return lambda name, *arguments: run(installed / name, *arguments, cwd=tmp_path, env=environment)


def files_below(folder):
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_the_wheel_has_all_files_of_the_packages(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in files_below(ROOT / package)
        if path.is_file()
    }
    assert files - names == set(ONLY_IN_THE_CHECKOUT)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


def test_the_packages_come_from_the_wheel(call, installed):
    program = f"import {', '.join(PACKAGES)}; print({'.__file__, '.join(PACKAGES)}.__file__)"
    for file in call("python", "-c", program).split():
        assert Path(file).is_relative_to(installed.parent)


def test_the_portrait(call, installed, tmp_path):
    before = files_below(installed.parent)
    text = call("kria-landmarks", "--source", "astronaut", "--backend", "cpu")
    assert "build/face.png" in text
    assert cv2.imread(str(tmp_path / "build" / "face.png")) is not None
    assert files_below(installed.parent) == before


def test_a_build_until_map(call, installed, tmp_path):
    before = files_below(installed.parent)
    call("kria-landmarks-build", "build", "--config", "demo", "--until", "map")
    assert (tmp_path / "build" / "demo" / "map" / "model.onnx").is_file()
    assert files_below(installed.parent) == before


@pytest.mark.parametrize("name", ["kria-landmarks-bench", "kria-landmarks-model"])
def test_the_other_commands_explain_themselves(call, name):
    assert f"usage: {name}" in call(name, "--help").lower()


def test_an_old_python_is_told_in_one_line():
    program = "import sys; sys.version_info = (3, 10, 12); import build_flows"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("build_flows needs Python 3.11 or later; this is 3.")
    assert len(done.stderr.splitlines()) == 1
