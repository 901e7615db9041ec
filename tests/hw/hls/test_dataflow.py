# SPDX-License-Identifier: Apache-2.0
"""The network as C++: a small graph with a residual branch, its text, its library, its words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.cpp.network import network_of, run_vitis, write_network
from build_flows.graph.edit import kernel_node
from host.backends.csim import provide_library
from host.common.errors import ToolError, UserError
from hw.twin import HLS_FOLDER
from tests.hw.hls.lint import dataflow, refused

HEADERS = {path.stem: path.read_text() for path in HLS_FOLDER.glob("*.hpp")}
SHAPE = [1, 2, 3, 4]


def residual() -> ModelWrapper:
    """Out = in + in, the second copy through a FIFO; 4 bytes a pixel, sums of 9 bits."""
    common = {"NumChannels": 4, "PE": 2, "numInputVectors": SHAPE[:3], "inputDataType": "UINT8"}
    nodes = [
        kernel_node("StreamFork", ["in"], ["a", "b"], **common),
        kernel_node("Fifo", ["b"], ["c"], depth=5, **common),
        kernel_node("StreamAdd", ["a", "c"], ["out"], **common),
    ]
    for i, node in enumerate(nodes):
        node.name = f"unit_{i}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, SHAPE) for n in ("in", "out")]
    graph = helper.make_graph(nodes, "residual", ends[:1], ends[1:])
    model = ModelWrapper(helper.make_model(graph))
    model.set_tensor_datatype("in", DataType["UINT8"])
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(residual(), tmp_path / "hls")
    return tmp_path / "hls"


def test_a_fifo_is_the_depth_of_its_stream(folder: Path) -> None:
    text = (folder / "accelerator.cpp").read_text()
    assert network_of(residual()).depths == {"t_b": 5 + 8 * 2}
    assert "#pragma HLS stream variable = t_a depth = 2\n" in text
    assert "#pragma HLS stream variable = t_b depth = 23\n" in text
    assert "stream_add::run<2, 8, 0, 12>(t_a, t_b, m_axis);" in text


def test_the_network_is_fit_for_vitis_hls(folder: Path) -> None:
    text = (folder / "accelerator.cpp").read_text()
    assert refused(text) == []
    assert dataflow(text, HEADERS) == []


@pytest.mark.parametrize("kernel", HEADERS)
def test_kernels_have_nothing_that_vitis_hls_refuses(kernel: str) -> None:
    assert refused(HEADERS[kernel]) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("int *p = new int[3];", "dynamic memory: new"),
        ("std::vector<int> v;", "the standard library"),
        ("while (true) {}", "a loop without bound: while"),
        ("for (;;) {}", "a loop without bound"),
        ("for (int i = n; i != 0; i /= 2) {}", "a loop without bound: for"),
        ('system("ls");', "a system call"),
        ("throw 1;", "an exception"),
        ("int f(int n) {\n  return f(n - 1);\n}", "recursion: f"),
        ("int f(int n) {\n  return g(n);\n}\nint g(int n) {\n  return f(n);\n}", "recursion: "),
    ],
)
def test_the_lint_finds(code: str, reason: str) -> None:
    assert any(found.startswith(reason) for found in refused(code))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("(t_a, t_b, m_axis)", "(t_a, t_a, m_axis)", "t_a is read 2 times"),
        ("(t_a, t_b, m_axis)", "(t_a, t_a, m_axis)", "t_b is read 0 times"),
        ("(s_axis, t_a, t_b)", "(s_axis, t_a, t_a)", "t_a is written 2 times"),
        ("(s_axis, t_a, t_b)", "(s_axis, t_a)", "t_b is read before it is written"),
        ("(t_a, t_b, m_axis)", "(t_a, t_x, m_axis)", "t_x is not declared"),
    ],
)
def test_the_lint_finds_streams(folder: Path, old: str, new: str, reason: str) -> None:
    text = (folder / "accelerator.cpp").read_text()
    assert reason in dataflow(text.replace(old, new), HEADERS)


def test_the_library_is_kept_by_content(folder: Path, tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    from host.backends.csim import _function

    library = provide_library(folder, tmp_path / "cache")
    before = library.stat().st_mtime_ns
    assert provide_library(folder, tmp_path / "cache") == library
    assert library.stat().st_mtime_ns == before
    frames = np.random.default_rng(5).integers(0, 256, (3, 24), dtype=np.uint8)
    found = np.zeros((3, 24), np.int32)
    assert _function(library)(frames, found, 3) == 0
    # the sums are unsigned and of 9 bits; the interface reads accumulators with sign
    assert np.array_equal(found & 511, 2 * frames.astype(np.int32))
    (folder / "accelerator.cpp").write_text("no C++\n")
    with pytest.raises(ToolError, match="g\\+\\+: accelerator.cpp:1:1: error: "):
        provide_library(folder, tmp_path / "cache")


def test_without_vitis_hls_one_line_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="vitis_hls is not on PATH: .* vitis_hls -f vitis.tcl"):
        run_vitis(folder)
