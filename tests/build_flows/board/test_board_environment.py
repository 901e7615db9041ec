# SPDX-License-Identifier: Apache-2.0
"""host/ in an environment as on the board: Python 3.10, its requirements, nothing else of ours."""

import subprocess

import pytest

from host.common.paths import ROOT
from tests.build_flows.board.environment import REQUIREMENTS, new_environment

ABSENT = ("torch", "finn", "onnx", "onnxruntime", "click", "rich", "brevitas", "qonnx")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "host").rglob("*.py")
    if path.stem != "__init__"
)
PROGRAM = f"""
import importlib, importlib.util, sys
assert sys.version_info[:2] == (3, 10), sys.version
found = [name for name in {ABSENT} if importlib.util.find_spec(name)]
assert not found, found
for name in {MODULES}:
    importlib.import_module(name)
import numpy
print(numpy.__version__)
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Python of a new environment with the board's requirements."""
    return new_environment(tmp_path_factory.mktemp("board"), "-r", str(REQUIREMENTS))


def output(python, program):
    done = subprocess.run([python, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_host_imports_with_the_requirements_alone(python):
    assert output(python, PROGRAM).startswith("1.26")


def test_the_command_without_pynq_is_one_line(python):
    command = [python, "host/run.py", "--backend", "fpga"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the backend fpga runs on a KV260 with pynq")
