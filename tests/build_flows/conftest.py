# SPDX-License-Identifier: Apache-2.0
"""A small network with everything the large one has, and the demo build that tests share."""

import json

import pytest

from build_flows.config import ROOT, BuildConfig, load_config
from build_flows.design.verify import Golden
from build_flows.flow import run_steps
from build_flows.report import publish
from build_flows.steps import STEPS
from model.export.snap import export_files
from model.training.ptq import post_train
from tests.model.samples import as_tensor, random_network, smooth_images


def export_random(folder, name, count=2, **network):
    """Random network calibrated and exported to ``folder``/``name``.onnx with golden vectors."""
    float_network = random_network(**network)
    size = float_network.image_size
    twin = post_train(float_network, as_tensor(smooth_images(16, size, seed=0)))
    path = folder / f"{name}.onnx"
    export_files(twin, path, smooth_images(count, size, seed=1))
    return path


def config_of(model, folder, table=None):
    """Build configuration of an exported model with a folding table."""
    folding = folder / "folding.json"
    folding.write_text(json.dumps(table or {}))
    return BuildConfig(name=model.stem, model=model, folding=folding)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Config of a network of 32x32 pixels, an eighth of the width, 5 landmarks."""
    folder = tmp_path_factory.mktemp("small")
    model = export_random(
        folder, "small", width=0.125, num_landmarks=5, s3="conv1x1", image_size=32
    )
    return config_of(model, folder)


@pytest.fixture(scope="session")
def small_golden(small):
    return Golden.load(small)


@pytest.fixture(scope="session")
def small_build(small, tmp_path_factory):
    """Folder of the small network's build up to the mapped model."""
    out = tmp_path_factory.mktemp("build")
    run_steps(STEPS, small, out, "map", lambda _: None, lambda _: None)
    return out


@pytest.fixture(scope="session")
def demo_build():
    """Folder of the demo, built as ``make demo`` does; a finished one is kept."""
    out = ROOT / "build" / "demo"
    run_steps(STEPS, load_config("demo"), out, None, lambda _: None, lambda _: None)
    publish(out / STEPS[-1].name, out)
    return out
