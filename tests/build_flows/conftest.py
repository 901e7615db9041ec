# SPDX-License-Identifier: Apache-2.0
"""A small network with everything the large one has, and the demo build that tests share."""

import hashlib
import json

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from build_flows.build import Build
from build_flows.config import BuildConfig, load_config
from build_flows.design.verify import Golden
from model.export.snap import export_files
from model.training.ptq import post_train
from tests.model.samples import as_tensor, random_network, smooth_images


def export_random(folder, name, count=2, **network):
    """Random network calibrated and exported to ``folder``/``name``.onnx with golden vectors."""
    float_network = random_network(**network)
    size = float_network.image_size
    quantised = post_train(float_network, as_tensor(smooth_images(16, size, seed=0)))
    path = folder / f"{name}.onnx"
    export_files(quantised, path, smooth_images(count, size, seed=1))
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
    return Build(small, out).until("map").out


@pytest.fixture(scope="session")
def demo_build():
    """Folder of the demo, built as ``make demo`` does; a finished one is kept."""
    return Build(load_config("demo")).until().out


@pytest.fixture
def cfg(tmp_path):
    """A config with a model that negates its input, and the golden file of it."""
    shape = [1, 2, 2, 1]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])], "g", tensors[:1], tensors[1:]
    )
    path = tmp_path / "net.onnx"
    ModelWrapper(qonnx_make_model(graph)).save(str(path))
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    golden = {"images": images, "accumulators": -images.reshape(2, 4).astype(np.int32)}
    write_golden(path, **golden)
    folding = tmp_path / "folding.json"
    folding.write_text("{}")
    return BuildConfig(name="t", model=path, folding=folding)


def write_golden(model, **arrays):
    sha = hashlib.sha256(model.read_bytes()).hexdigest()
    np.savez(model.with_name(f"{model.stem}_golden.npz"), **({"model_sha256": sha} | arrays))
