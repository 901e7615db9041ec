# SPDX-License-Identifier: Apache-2.0
"""docs/add-a-kernel.md: its files, in a copy of the tree, are a kernel that builds and is exact."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "add-a-kernel.md"
BLOCK = re.compile(r"^### `([^`]+)`\n+```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LISTED = re.compile(r"^\| `([\w/]*NAME[\w.]*)` \|", re.MULTILINE)
COPIED = ("hw", "tests/hw")
LINKED = ("host", "build_flows", "pyproject.toml", "tests/__init__.py", "tests/conftest.py")
MAP = """
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from build_flows.graph.mapping import OurKernels
from hw.units import unit_of

ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 3, 8]) for n in "ab"]
graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "one", ends[:1], ends[1:])
model = ModelWrapper(helper.make_model(graph))
model.set_tensor_datatype("a", DataType["INT9"])
(node,) = model.transform(OurKernels()).graph.node
unit = unit_of(node)
print(unit.kernel, unit.folds, unit.cycles, unit.outputs[0].datatype.name)
"""


def files():
    """Path -> text of every file on the page."""
    return dict(BLOCK.findall(PAGE.read_text()))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The checkout with the kernel of the page in it."""
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    for name, text in files().items():
        assert not (ROOT / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(tree, *command):
    return subprocess.run(
        [sys.executable, *command], cwd=tree, capture_output=True, text=True, check=False
    )


def test_the_page_has_exactly_the_files_that_it_lists():
    assert sorted(files()) == sorted(
        name.replace("NAME", "relu") for name in LISTED.findall(PAGE.read_text())
    )
    assert len(files()) == 5


@pytest.mark.parametrize(
    ("tests", "passed"),
    [(("tests/hw/rtl/test_relu.py",), 6), (("tests/hw/hls/test_twins.py", "-k", "relu"), 2)],
    ids=["rtl", "twin"],
)
def test_the_kernel_is_exact(tree, tests, passed):
    done = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout


def test_the_flow_takes_it(tree):
    done = run(tree, "-c", MAP)
    assert done.stdout == "relu {'PE': 8} 48 UINT8\n", done.stderr


def test_it_keeps_to_the_house_style(tree):
    """Formatter and linter; ruff reads the configuration of the tree."""
    names = [name for name in files() if name.endswith(".py")]
    for check in (("check",), ("format", "--check")):
        done = run(tree, "-m", "ruff", *check, *names)
        assert done.returncode == 0, done.stdout + done.stderr
