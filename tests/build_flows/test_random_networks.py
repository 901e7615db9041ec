# SPDX-License-Identifier: Apache-2.0
"""Networks that hypothesis draws are equal to their files, as graphs and as RTL in Verilator."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from build_flows.build import Build
from build_flows.config import load_config
from build_flows.new import write_network
from tests.build_flows.networks import equal_to_the_file, graph
from tests.build_flows.random_networks import networks

DRAWN = settings(
    deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
SEEDED = settings(DRAWN, derandomize=True)


@given(networks())
@settings(SEEDED, max_examples=25)
def test_mapped_networks_equal_their_files(drawn):
    images = np.random.default_rng(1).integers(0, 256, (2, *drawn[2][1:]))
    equal_to_the_file(graph(*drawn), images, lively=False)


def build(drawn, folder):
    """The design of a network in Verilator equals its file on every image."""
    file = folder / "drawn.onnx"
    graph(*drawn).save(str(file))
    config = write_network("drawn", file, None, folder / "drawn")
    report = Build(load_config(str(config)), folder / "build").until().report()
    assert report["bit_exact"]
    assert report["equal_to_file"] == report["images_compared"] == 8


@given(networks(most_layers=2))
@settings(SEEDED, max_examples=3)
def test_simulated_networks_equal_their_files(tmp_path_factory, drawn):
    build(drawn, tmp_path_factory.mktemp("random"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_more_simulated_networks_equal_their_files(number, tmp_path_factory):
    @seed(number)
    @given(networks())
    @settings(DRAWN, max_examples=3)
    def built(drawn):
        build(drawn, tmp_path_factory.mktemp("random"))

    built()
