# SPDX-License-Identifier: Apache-2.0
"""The demo through simulated hardware: exact, under stalls, and a wrong weight is noticed."""

import csv
import json
import os
import shutil

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.__main__ import cli
from build_flows.build import Build
from build_flows.config import load_config
from build_flows.design.simulate import Simulator
from build_flows.design.verify import Golden, compare
from docs_builder.figures import FILE as FIGURES
from docs_builder.figures import from_report, table
from host.backends import csim, open_backend
from host.common.errors import ToolError, VerifyError
from host.common.paths import ZOO
from hw.units import units_of
from model.faces.render import make_faces
from tests.hw.hls.lint import dataflow, refused
from tests.hw.hls.threads import compile_threads, run_threads


@pytest.fixture(scope="session")
def golden():
    return Golden.load(load_config("demo"))


def simulator_of(build):
    """The simulator of a finished build."""
    model = ModelWrapper(str(build / "stitch" / "model.onnx"))
    return Simulator(build / "simulate" / "simulator", model, build / "stitch" / "design")


def test_report(demo_build):
    report = json.loads((demo_build / "report" / "report.json").read_text())
    assert report["bit_exact"] is True
    assert (report["outputs_exact"], report["outputs"]) == (196, 196)
    assert report["frames_checked"] >= 2
    assert 0 < report["cycles_per_frame"] <= report["latency_cycles"]
    assert report["fps"] == pytest.approx(
        report["clk_mhz"] * 1e6 / report["cycles_per_frame"], 1e-3
    )
    kernels = report["resources"]
    assert {"dense", "depthwise", "requant", "weight_stream", "fifo"} <= set(kernels)
    assert all(row["origin"] for row in kernels.values())
    assert set(report) >= {"config", "versions", "git"}
    assert "stages_14.3.expand" in report["layers"]
    model = ModelWrapper(str(demo_build / "stitch" / "model.onnx"))
    slowest = max(unit.cycles for unit in units_of(model))
    assert max(row["cycles"] for row in report["layers"].values()) == slowest
    assert 0 < report["mac_efficiency"] <= 1
    assert report["macs"] == 25_420_416


def test_the_pages_have_the_figures_of_the_report(demo_build):
    """README's table; `python -m docs_builder figures build/demo/report.json` renews it."""
    report = json.loads((demo_build / "report" / "report.json").read_text())
    known = json.loads(FIGURES.read_text())["demo"]
    assert table(from_report(report)) == table(known)
    assert report["macs"] == known["macs"]


def test_activity(demo_build):
    """Every unit is in the table; none is busier than a frame, the slowest is nearly always."""
    cycles = json.loads((demo_build / "report.json").read_text())["cycles_per_frame"]
    with (demo_build / "activity.csv").open() as file:
        rows = list(csv.DictReader(file))
    model = ModelWrapper(str(demo_build / "stitch" / "model.onnx"))
    assert [row["unit"] for row in rows] == [node.name for node in model.graph.node]
    assert 0.9 < max(float(row["utilisation"]) for row in rows) < 1.05
    assert all(float(row["starved"]) + float(row["blocked"]) <= 2 for row in rows)
    waiting = next(row for row in rows if row["operator"] == "StreamConcat")
    assert float(waiting["starved"]) > 0.9
    assert waiting["waits_for"]
    assert int(rows[0]["needed_cycles"]) <= cycles


def test_the_picture_shows_the_portrait(demo_build):
    picture = cv2.imread(str(demo_build / "report" / "face.png"))
    assert picture is not None
    assert picture.shape[0] >= 300


@pytest.mark.parametrize("seed", [2, 3])
def test_stalls_do_not_change_a_word(demo_build, golden, tmp_path, seed):
    run = simulator_of(demo_build).run(golden.images[:2], tmp_path, seed)
    compare("accumulators", run.found, golden.accumulators[:2], f"stalls of seed {seed}")
    assert run.stats["frames"] == 2


