# SPDX-License-Identifier: Apache-2.0
"""A network with weights of 4 bits whose DSPs multiply three of them, beside one of 8 bits."""

import json

import numpy as np
import pytest
from onnx import helper

from build_flows.build import Build
from build_flows.config import load_config
from build_flows.new import write_network
from hw.units import units_of
from tests.build_flows.networks import graph, quant

pytestmark = pytest.mark.slow
SIDE = 6
FOLDS = {"Dense_0": (9, 6), "Dense_1": (4, 6), "Dense_2": (8, 3)}  #: SIMD, PE
REQUANTS = {"Requant_0": {"PE": 6}, "Requant_1": {"PE": 6}}


def network(bits):
    """Two convolutions and a matrix product; weights of the whole range of ``bits``."""
    rng, top = np.random.default_rng(5), 2.0 ** (bits - 1)
    scale = 0.37 / top
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "few": float(bits), "s": scale,
        "a": 0.0211, "b": 0.0613,
    }  # fmt: skip
    shapes = {"w0": (12, 1, 3, 3), "w1": (12, 12, 1, 1), "w2": (12 * SIDE * SIDE, 6)}
    for name, shape in shapes.items():
        constants[name] = rng.integers(-top, top, shape) * scale
    weights = [quant(name, f"{name}q", "s", signed=1, bits="few") for name in shapes]
    nodes = [
        *weights, quant("image", "x0", "byte"),
        helper.make_node("Conv", ["x0", "w0q"], ["y0"], "/first/Conv", kernel_shape=[3, 3],
                         pads=[1] * 4),
        helper.make_node("Relu", ["y0"], ["r0"]), quant("r0", "x1", "a"),
        helper.make_node("Conv", ["x1", "w1q"], ["y1"], "/second/Conv", kernel_shape=[1, 1],
                         pads=[0] * 4),
        helper.make_node("Relu", ["y1"], ["r1"]), quant("r1", "x2", "b"),
        helper.make_node("Flatten", ["x2"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "w2q"], ["out"], "/fc/MatMul"),
    ]  # fmt: skip
    return graph(nodes, constants, [1, 1, SIDE, SIDE])


def build_of(bits, kernel, folder):
    """Build of the network with one kernel for all dense units; nothing has run."""
    path = folder / "in.onnx"
    network(bits).save(str(path))
    cfg = load_config(str(write_network(f"w{bits}", path, None, folder)))
    dense = {name: {"SIMD": s, "PE": p, "kernel": kernel} for name, (s, p) in FOLDS.items()}
    cfg.folding.write_text(json.dumps(REQUANTS | dense))
    return Build(cfg, folder / "build")


def dsps(work):
    """Of all dense units."""
    units = units_of(work.model("fold"))
    return sum(unit.resources().dsp for unit in units if unit.kernels)


def test_three_products_in_a_dsp_and_every_output_exact(tmp_path):
    for name in ("narrow", "wide"):
        (tmp_path / name).mkdir()
    narrow = build_of(4, "DenseTriple", tmp_path / "narrow").until()
    report = narrow.report()
    assert report["bit_exact"]
    assert report["equal_to_file"] == report["images_compared"] == 8
    assert np.ptp(narrow.golden.accumulators) > 100
    wide = build_of(8, "Dense", tmp_path / "wide").until("fold")
    assert (dsps(narrow), dsps(wide)) == (68, 102)
    print(f"DSPs of dense units: {dsps(narrow)} with 4 bits, {dsps(wide)} with 8")
