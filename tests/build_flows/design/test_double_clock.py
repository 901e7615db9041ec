# SPDX-License-Identifier: Apache-2.0
"""A small network whose dense units run their DSPs at twice the clock, from the file to the driver.

Both clocks are those of the simulated design and of its shell.
"""

import hashlib
import json

import numpy as np
import pytest
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from build_flows.build import Build
from build_flows.design.stitch import Design
from build_flows.graph.streamline import streamline
from build_flows.steps import cleaned
from host.backends.fpga import FpgaBackend
from host.board.overlay import read_overlay
from host.board.sim_device import SimDevice
from hw.units import units_of
from tests.build_flows.board.conftest import DELAYS
from tests.build_flows.conftest import config_of
from tests.build_flows.networks import graph, quant

pytestmark = pytest.mark.slow
SIDE = 6
TABLE = {
    "Dense_0": {"SIMD": 3, "PE": 2, "kernel": "DensePumped"},
    "Requant_0": {"PE": 2},
    "Dense_1": {"SIMD": 2, "PE": 3, "kernel": "DensePumped"},
    "Requant_1": {"PE": 3},
    "Dense_2": {"SIMD": 3, "PE": 1},
}


def network(rng):
    """Two convolutions and a matrix product; all scales but the input's are powers of two."""
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "s": 1 / 64, "a": 1 / 2, "b": 4.0,
        "w0": rng.integers(-100, 100, (8, 1, 3, 3)) / 64,
        "w1": rng.integers(-100, 100, (12, 8, 1, 1)) / 64,
        "w2": rng.integers(-100, 100, (12 * SIDE * SIDE, 4)) / 64,
    }  # fmt: skip
    shapes = {"strides": [1, 1], "dilations": [1, 1], "group": 1}
    nodes = [
        quant("image", "x0", "byte"), quant("w0", "w0q", "s", signed=1),
        helper.make_node("Conv", ["x0", "w0q"], ["y0"], "/first/Conv", kernel_shape=[3, 3],
                         pads=[1] * 4, **shapes),
        helper.make_node("Relu", ["y0"], ["r0"]), quant("r0", "x1", "a"),
        quant("w1", "w1q", "s", signed=1),
        helper.make_node("Conv", ["x1", "w1q"], ["y1"], "/second/Conv", kernel_shape=[1, 1],
                         pads=[0] * 4, **shapes),
        helper.make_node("Relu", ["y1"], ["r1"]), quant("r1", "x2", "b"),
        helper.make_node("Flatten", ["x2"], ["flat"], axis=1), quant("w2", "w2q", "s", signed=1),
        helper.make_node("MatMul", ["flat", "w2q"], ["out"], "/fc/MatMul"),
    ]  # fmt: skip
    return graph(nodes, constants, [1, 1, SIDE, SIDE])


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The build up to its report, with golden vectors from the integer graph before its kernels."""
    folder, rng = tmp_path_factory.mktemp("double"), np.random.default_rng(5)
    path = folder / "double.onnx"
    network(rng).save(str(path))
    images = rng.integers(0, 256, (3, SIDE, SIDE), np.uint8)
    integers = streamline(cleaned(ModelWrapper(str(path)), path))
    source, sink = integers.graph.input[0].name, integers.graph.output[0].name
    frames = images.astype(np.float32).reshape(3, *integers.get_tensor_shape(source))
    found = [execute_onnx(integers, {source: frame})[sink].ravel() for frame in frames]
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    accumulators = np.stack(found).astype(np.int32)
    np.savez(
        folder / "double_golden.npz", images=images, accumulators=accumulators, model_sha256=sha
    )
    return Build(config_of(path, folder, TABLE), folder / "build").until()


def test_the_design_is_exact_with_both_clocks(build):
    """At full rate and under stalls, else the build would have ended."""
    model = build.model("stitch")
    doubled = [unit.name for unit in units_of(model) if unit.double_clock]
    assert doubled == ["Dense_0", "Dense_1"]
    assert Design.read(build.design).double_clock
    assert "input  wire logic clk2x," in (build.design / "accelerator.sv").read_text()
    report = json.loads((build.out / "report.json").read_text())
    assert report["bit_exact"]
    assert [rate["clk2x_mhz"] for rate in report["rates"]] == [500, 400]
    slowest = max(unit.cycles for unit in units_of(model) if unit.multiplications)
    assert slowest <= report["cycles_per_frame"] <= 1.2 * slowest


@pytest.mark.parametrize("delay", DELAYS.values(), ids=DELAYS)
def test_the_driver_is_exact_through_the_shell(build, delay):
    program, folder = build.board()
    golden = build.golden.repeated(6)
    device = SimDevice(program, stall_seed=7, delay=delay, delay_seed=4)
    with FpgaBackend(read_overlay(folder), device, timeout_s=0.01) as backend:
        found = backend.run(golden.images)
    np.testing.assert_array_equal(found, golden.accumulators)
