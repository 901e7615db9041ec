# SPDX-License-Identifier: Apache-2.0
"""Reading of a QONNX file with packed weights: same model as by qonnx's own clean-up."""

import copy

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model

from build_flows.steps import cleaned
from hw.ops.constants import fold_constants

QONNX = "qonnx.custom_op.general"


@pytest.fixture
def packed():
    """Convolution with weights as INT8, Cast and Mul in front of their Quant node; bias of 1."""
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.01, 0.02, (4, 1, 1, 1)).astype(np.float32)
    constants = {
        "steps": rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8),
        "scale": scale,
        "zero": np.float32(0),
        "bits": np.float32(8),
        "length": np.array([4], np.int64),
    }
    one = numpy_helper.from_array(np.ones(1, np.float32))
    grid = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Cast", ["steps"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["weights"]),
        helper.make_node(
            "Quant", ["weights", "scale", "zero", "bits"], ["grid"], domain=QONNX, **grid
        ),
        helper.make_node("ConstantOfShape", ["length"], ["ones"], value=one),
        helper.make_node("Conv", ["image", "grid", "ones"], ["sums"], kernel_shape=[3, 3]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 2, 5, 5])
    sums = helper.make_tensor_value_info("sums", TensorProto.FLOAT, [1, 4, 3, 3])
    tensors = [numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph(nodes, "packed", [image], [sums], tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 2)]
    return ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))


def test_loading_equals_the_clean_up(packed):
    expected = cleanup_model(copy.deepcopy(packed))
    found = cleaned(packed, "packed.onnx")
    assert [n.op_type for n in found.graph.node] == ["Quant", "Conv"]
    assert list(found.graph.node) == list(expected.graph.node)
    names = sorted(t.name for t in expected.graph.initializer)
    assert sorted(t.name for t in found.graph.initializer) == names
    for name in names:
        value = found.get_initializer(name)
        assert value.tobytes() == expected.get_initializer(name).tobytes(), name


def test_a_model_without_constant_nodes_stays(packed):
    fold_constants(packed)
    before = packed.model.SerializeToString()
    assert fold_constants(packed).model.SerializeToString() == before
    onnx.checker.check_model(packed.model)
