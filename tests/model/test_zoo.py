# SPDX-License-Identifier: Apache-2.0
"""The shipped model: its files belong together, are small, and agree on the portrait."""

from __future__ import annotations

import hashlib

import numpy as np
import onnxruntime
import pytest

from host.common.paths import ZOO
from host.face.metrics import image_errors
from model.data.labelled import portrait
from model.evaluation.predictors import open_predictor
from model.export.integer import integer_network


def test_files_are_small() -> None:
    assert sum(p.stat().st_size for p in ZOO.glob("pfld_025x*")) < 1_000_000
    assert sum(p.stat().st_size for p in ZOO.iterdir()) < 20_000_000
    assert not list(ZOO.glob("*.part"))


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("pfld_025x", 8),
        ("pfld_1x_ptq", 3),
        ("pfld_1x_qat", 3),
        ("pfld_eyes_ptq", 3),
        ("pfld_eyes_qat", 3),
    ],
)
def test_golden_vectors_belong_to_the_model(name: str, least: int) -> None:
    model = ZOO / f"{name}.onnx"
    with np.load(ZOO / f"{name}_golden.npz") as golden:
        content = dict(golden)
    assert str(content["model_sha256"]) == hashlib.sha256(model.read_bytes()).hexdigest()
    assert np.array_equal(content["images"][0], portrait(112))
    found = integer_network(model).run(content["images"])
    assert np.array_equal(found.accumulators, content["accumulators"])
    assert len(np.unique(content["accumulators"], axis=0)) == len(content["images"]) >= least


@pytest.mark.parametrize("kind", ["ptq", "qat"])
def test_full_width_files_are_one_network(kind: str) -> None:
    """On the portrait INT8 differs from FP32 by less than 1.5 % of the inter-ocular distance."""
    image = portrait(112)[None]
    true = open_predictor(ZOO / "pfld_1x_fp32.pt").run(image)
    found = open_predictor(ZOO / f"pfld_1x_{kind}.onnx").run(image)
    assert image_errors(found, true)[0] < 1.5


@pytest.mark.parametrize(
    ("name", "kind", "percent"),
    [("pfld_025x", "exact", 1e-4), ("pfld_025x", "qdq", 1.0), ("pfld_1x_qat", "qdq", 1.0)],
)
def test_onnxruntime_is_close_on_the_portrait(name: str, kind: str, percent: float) -> None:
    """Mean distance of the landmarks in percent of the inter-ocular distance."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    path = ZOO / f"{name}_{kind}.onnx"
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    image = portrait(112)
    (found,) = session.run(None, {"image": image[None, None].astype(np.float32) / 255})
    true = integer_network(ZOO / f"{name}.onnx").run(image[None]).landmarks[0]
    distance = np.linalg.norm(found.reshape(98, 2) - true, axis=1).mean()
    assert 100 * distance / np.linalg.norm(true[60] - true[72]) <= percent


def test_network_of_the_eyes_is_near_the_other_on_the_portrait() -> None:
    image = portrait(112)[None]
    true = open_predictor(ZOO / "pfld_1x_fp32.pt").run(image)
    assert image_errors(open_predictor(ZOO / "pfld_eyes_fp32.pt").run(image), true)[0] < 6
