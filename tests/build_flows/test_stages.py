# SPDX-License-Identifier: Apache-2.0
"""Streamlining, mapping and folding: exact on a small network, clear on what they cannot take."""

from collections import Counter

import numpy as np
import pytest
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.build import Build
from build_flows.design.verify import verify
from build_flows.graph.folding import apply_table, read_table
from build_flows.graph.layers import name_layers
from build_flows.graph.mapping import map_to_kernels
from build_flows.graph.streamline import streamline
from build_flows.report import host_settings, layers, resources
from host.common.errors import UserError, VerifyError
from hw.ops.layers import set_layer
from hw.ops.widths import signed_bits, sum_of_products
from hw.units import units_of
from tests.build_flows.conftest import config_of, export_random, write_golden

PART = "xck26-sfvc784-2LV-c"


@pytest.fixture
def loaded(small_build):
    return ModelWrapper(str(small_build / "load" / "model.onnx"))


@pytest.fixture
def mapped(small_build):
    return ModelWrapper(str(small_build / "map" / "model.onnx"))


def node_of(model, op_type):
    return next(n for n in model.graph.node if n.op_type == op_type)


def test_every_layer_becomes_a_kernel(mapped):
    count = Counter(n.op_type for n in mapped.graph.node)
    assert count["Requant"] == 56
    assert count["Dense"] == 31
    assert count["Depthwise"] == 13
    assert count["StreamAdd"] == 10
    assert count["StreamFork"] == 12
    assert count["GlobalAccPool"] == 3
    assert count["StreamConcat"] == 1
    assert set(count) - {"FMPadding_rtl", "ConvolutionInputGenerator_rtl"} == {
        "Requant", "Dense", "Depthwise", "StreamAdd", "StreamFork", "GlobalAccPool",
        "StreamConcat",
    }  # fmt: skip


def test_one_wrong_weight_is_found(small_build, small_golden):
    model = ModelWrapper(str(small_build / "streamline" / "model.onnx"))
    matmul = [n for n in model.graph.node if n.op_type == "MatMul"][-1]
    weights = model.get_initializer(matmul.input[1]).copy()
    weights[:, 3] += 1
    model.set_initializer(matmul.input[1], weights)
    with pytest.raises(VerifyError, match=r"global_out\[0, 3\] is .* after streamline"):
        verify(model, small_golden, "streamline")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"Dense_1": {"SIMD": 5}}, "SIMD=5 does not divide the 72 channels of Dense_1; use"),
        ({"Dense_1": {"kernel": "DPU"}}, "sets kernel=DPU of Dense_1; use Dense, MVAU"),
        ({"Dense_1": {"ramStyle": "flash"}}, "sets ramStyle=flash of Dense_1; use auto, block"),
        ({"ConvolutionInputGenerator_rtl_0": {"ramStyle": "flash"}}, "sets ramStyle=flash of Conv"),
        ({"Requant_0": {"ramStyle": "block"}}, "sets ramStyle of Requant_0; it has PE"),
        ({"Requant_0": {"PE": 3}}, r"PE=3 does not divide the 8 channels of Requant_0; use one of"),
        ({"Requant_0": {"PE": 0}}, "PE=0 does not divide"),
        ({"Dense_1": {"SIMD": 5}}, "^layer stem.1: SIMD=5 does not divide"),
        ({"Requant_0": {"layer": "stem.7"}}, "takes Requant_0 for the layer stem.7, it is stem.0"),
        ({"Requant_0": {"SIMD": 1}}, "sets SIMD of Requant_0; it has PE"),
        ({"Nothing_0": {"PE": 1}}, "folds Nothing_0, which the model does not have"),
        ({"Depthwise_0": {"PE": 2}}, "SIMD=1 of .* and PE=2 of Depthwise_0 differ"),
    ],
)
def test_foldings_that_cannot_be(mapped, table, message):
    with pytest.raises(UserError, match=message):
        apply_table(mapped, table, "f.json")


def test_every_unit_has_a_layer(mapped, small_build):
    """Those of the makers; windows go with what they feed, adds with the last before them."""
    layers = {unit.name: unit.layer for unit in units_of(mapped)}
    weighted = [unit.layer for unit in units_of(mapped) if unit.weights]
    assert all(layers.values())
    assert len(set(weighted)) == len(weighted) == 44
    assert (weighted[0], weighted[-1]) == ("stem.0", "fc")
    assert {"stages_28.0.expand", "stages_14.7.depthwise", "s2", "s3"} < set(weighted)
    assert layers["FMPadding_rtl_0"] == layers["Requant_0"] == "stem.0"
    assert layers["StreamAdd_0"] == layers["StreamFork_1"] == "stages_28.1.project"


