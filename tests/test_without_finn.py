# SPDX-License-Identifier: Apache-2.0
"""What needs no FINN runs where FINN is not installed; what only counts needs no torch either."""

import os
import subprocess
import sys

import pytest

from host.common.paths import ROOT, ZOO

BLOCKED = """
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"{{name}} is not installed here", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run(missing: tuple[str, ...], text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``text`` in a fresh interpreter for which the packages in ``missing`` are not there."""
    code = BLOCKED.format(names=set(missing)) + text
    command = [sys.executable, "-c", code, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "FINN_BUILD_DIR"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_blocker_blocks():
    done = run(("finn", "torch"), "import finn")
    assert done.returncode == 1
    assert "finn is not installed here" in done.stderr


@pytest.mark.parametrize(
    "module", ["hw.ops.requant", "hw.ops", "hw.units", "hw.twin", "hw.synthesis.yosys"]
)
def test_operators_need_neither_finn_nor_torch(module):
    done = run(("finn", "torch"), f"import {module}")
    assert done.returncode == 0, done.stderr


def test_arithmetic_and_golden_of_an_operator_work():
    done = run(
        ("finn", "torch"),
        "import numpy as np\n"
        "from hw.ops.requant import quantise_affine, requant\n"
        "p = quantise_affine(np.array([0.5]), np.array([0.0]))\n"
        "print(requant(np.array([-3, 3, 300]), p.scale, p.bias, p.shift, -128, 127).tolist())\n",
    )
    assert done.stdout == "[-1, 2, 127]\n", done.stderr


def test_imports_change_nothing():
    """FINN is prepared where it generates hardware; no folder is made before."""
    done = run(
        (),
        "import os, tempfile\n"
        "made = []\n"
        "tempfile.mkdtemp = lambda *given, **named: made.append(named)\n"
        "import build_flows.graph.folding, hw.hls_backend, hw.units\n"
        "print('FINN_BUILD_DIR' in os.environ, made)\n",
    )
    assert done.stdout == "False []\n", done.stderr


def test_model_evaluate_needs_no_finn():
    """The smaller shipped network, as the hardware computes it, on two faces."""
    text = "sys.argv[0] = 'model'\nrunpy.run_module('model', run_name='__main__', alter_sys=True)"
    weights = str(ZOO / "pfld_025x.onnx")
    done = run(("finn",), text, "evaluate", "--weights", weights, "--count", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert '"nme"' in done.stdout
