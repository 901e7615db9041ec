# SPDX-License-Identifier: Apache-2.0
"""What of ONNX the flow takes: biases and flattened maps exactly, the rest refused in one line."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from build_flows.graph.accept import accept
from build_flows.graph.mapping import map_to_kernels
from build_flows.graph.streamline import OUTPUT_AFFINE, streamline
from build_flows.steps import load
from host.common.errors import UserError
from hw.units import units_of

QONNX = "qonnx.custom_op.general"
PART = "xck26-sfvc784-2LV-c"


def graph(nodes, constants, image, outputs=("out",)):
    """QONNX model from nodes, constants by name and the shape of the image."""
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, image)
    sinks = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in constants.items()]
    made = helper.make_graph(nodes, "network", [source], sinks, tensors)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    return ModelWrapper(model).transform(InferShapes())


def quant(source, sink, scale, signed=0, bits="bits", **attributes):
    return helper.make_node(
        "Quant", [source, scale, "zero", bits], [sink], sink, domain=QONNX, signed=signed,
        narrow=0, **({"rounding_mode": "ROUND"} | attributes),
    )  # fmt: skip


def one(operator, image=(1, 8, 6, 6), constants=None, inputs=(), outputs=("out",), **attributes):
    """Model of one node."""
    names = ["image", *inputs]
    node = helper.make_node(operator, names, list(outputs), f"{operator}_0", **attributes)
    return graph([node], constants or {}, list(image), outputs)


def conv(**attributes):
    """A convolution of 8 channels to 16."""
    groups = attributes.get("group", 1)
    weights = {"w": np.zeros((16, 8 // groups, 3, 3))}
    return one("Conv", inputs=["w"], constants=weights, **({"kernel_shape": [3, 3]} | attributes))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: conv(group=2), r"^Conv_0: group=2 with 8 channels in and 16 out; use group=1, or"),
        (lambda: conv(dilations=[2, 2]), r"^Conv_0: dilations=\[2, 2\]; use 1, or a larger kernel"),
        (lambda: conv(auto_pad="SAME_UPPER"), "^Conv_0: auto_pad=SAME_UPPER; give the padding as"),
        (
            lambda: one("MaxPool", kernel_shape=[2, 2]),
            "^MaxPool_0: there is no kernel for MaxPool; use a convolution with stride",
        ),
        (lambda: one("Exp"), "^Exp_0: there is no kernel for Exp; use only Quant, Conv, Gemm"),
        (
            lambda: one("Split", outputs=("a", "b"), axis=1),
            r"the model has 2 outputs \(a, b\); the accelerator has one: concatenate the heads",
        ),
        (
            lambda: one("Relu", image=(1, 64)),
            r"the input image has the shape \[1, 64\]; it must be one picture",
        ),
        (
            lambda: one("Flatten", image=(2, 8, 6, 6)),
            r"the input image has the shape \[2, 8, 6, 6\]; it must be one picture",
        ),
    ],
)
def test_what_is_not_taken_is_refused(model, reason):
    with pytest.raises(UserError, match=reason):
        accept(model())


def test_other_shapes_than_vectors_are_refused():
    nodes = [
        helper.make_node("Flatten", ["image"], ["rows"], "Flatten_0", axis=2),
        helper.make_node("Flatten", ["rows"], ["out"], "Flatten_1", axis=0),
    ]
    reason = r"^Flatten_0: \[1, 8, 6, 6\] becomes \[8, 36\]; flatten to \(1, elements\)"
    with pytest.raises(UserError, match=reason):
        accept(graph(nodes, {}, [1, 8, 6, 6]))


def test_a_map_that_becomes_a_vector_elsewhere_is_refused():
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"], "Flatten_3"),
        helper.make_node("Relu", ["flat"], ["out"], "Relu_0"),
    ]
    with pytest.raises(UserError, match="Flatten_3 makes a vector of a map of 6 x 6 pixels before"):
        accept(graph(nodes, {}, [1, 8, 6, 6]))


def test_a_pooling_without_quantiser_is_refused():
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["p"], "pool_0"),
        helper.make_node("Flatten", ["p"], ["v"], "flat_0"),
        helper.make_node("MatMul", ["v", "w"], ["out"], "fc_0"),
    ]
    with pytest.raises(UserError, match="fc_0 takes what pool_0 gives without a quantiser; put a"):
        accept(graph(nodes, {"w": np.ones((8, 3))}, [1, 8, 6, 6]))


def test_weights_of_two_layers_are_refused():
    constants = {"s": 1.0, "zero": 0.0, "bits": 8.0, "w": np.zeros((8, 8, 3, 3))}
    nodes = [quant("w", "wq", "s", signed=1)]
    for source, sink in (("image", "y"), ("y", "out")):
        nodes.append(helper.make_node("Conv", [source, "wq"], [sink], sink, kernel_shape=[3, 3]))
    with pytest.raises(UserError, match="wq: 2 nodes share its weights; give each its own"):
        accept(graph(nodes, constants, [1, 8, 6, 6]))


def test_a_quantiser_that_rounds_otherwise_is_refused():
    constants = {"s": 1.0, "zero": 0.0, "bits": 8.0}
    nodes = [quant("image", "out", "s", rounding_mode="FLOOR")]
    with pytest.raises(UserError, match="out: rounding_mode=FLOOR; use ROUND, Brevitas' default"):
        accept(graph(nodes, constants, [1, 1, 6, 6]))


@pytest.mark.parametrize("join", ["Add", "Concat"])
def test_branches_of_unequal_scales_are_refused(join):
    """As two quantisers of their own give them, Brevitas' default."""
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "w": np.ones((2, 2, 1, 1)) / 64,
        "sw": 1 / 64, "a": 1 / 2, "b": 1 / 3,
    }  # fmt: skip
    shape = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "group": 1}
    nodes = [quant("image", "x", "byte")]
    for name, scale in (("l", "a"), ("r", "b")):
        sums = f"{name}s"
        nodes.append(quant("w", f"w{name}", "sw", signed=1))
        nodes.append(helper.make_node("Conv", ["x", f"w{name}"], [sums], f"/{name}/Conv", **shape))
        nodes.append(quant(sums, name, scale, signed=1))
    axis = {"axis": 1} if join == "Concat" else {}
    nodes.append(helper.make_node(join, ["l", "r"], ["j"], "join_0", **axis))
    nodes.append(helper.make_node("GlobalAveragePool", ["j"], ["out"]))
    model = load(graph(nodes, constants, [1, 2, 6, 6]), None)
    with pytest.raises(UserError, match=f"{join}_0 joins layer l and layer r, whose scales differ"):
        streamline(model)