def test_hls_sim_tells_that_every_output_of_the_cpp_is_exact(demo_build):
    result = CliRunner().invoke(cli, ["hls-sim", "--config", "demo"])
    assert "demo: bit-exact: 196/196 outputs in 3 frames, " in result.stdout


def test_hls_ip_without_vitis_hls_ends_in_one_line(demo_build, monkeypatch):
    monkeypatch.setattr("build_flows.cpp.network.find_vitis_hls", lambda: None)
    result = CliRunner().invoke(cli, ["hls-ip", "--config", "demo"])
    assert result.exit_code == 1
    assert "vitis_hls is not on PATH: install Vitis HLS 2022.2 or later" in result.output
    assert (demo_build / "hls" / "vitis.tcl").is_file()


@pytest.mark.slow
def test_the_cpp_with_ap_int_words_gives_every_integer(demo_build, golden, monkeypatch, tmp_path):
    """As Vitis HLS compiles it."""
    exact = tuple(option for option in csim.COMPILE if option != "-DLANES_NATIVE")
    monkeypatch.setattr(csim, "COMPILE", exact)
    (tmp_path / "hls").symlink_to(demo_build / "hls")
    found = open_backend("csim", build=tmp_path).accumulate(golden.images[:1])
    compare("accumulators", found, golden.accumulators[:1], "C++ simulation")


def test_the_streams_of_the_cpp_are_deep_enough(demo_build, golden, tmp_path):
    """Every unit a thread, every stream as deep as its pragma says: nothing stands still."""
    program = compile_threads(demo_build / "hls", tmp_path)
    code, text = run_threads(program, golden.images[0].tobytes())
    assert code == 0, text
    assert [int(line) for line in text.split()] == golden.accumulators[0].tolist()


def test_the_cpp_of_the_network_is_fit_for_vitis_hls(demo_build):
    text = (demo_build / "hls" / "accelerator.cpp").read_text()
    headers = {path.stem: path.read_text() for path in (demo_build / "hls").glob("*.hpp")}
    assert refused(text) == []
    assert dataflow(text, headers) == []


def test_one_wrong_weight_stops_the_simulation_step(demo_build, tmp_path):
    """A changed bit in a memory file of the stitched design is a VerifyError of `simulate`."""
    out = tmp_path / "demo"
    shutil.copytree(demo_build, out, ignore=shutil.ignore_patterns("cache", "simulate", "report"))
    os.symlink(demo_build / "cache", out / "cache")
    memory = out / "stitch" / "design" / "Dense_30_weights_file.hex"
    words = memory.read_text().split("\n")
    words[0] = f"{int(words[0], 16) ^ 0x10:0{len(words[0])}x}"
    memory.write_text("\n".join(words))
    with pytest.raises(VerifyError, match=r"accumulators\[0, 0\] is .* after simulation"):
        Build(load_config("demo"), out).until("simulate")
    assert not (out / "simulate").exists()


def test_frames_that_are_none(demo_build, tmp_path):
    with pytest.raises(ToolError, match="3 bytes, no multiple of a frame of 12544"):
        simulator_of(demo_build).run(np.zeros((1, 1, 3), np.uint8), tmp_path)


def test_host_sim_backend_equals_the_reference(demo_build, golden):
    backend = open_backend("sim", build=demo_build)
    simulation = backend.simulate(golden.images[:1])
    np.testing.assert_array_equal(simulation.accumulators, golden.accumulators[:1])


@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_the_backends_give_the_same_landmarks_on_many_faces(demo_build, count):
    """Simulated RTL and its C++ every integer; the integer graph in onnxruntime up to float32."""
    faces = make_faces(count, seed=11).images
    sim, cpp = (open_backend(name, build=demo_build) for name in ("sim", "csim"))
    simulation = sim.simulate(faces)
    np.testing.assert_array_equal(simulation.accumulators, cpp.accumulate(faces))
    graph = open_backend("cpu", ZOO / "pfld_025x_exact.onnx").infer(faces)
    assert np.abs(sim.settings.landmarks(simulation.accumulators) - graph).max() < 1e-6
