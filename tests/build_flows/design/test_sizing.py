# SPDX-License-Identifier: Apache-2.0
"""FIFO depths from simulation: enough, and one that is too shallow is found and named."""

import json

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.build import Build
from build_flows.design.generate import generate
from build_flows.design.simulate import provide_simulator
from build_flows.design.sizing import before_pauses, short_branches, with_fifos
from build_flows.design.stitch import Design, stitch
from build_flows.design.verify import Golden
from build_flows.graph.folding import fold
from host.board.simulation import PRELOAD
from host.common.errors import ToolError
from hw.units import units_of
from tests.build_flows.networks import configured, residual_network


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    return configured(residual_network(), tmp_path_factory.mktemp("residual"), "residual")


@pytest.fixture(scope="module")
def golden(cfg):
    return Golden.load(cfg)


@pytest.fixture(scope="module")
def sized(cfg, tmp_path_factory):
    """Folder of the residual network's build with FIFOs, simulated with and without stalls."""
    out = tmp_path_factory.mktemp("sized")
    Build(cfg, out).until("simulate")
    return out


def model_of(build, step):
    return ModelWrapper(str(build / step / "model.onnx"))


def fifos(model):
    return {n.name: n for n in model.graph.node if n.op_type == "Fifo"}


def residual_fifo(build):
    """Name of the FIFO on the short branch of the first residual add."""
    branches = [name for name in short_branches(model_of(build, "fold")) if "Fork" in name]
    found = fifos(model_of(build, "size")).values()
    return next(node.name for node in found if node.input[0] == branches[0])


def test_every_short_branch_and_pause_is_measured(sized):
    folded = model_of(sized, "fold")
    peaks = json.loads((sized / "size" / "fifos.json").read_text())["peaks"]
    assert sorted(peaks) == sorted(short_branches(folded) + before_pauses(folded))
    assert len(short_branches(folded)) == 1  # the residual add
    assert len(before_pauses(folded)) == 2  # 3x3 windows
    deep = [peaks[name] for name in short_branches(folded) if name.startswith("StreamFork")]
    assert min(deep) > 16
    depths = {n.input[0]: getCustomOp(n).depth for n in fifos(model_of(sized, "size")).values()}
    assert depths == {name: n for name, n in peaks.items() if n >= 2}


def test_the_landmark_network_has_its_branches_and_pauses(small_build):
    model = ModelWrapper(str(small_build / "map" / "model.onnx"))
    assert len(short_branches(model)) == 12  # ten residual adds, two of three pooled vectors
    assert len(before_pauses(model)) == 16  # 3x3 windows


@pytest.mark.parametrize("kernel", ["Dense", "DensePumped"])
def test_a_converter_to_narrower_words_is_measured_behind_bursts(small_build, tmp_path, kernel):
    """Two lanes before one, of a dense unit whose four pixels come together; not of a pool."""
    model = ModelWrapper(str(small_build / "map" / "model.onnx"))
    dense = next(n for n in model.graph.node if n.op_type == "Dense" and n.name != "Dense_0")
    requant = model.find_consumer(dense.output[0])
    table = {
        dense.name: {"PE": 2, "kernel": kernel}, requant.name: {"PE": 2},
        "GlobalAccPool_0": {"PE": 2},
    }  # fmt: skip
    (tmp_path / "folding.json").write_text(json.dumps(table))
    folded = fold(model, tmp_path / "folding.json")
    narrow = [unit.onnx_node.input[0] for unit in units_of(folded) if unit.narrows]
    assert len(narrow) == 2
    behind = [name for name in narrow if folded.find_producer(name).op_type == "Requant"]
    found = [name for name in narrow if name in before_pauses(folded)]
    assert found == (behind if kernel == "DensePumped" else [])


def test_sized_fifos_cost_no_cycle(sized):
    unbounded = json.loads((sized / "size" / "fifos.json").read_text())["cycles_per_frame"]
    timing = json.loads((sized / "simulate" / "timing.json").read_text())
    assert timing["cycles_per_frame"] <= unbounded


def run_with(sized, cfg, golden, tmp_path, name, depth):
    """Simulate the design with one FIFO changed; memories are preloaded."""
    model = model_of(sized, "fold")
    fifo = fifos(model_of(sized, "size"))[name]
    peaks = json.loads((sized / "size" / "fifos.json").read_text())["peaks"]
    kept = {tensor: n for tensor, n in peaks.items() if n >= 2} | {fifo.input[0]: depth}
    changed = with_fifos(model, kept)
    folder = tmp_path / str(depth)
    folder.mkdir()
    stitch(generate(changed, cfg, folder), folder / "rtl", folder / "design")
    simulator = provide_simulator(changed, folder / "design", folder, tmp_path / "cache")
    return simulator.run(golden.images[:2], folder, options=PRELOAD)


def test_a_shallow_fifo_is_named(sized, cfg, golden, tmp_path):
    fifo = residual_fifo(sized)
    stuck = rf"deadlock: {fifo} of depth 8 is full before StreamAdd_0, which waits for Requant_\d"
    with pytest.raises(ToolError, match=stuck):
        run_with(sized, cfg, golden, tmp_path, fifo, 8)


@pytest.mark.slow
def test_one_word_too_shallow(sized, cfg, golden, tmp_path):
    """Between a depth that works and the next that does not, the flow names the FIFO."""
    fifo = residual_fifo(sized)
    works, stops = getCustomOp(fifos(model_of(sized, "size"))[fifo]).depth, 8
    while works - stops > 1:
        depth = (works + stops) // 2
        try:
            run = run_with(sized, cfg, golden, tmp_path, fifo, depth)
            np.testing.assert_array_equal(run.found, golden.accumulators[:2])
            works = depth
        except ToolError as error:
            stops, found = depth, str(error)
    assert f"deadlock: {fifo} of depth {works - 1} is full before StreamAdd_0" in found


def test_streams_of_the_design_are_complete(sized):
    """Each stream has one source and one sink, and all of them are observed."""
    design = Design.read(sized / "stitch" / "design")
    model = model_of(sized, "stitch")
    units = {node.name for node in model.graph.node}
    assert {s.sink for s in design.streams} == units | {""}
    nets = [s.net for s in design.streams]
    assert len(set(nets)) == len(nets)
