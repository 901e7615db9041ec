# SPDX-License-Identifier: Apache-2.0
"""The full-width accelerators for the KV260: speed, budget, and a hundred faces to the bit."""

import json

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.build import Build
from build_flows.config import load_config
from build_flows.design.simulate import Simulator
from build_flows.design.verify import compare
from docs_builder.figures import FILE as FIGURES
from docs_builder.figures import from_report, table
from host.board.simulation import PRELOAD
from model.export.integer import integer_network
from model.faces.render import make_faces

CONFIGS = ["kv260_1x", "kv260_1x_single", "kv260_eyes"]
FACES = 100

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=CONFIGS)
def build(request):
    """The finished build; one that is there is kept."""
    made = Build(load_config(request.param))
    made.until()
    return made


def test_a_thousand_frames_a_second_within_the_budget(build):
    report = json.loads((build.out / "report.json").read_text())
    assert report["bit_exact"] is True
    assert report["frames_checked"] >= 3
    assert report["cycles_per_frame"] <= 250_000
    assert report["fps"] >= 1000
    assert report["budget"]["kept"] is True
    assert all(row["origin"] for row in report["resources"].values())


def test_the_pages_have_the_figures_of_the_report(build):
    """As of the demo; `python -m docs_builder figures build/NAME/report.json` renews them."""
    report = json.loads((build.out / "report.json").read_text())
    known = json.loads(FIGURES.read_text())[build.cfg.name]
    assert table(from_report(report)) == table(known)
    assert report["macs"] == known["macs"]
    assert report["mac_efficiency"] == pytest.approx(known["mac_efficiency"], abs=5e-4)


def test_a_hundred_faces_are_exact(build, tmp_path):
    images = make_faces(FACES, seed=2_000_000).images
    expected = integer_network(build.cfg.model).run(images).accumulators
    model = ModelWrapper(str(build.out / "stitch" / "model.onnx"))
    simulator = Simulator(
        build.out / "simulate" / "simulator", model, build.out / "stitch" / "design"
    )
    run = simulator.run(images, tmp_path, options=PRELOAD)
    compare("accumulators", run.found, expected, f"simulation of {FACES} faces")
    distances = np.diff(run.stats["frame_ends"])[2:]
    assert distances.max() <= 250_000