def small_network(rng, transposed):
    """A convolution with a quantised bias, a flattened map, two matrix products with biases.

    All scales but the input's are powers of two, and biases are on the grid of requantisation, so
    that float32 has no error and every output must be equal.
    """
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "wide": 32.0,
        "w0": rng.integers(-100, 100, (4, 2, 3, 3)) / 64, "s0": np.full((4, 1, 1, 1), 1 / 64),
        "b0": rng.integers(-200, 200, 4) / 2, "sb": 1 / 2,
        "a0": 1 / 2, "a1": 4.0,
        "w1": rng.integers(-100, 100, (6, 4 * 3 * 3)) / 64, "s1": 1 / 64,
        "b1": rng.integers(-40, 40, 6), "w2": rng.integers(-100, 100, (6, 5)) / 64,
        "b2": rng.normal(size=5),
    }  # fmt: skip
    product = ("Gemm", ["flat", "w1q", "b1"], {"transB": 1})
    if not transposed:
        constants["w1"] = constants["w1"].T
        product = ("Gemm", ["flat", "w1q", "b1"], {})
    nodes = [
        quant("image", "x0", "byte"),
        quant("w0", "w0q", "s0", signed=1), quant("b0", "b0q", "sb", signed=1, bits="wide"),
        helper.make_node(
            "Conv", ["x0", "w0q", "b0q"], ["y0"], "/f/f.0/conv/Conv", kernel_shape=[3, 3],
            strides=[2, 2], pads=[1, 1, 1, 1], dilations=[1, 1], group=1,
        ),
        helper.make_node("Relu", ["y0"], ["r0"]), quant("r0", "x1", "a0"),
        helper.make_node("Flatten", ["x1"], ["flat"], axis=1),
        quant("w1", "w1q", "s1", signed=1),
        helper.make_node(product[0], product[1], ["y1"], "/fc1/Gemm", **product[2]),
        helper.make_node("Relu", ["y1"], ["r1"]), quant("r1", "x2", "a1"),
        quant("w2", "w2q", "s1", signed=1),
        helper.make_node("Gemm", ["x2", "w2q", "b2"], ["out"], "/fc2/Gemm"),
    ]  # fmt: skip
    return graph(nodes, constants, [1, 2, 6, 6])


@pytest.mark.parametrize("transposed", [True, False])
def test_biases_and_flattened_maps_are_exact(transposed):
    rng = np.random.default_rng(3)
    model = small_network(rng, transposed)
    images = rng.integers(0, 256, (3, 1, 2, 6, 6)).astype(np.float32)
    expected = [execute_onnx(model, {"image": image / 255})["out"].ravel() for image in images]
    mapped = ModelWrapper(streamline(load(model, None)).model)
    affine = json.loads(mapped.get_metadata_prop(OUTPUT_AFFINE))
    mapped = map_to_kernels(mapped, PART)
    assert [unit.layer for unit in units_of(mapped) if unit.weights] == ["f.0", "fc1", "fc2"]
    source, sink = mapped.graph.input[0].name, mapped.graph.output[0].name
    for image, floats in zip(images, expected, strict=True):
        found = execute_onnx(mapped, {source: np.moveaxis(image, 1, -1)})[sink].ravel()
        values = found * np.array(affine["scale"]) + np.array(affine["bias"])
        assert len(set(floats)) == 5
        np.testing.assert_allclose(values, floats, rtol=1e-5, atol=1e-5)
