# SPDX-License-Identifier: Apache-2.0
"""Any legal folding gives the same integers: random ones of a small network, each simulated.

The network has what the large one is made of: a convolution, a depthwise one, a residual add, a
fork, a pool and a matrix product, with channels whose divisors make coprime widths. A run has
FOLDINGS of them, the seeds are theirs.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.build import Build
from build_flows.design.generate import generate
from build_flows.design.simulate import provide_simulator
from build_flows.design.stitch import stitch
from build_flows.design.verify import Golden, compare
from build_flows.explore.choices import space_of, table_of
from build_flows.explore.front import dump_table
from build_flows.parts import part_of
from host.board.simulation import PRELOAD
from hw.units import units_of
from tests.build_flows.networks import configured, convolution, graph, quant, residual_network

FOLDINGS = 50
WIDE = 144  #: channels of the second network, whose whole words have more than 1,024 bits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def wide_network():
    """Two pointwise convolutions of WIDE channels on 2 x 2 pixels, and a product."""
    rng = np.random.default_rng(22)
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.02, "fs": 0.007,
        "fw": rng.normal(size=(3, 4 * WIDE)) / 9, "fb": rng.normal(size=3),
    }  # fmt: skip
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l0", (WIDE, 1, 1, 1), constants=constants)
    rows += convolution(rng, "l0", "l1", (WIDE, WIDE, 1, 1), constants=constants)
    rows += [
        helper.make_node("Flatten", ["l1"], ["flat"]), quant("fw", "fq", "fs", signed=1),
        helper.make_node("Gemm", ["flat", "fq", "fb"], ["out"], "/fc/Gemm", transB=1),
    ]  # fmt: skip
    return graph(rows, constants, [1, 1, 2, 2])


def mapped(network, folder, name):
    """Configuration and folder of a build up to its units."""
    cfg = replace(configured(network, folder, name), frames=3)
    Build(cfg, folder / "build").until("map")
    return cfg, folder / "build"


@pytest.fixture(scope="module")
def small_map(tmp_path_factory):
    return mapped(residual_network(), tmp_path_factory.mktemp("residual"), "residual")


@pytest.fixture(scope="module")
def space(small_map):
    cfg, out = small_map
    model = ModelWrapper(str(out / "map" / "model.onnx"))
    return space_of(model, part_of(cfg.part), pumped=True)


def random_table(space, seed):
    """A choice for each unit; where a link is rigid the sink follows its source."""
    rng = random.Random(seed)
    chosen = {}
    for name, choices in space.units.items():
        tied = [link.source for link in space.links if link.rigid and link.sink == name]
        lanes = {chosen[source].lanes[1] for source in tied}
        chosen[name] = rng.choice([c for c in choices if not lanes or c.lanes[0] in lanes])
    return table_of(chosen, {})


def built(cfg, out, table, until="simulate"):
    """The build with a folding; it raises unless every integer is right, under stalls too."""
    cfg.folding.write_text(dump_table(table))
    return Build(cfg, out).until(until)


@pytest.mark.parametrize("seed", range(FOLDINGS))
def test_a_random_folding_is_exact(small_map, space, seed):
    table = random_table(space, seed)
    build = built(*small_map, table)
    assert build.results[-1].name == "simulate"


def test_the_slowest_folding_sizes_its_fifos(small_map):
    """One lane everywhere; the time limit of the module is the bound."""
    units = [*units_of(built(*small_map, {}, "size").model("size"))]
    assert all(unit.get_fold(name) == 1 for unit in units for name in unit.folds)
    fifos = [unit for unit in units if unit.fifo_depth]
    assert fifos
    assert all(2 <= unit.fifo_depth <= unit.inputs[0].words for unit in fifos)


@pytest.mark.parametrize(("first", "second"), [(144, 9), (16, 144), (9, 16)])
def test_converters_of_wide_and_coprime_words(tmp_path, first, second):
    """Words of 1,152 bits, sums of more; 9 and 16 lanes have no common divisor.

    The C++ refuses words of more than 1,024 bits, so the RTL alone is made and simulated.
    """
    cfg, out = mapped(wide_network(), tmp_path, "wide")
    table = {
        "Dense_0": {"PE": 9}, "Requant_0": {"PE": first}, "Dense_1": {"SIMD": second, "PE": 9},
        "Requant_1": {"PE": second}, "Dense_2": {"SIMD": first, "PE": 1},
    }  # fmt: skip
    model = built(cfg, out, table, "fold").model("fold")
    widths = [(unit.inputs[0].width, unit.outputs[0].width)
              for unit in units_of(model) if unit.arranges]  # fmt: skip
    assert (8 * first, 8 * second) in widths
    design, golden = tmp_path / "design", Golden.load(cfg)
    stitch(generate(model, cfg, tmp_path), tmp_path / "rtl", design)
    simulator = provide_simulator(model, design, tmp_path, tmp_path / "cache")
    run = simulator.run(golden.images[:3], tmp_path, options=PRELOAD)
    compare("accumulators", run.found, golden.accumulators[:3], "wide and coprime words")


def test_every_memory_style_moves_the_estimate(space):
    """Units with a memory: choices that differ in the memory alone differ in their cost."""
    checked = 0
    for name, choices in space.units.items():
        costs: dict[tuple, list] = {}
        for choice in choices:
            entry = dict(choice.entry)
            if entry.pop("ramStyle", None):
                costs.setdefault(tuple(entry.items()), []).append(choice.cost)
        for found in costs.values():
            assert len(set(found)) == len(found) == 3, name
            checked += 1
    assert checked > 10
