# SPDX-License-Identifier: Apache-2.0
"""Names of layers: from the paths of an exporter, through a file without names."""

import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from hw.ops.layers import layer_of, path_of, record_layers, recorded_layers, tag_layers


def chain(*names):
    """A model of convolutions in a row, a Relu behind each."""
    nodes = []
    for i, name in enumerate(names):
        nodes.append(helper.make_node("Conv", [f"t{i}", f"w{i}"], [f"c{i}"], name))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"t{i + 1}"], f"/r{i}/Relu"))
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, None)
        for n in ("t0", nodes[-1].output[0])
    ]
    return ModelWrapper(helper.make_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:])))


@pytest.mark.parametrize(
    ("name", "operator", "path"),
    [
        ("/stages_14/stages_14.3/expand/conv/Conv", "Conv", "stages_14.3.expand"),
        ("/stem/stem.0/conv/Conv", "Conv", "stem.0"),
        ("/features/features.0/Conv", "Conv", "features.0"),
        ("/conv/Conv", "Conv", "conv"),
        ("/layer1/layer1.0/downsample/downsample.0/Conv", "Conv", "layer1.0.downsample.0"),
        ("/fc/Gemm", "Gemm", "fc"),
        ("/b/b.3/act_quant/export_handler/Quant", "Quant", "b.3"),
        ("/head/in_quant/act_quant/activation_impl/Relu", "Relu", "head.in_quant"),
        ("Conv_3", "Conv", ""),
        ("", "Conv", ""),
    ],
)
def test_path_of_a_module(name, operator, path):
    assert path_of(helper.make_node(operator, [], [], name)) == path


def test_names_are_carried_by_the_nodes():
    model = chain("/a/Conv", "Conv_1", "/c/c.0/conv/Conv")
    tag_layers(model)
    assert [layer_of(node) for node in model.graph.node] == ["a", "r0", "", "r1", "c.0", "r2"]


def test_recorded_names_win_over_those_of_nodes():
    model = chain("Conv_0", "Conv_1")
    record_layers(model, ["stem", "head"])
    assert recorded_layers(model) == ["stem", "head"]


@pytest.mark.parametrize("text", ["{", "[1, 2, 3]", '{"a": 1}'])
def test_metadata_that_does_not_fit_is_no_name(text):
    model = chain("/a/Conv", "Conv_1")
    model.set_metadata_prop("layers", text)
    assert recorded_layers(model) == ["a", ""]
