# SPDX-License-Identifier: Apache-2.0
"""The host runs on the board: Python 3.10, numpy and OpenCV, nothing else at import."""

import ast
import subprocess
import sys

import pytest

from tests.host.conftest import ROOT

SOURCES = sorted((ROOT / "host").rglob("*.py"))
LIGHT = {"cv2", "host", "numpy"} | (sys.stdlib_module_names - {"tomllib"})
"""What may be imported at import time; tomllib is newer than Python 3.10."""

ABSENT = ("brevitas", "click", "finn", "onnx", "onnxruntime", "qonnx", "rich", "skimage", "torch")
IMPORT_ALL = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ImportError("imported " + name)

sys.meta_path.insert(0, Absent())
for name in {modules}:
    importlib.import_module(name)
from host.common.errors import UserError
from host.backends import open_backend
from host.face.image import load_source
for call in (lambda: open_backend("cpu"), lambda: load_source("astronaut")):
    try:
        call()
    except UserError as error:
        print(error)
"""


def imports_at_import_time(tree):
    """Top-level packages imported outside of functions."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_is_python_3_10_and_imports_nothing_heavy(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    assert set(imports_at_import_time(tree)) <= LIGHT


def test_the_check_sees_what_it_should():
    code = "try:\n    import torch.nn\nexcept ImportError:\n    pass\ndef f():\n    import finn\n"
    assert set(imports_at_import_time(ast.parse(code))) == {"torch"}


def test_everything_imports_without_the_heavy_packages():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCES
    ]
    program = IMPORT_ALL.format(absent=ABSENT, modules=modules)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("the backend cpu needs onnxruntime, which is missing")
    assert second.startswith("the source 'astronaut' comes with scikit-image, which is missing")
