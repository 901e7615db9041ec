# SPDX-License-Identifier: Apache-2.0
"""A small network with the grid head through streamlining and mapping, to the bit."""

import json

import pytest

from build_flows.build import Build
from build_flows.design.verify import Golden, compare, verify
from host.common.errors import VerifyError
from hw.ops.layers import layer_of
from hw.units import units_of
from model.export.integer import integer_network
from tests.build_flows.conftest import config_of, export_random
from tests.model.samples import smooth_images

SIZE, POINTS = 32, 5  #: pixels, landmarks; the map of cells is 4x4


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    network = {"width": 0.125, "num_landmarks": POINTS, "image_size": SIZE}
    model = export_random(folder, "grid", stem="depthwise", head="grid", **network)
    return config_of(model, folder)


@pytest.fixture(scope="module")
def build(config, tmp_path_factory):
    """Built up to the mapped graph; every step has been compared with the golden integers."""
    return Build(config, tmp_path_factory.mktemp("build")).until("map")


def peak_of(model):
    (node,) = [node for node in model.graph.node if node.op_type == "GridPeak"]
    return node


def test_the_head_becomes_one_kernel(build):
    """The best cells are the last unit, behind the 1x1 convolution, without a requantisation."""
    model = build.model("map")
    peak = peak_of(model)
    assert model.graph.node[-1].name == peak.name
    assert layer_of(peak) == "cells"
    (cells,) = model.find_direct_predecessors(peak)
    assert layer_of(cells) == "cells"
    assert cells.op_type == "Dense"
    last = units_of(model)[-1]
    assert last.name == peak.name
    assert tuple(last.outputs[0].shape)[-1] == 2 * POINTS


def test_the_graph_gives_the_integers_of_the_reference(build, config):
    images = smooth_images(4, SIZE, seed=9)
    expected = integer_network(config.model).run(images)
    golden = Golden(images, expected.accumulators)
    for step in ("streamline", "map"):
        verify(build.model(step), golden, step, images=4)


def test_a_wrong_step_of_a_cell_is_found(build):
    """The distance between cells, in steps of the offsets, is a constant of the kernel."""
    model = build.model("map")
    name = peak_of(model).input[1]
    model.set_initializer(name, model.get_initializer(name) + 1)
    with pytest.raises(VerifyError, match=r"is .* after map"):
        verify(model, build.golden, "map")


@pytest.mark.slow
def test_rtl_and_cpp_give_the_integers(config, tmp_path):
    """The whole way: stitched RTL in simulation, and the C++ of the same design."""
    done = Build(config, tmp_path).until()
    report = json.loads((done.out / "report.json").read_text())
    assert report["bit_exact"] is True
    assert report["outputs"] == 2 * POINTS
    found = done.cpp().accumulate(done.golden.images)
    compare("accumulators", found, done.golden.accumulators, "C++ simulation")