def test_the_report_names_layers(mapped):
    """Every unit stands in one layer, and the layers cost what the kernels cost."""
    table, kernels = layers(mapped, PART), resources(mapped, PART)
    assert list(table)[:2] == ["stem.0", "stem.1"]
    named = [name for row in table.values() for name in row["units"]]
    assert sorted(named) == sorted(unit.name for unit in units_of(mapped))
    slowest = {unit.name: unit.cycles for unit in units_of(mapped)}
    for row in table.values():
        assert row["cycles"] == max(slowest[name] for name in row["units"])
    port = kernels.pop("weight_port")  # one for the whole design
    assert port["instances"] == 1
    for name in ("lut", "ff", "dsp", "bram18", "uram"):
        assert sum(row[name] for row in table.values()) == sum(k[name] for k in kernels.values())


def test_settings_say_what_made_them(mapped, small):
    origin = host_settings(mapped, small)["origin"]
    assert origin["part"] == small.part
    assert origin["git"]
    assert "python" in origin["versions"]


def test_a_file_without_names_has_no_layers(mapped):
    for node in mapped.graph.node:
        set_layer(node, "")
    name_layers(mapped)
    assert {unit.layer for unit in units_of(mapped)} == {""}
    apply_table(mapped, {"Requant_0": {"layer": "of another name", "PE": 8}}, "f.json")


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', "[" * 100_000])
def test_files_that_are_no_folding(tmp_path, text):
    file = tmp_path / "f.json"
    file.write_text(text)
    with pytest.raises(UserError, match="is no folding file"):
        read_table(file)


def test_an_operator_without_kernel_is_named(small_build):
    model = ModelWrapper(str(small_build / "streamline" / "model.onnx"))
    requant = node_of(model, "Requant")
    (consumer,) = model.find_consumers(requant.output[0])
    consumer.input[0] = "squashed"
    sigmoid = helper.make_node("Sigmoid", [requant.output[0]], ["squashed"], "Sigmoid_7")
    model.graph.node.append(sigmoid)
    model.set_tensor_shape("squashed", model.get_tensor_shape(requant.output[0]))
    with pytest.raises(UserError, match="no kernel for the operator Sigmoid"):
        map_to_kernels(model, PART)


def test_an_input_of_another_scale_is_requantised(loaded):
    """A byte that is worth 1/255 becomes integers of 1/128, as the file rounds them."""
    quant = loaded.find_consumer(loaded.graph.input[0].name)
    quant.input[1] = "input_scale"
    loaded.set_initializer("input_scale", np.float32(1 / 128))
    model = streamline(loaded)
    first = model.find_consumer(model.graph.input[0].name)
    assert first.op_type == "Requant"
    image = np.arange(256, dtype=np.float32).repeat(4).reshape(1, 32, 32, 1)
    context = {model.graph.input[0].name: image}
    context |= {name: model.get_initializer(name) for name in first.input[1:]}
    getCustomOp(first).execute_node(context, model.graph)
    found = context[first.output[0]]
    np.testing.assert_array_equal(found, np.rint(image / 255 * 128))


def test_a_model_that_is_not_qonnx(small, tmp_path):
    model = ModelWrapper(str(small.model))
    for node in [n for n in model.graph.node if n.op_type == "Quant"]:
        node.op_type = "Identity"
    path = tmp_path / "plain.onnx"
    model.save(str(path))
    write_golden(path, images=np.zeros((2, 32, 32)), accumulators=np.zeros((2, 10)))
    with pytest.raises(UserError, match="has no Quant node; export it with"):
        Build(config_of(path, tmp_path), tmp_path / "o").until()


def test_bits_of_accumulators():
    assert [signed_bits(np.array(v)) for v in ([0], [1], [-1], [-128, 127], [128])] == [
        1,
        2,
        1,
        8,
        9,
    ]
    weights = np.array([[127, -127, 1]])
    assert sum_of_products(weights, DataType["UINT8"]).name == "INT16"  # 128 * 255 = 32640
    assert sum_of_products(np.array([[127] * 3]), DataType["INT8"]).name == "INT17"  # -48768


@pytest.mark.slow
def test_full_width_is_exact_and_streamlines_in_time(tmp_path):
    """The network of the KV260 design through streamlining and mapping, all checks exact."""
    model = export_random(tmp_path, "full", width=1.0)
    build = Build(config_of(model, tmp_path), tmp_path / "o").until("map")
    assert next(r.seconds for r in build.results if r.name == "streamline") <= 90
