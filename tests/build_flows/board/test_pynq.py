# SPDX-License-Identifier: Apache-2.0
"""The driver on pynq's own code, of the board's image and of today; see on_pynq.py."""

import os
import subprocess

import pytest

from host.common.paths import ROOT
from tests.build_flows.board.environment import REQUIREMENTS, new_environment

VERSIONS = ("3.0.1", "4.0.0")
PARSER = "pycparser<3"  #: pynq 3.0.1 imports what later ones lack and names no version
SCENARIOS = (
    "frames", "lost_end_of_frame", "lost_end_of_result", "errors_of_the_engine",
    "reset_in_mid_frame",
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module", params=VERSIONS)
def pynq(request, tmp_path_factory):
    """Version and Python of an environment with it."""
    folder = tmp_path_factory.mktemp("pynq")
    packages = ("-r", str(REQUIREMENTS), f"pynq=={request.param}", PARSER)
    return request.param, new_environment(folder, *packages)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_driver_on_pynq(pynq, tiny_program, tiny_folder, scenario):
    version, python = pynq
    done = subprocess.run(
        [python, "-m", "tests.build_flows.board.on_pynq", tiny_program, tiny_folder, scenario],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [version]
