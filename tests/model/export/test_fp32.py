# SPDX-License-Identifier: Apache-2.0
"""FP32 networks for onnxruntime: fixed shapes, filters in half the bytes, the same answers."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from host.backends.cpu import CpuBackend
from model.export.fp32 import export_fp32, halve
from tests.model.samples import random_network


@pytest.mark.parametrize("head", ["fc", "grid"])
@pytest.mark.parametrize("halves", [False, True])
def test_the_host_takes_the_file_and_gets_the_networks_answers(
    tmp_path: Path, head: str, halves: bool
) -> None:
    network = random_network(head=head).eval()
    if head == "grid":
        with torch.no_grad():  # answers within the crop, as trained ones: the mean of two far
            network.cells.weight.mul_(0.05)  # apart would magnify how both round the scores
    if halves:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(parameter.half().float())
    path = tmp_path / "net.onnx"
    export_fp32(network, path)
    size = network.image_size
    images = np.random.default_rng(1).integers(0, 256, (3, size, size), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(images[:, None]).float() / 255).numpy()
    found = CpuBackend(path, threads=1).infer(images)
    assert np.abs(found.reshape(3, -1) - expected).max() < 1e-5 * np.abs(expected).max()
    kinds = [one.data_type for one in onnx.load(path).graph.initializer]
    assert (TensorProto.FLOAT16 in kinds) == halves


def test_only_numbers_that_halves_hold_exactly_are_halved() -> None:
    constants = {
        "exact": np.linspace(-2, 2, 33, dtype=np.float32),
        "fine": np.linspace(-2, 2, 33, dtype=np.float32) + np.float32(1e-4),
        "huge": np.full(33, 1e6, np.float32),
        "few": np.ones(2, np.float32),
        "whole": np.arange(33),
    }
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [33])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, [33])
    nodes = [helper.make_node("Sum", ["x", "exact", "fine", "huge"], ["y"])]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "sum", [given], [wanted], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    before = onnxruntime.InferenceSession(model.SerializeToString()).run(
        None, {"x": np.ones(33, np.float32)}
    )
    halve(model)
    names = {one.name: one.data_type for one in model.graph.initializer}
    assert names["exact_half"] == TensorProto.FLOAT16
    assert set(names) == {"exact_half", "fine", "huge", "few", "whole"}
    after = onnxruntime.InferenceSession(model.SerializeToString()).run(
        None, {"x": np.ones(33, np.float32)}
    )
    assert np.array_equal(before[0], after[0])
