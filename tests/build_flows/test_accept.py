# SPDX-License-Identifier: Apache-2.0
"""What of ONNX the flow takes, equal to the file, and what it refuses in one line."""

import numpy as np
import pytest
from onnx import helper

from build_flows.graph.streamline import streamline
from build_flows.steps import cleaned
from host.common.errors import UserError
from hw.units import units_of
from tests.build_flows.networks import QONNX, convolution, equal_to_the_file, graph, quant


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
        (conv, "^Conv_0 has no quantised constant weights; use QuantConv2d, QuantLinear or"),
        (
            lambda: one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
            "^MaxPool_0: a window over height and width without dilation and indices",
        ),
        (
            lambda: one("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]),
            "^AveragePool_0: padding that is not counted; set count_include_pad",
        ),
        (
            lambda: one("MaxPool", kernel_shape=[2, 2], pads=[2, 0, 0, 0]),
            r"^MaxPool_0 pads a window of \[2, 2\] by \[2, 0, 0, 0\]; pad less than the window",
        ),
        (lambda: one("Exp"), "^Exp_0: there is no kernel for Exp; use only Quant, IntQuant, "),
        (lambda: one("Softmax"), "^Softmax_0: there is no kernel for Softmax; use the network wi"),
        (
            lambda: one("Relu", image=(1, 2, 3, 4, 5)),
            r"the input image has the shape \[1, 2, 3, 4, 5\]; it must be one picture",
        ),
        (
            lambda: one("Flatten", image=(2, 8, 6, 6)),
            r"the input image has the shape \[2, 8, 6, 6\]; it must be one picture",
        ),
        (lambda: one("Relu"), "the output out is the input; there is nothing to build"),
        (
            lambda: one("Pad", constants={"n": [0, 1, 0, 0, 0, 0, 0, 0]}, inputs=["n"]),
            "^Pad_0 pads channels; pad height and width only",
        ),
        (
            lambda: one("Pad", constants={"n": [0] * 8, "v": 1.0}, inputs=["n", "v"]),
            r"^Pad_0: mode='constant', pads=\[0, 0, 0, 0, 0, 0, 0, 0\], value=1; use constant z",
        ),
        (
            lambda: one("Mul", constants={"c": np.ones((6, 6)) * 2}, inputs=["c"]),
            r"^Mul_0: a constant of shape \[6, 6\]; use one number or one a channel",
        ),
        (lambda: one("Div", inputs=["image"]), "^Div_0: Div of data by data has no kernel; train"),
        (lambda: one("Div", constants={"c": 0.0}, inputs=["c"]), "^Div_0 divides by zero"),
        (
            lambda: one("ConvTranspose", constants={"w": np.ones((8, 8, 2, 2))}, inputs=["w"]),
            "^ConvTranspose_0 has no quantised constant weights; use QuantConv2d, QuantLin",
        ),
        (
            lambda: one(
                "Resize", constants={"r": [], "f": [1, 1, 2, 2]}, inputs=["r", "f"], mode="linear"
            ),
            r"^Resize_0: mode='linear', \[1, 8, 6, 6\] to .*; use nearest upsampling of height",
        ),
        (lambda: one("ReduceMean", axes=[1]), r"^ReduceMean_0: axes=\[1\]; use the mean over"),
    ],
)
def test_what_is_not_taken_is_refused(model, reason):
    with pytest.raises(UserError, match=reason):
        streamline(model())


@pytest.mark.parametrize("kept", [[0, 2], [0, 1], [0, 0, 1, 2, 3, 4, 5]])
@pytest.mark.parametrize("axis", [1, 2])
def test_an_output_that_leaves_elements_away_is_refused(axis, kept):
    """Those at the end too, which leaves the first ones in their places."""
    nodes = [
        quant("image", "x", "s"),
        helper.make_node("Gather", ["x", "sizes"], ["out"], "Gather_1", axis=axis),
    ]
    constants = {"s": 1 / 100, "zero": 0.0, "bits": 8.0, "sizes": kept}
    with pytest.raises(UserError, match="the output out has elements twice, leaves some away or"):
        streamline(graph(nodes, constants, [1, 8, 6, 6]))


def test_weights_of_two_layers_are_refused():
    constants = {"s": 1.0, "zero": 0.0, "bits": 8.0, "w": np.zeros((8, 8, 3, 3))}
    nodes = [quant("w", "wq", "s", signed=1)]
    for source, sink in (("image", "y"), ("y", "out")):
        nodes.append(helper.make_node("Conv", [source, "wq"], [sink], sink, kernel_shape=[3, 3]))
    with pytest.raises(UserError, match="y: 2 nodes share its weights; give each its own"):
        streamline(graph(nodes, constants, [1, 8, 6, 6]))


@pytest.mark.parametrize(
    ("attributes", "constants", "reason"),
    [
        (
            {"rounding_mode": "DITHER"},
            {},
            "out: rounding_mode='DITHER'; use ROUND, HALF_EVEN, ",
        ),
        ({"bits": "wide"}, {}, "out: 9 bits of an activation; use 2 to 8"),
        ({}, {"s": -1.0}, "out: scales must be above 0, bits and a whole zero point one a tensor"),
        ({}, {"s": [[1.0], [2.0]]}, "out: 2 scales for 1 channels"),
        ({}, {"zero": 0.5}, "out: scales must be above 0, bits and a whole zero point"),
    ],
)
def test_quantisers_that_are_refused(attributes, constants, reason):
    constants = {"s": 1.0, "zero": 0.0, "bits": 8.0, "wide": 9.0} | constants
    nodes = [quant("image", "out", "s", **attributes)]
    with pytest.raises(UserError, match=reason):
        streamline(graph(nodes, constants, [1, 1, 6, 6]))


@pytest.mark.parametrize("join", ["Add", "Concat"])
def test_branches_of_unequal_scales_equal_the_file(join):
    """As two quantisers of their own give them, Brevitas' default; one with a sign."""
    rng = np.random.default_rng(14)
    constants = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0177, "c": 0.0307}
    nodes = [quant("image", "x", "byte")]
    nodes += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    nodes += convolution(rng, "x", "r", (4, 2, 1, 1), 1, "b", constants=constants)
    axis = {"axis": 1} if join == "Concat" else {}
    nodes.append(helper.make_node(join, ["l", "r"], ["j"], "join_0", **axis))
    if join == "Concat":
        nodes += convolution(rng, "j", "out", (5, 8, 3, 3), act="c", constants=constants)
    else:
        nodes += [helper.make_node("Relu", ["j"], ["k"]), quant("k", "out", "c")]
    model = graph(nodes, constants, [1, 2, 6, 6])
    mapped = equal_to_the_file(model, rng.integers(0, 256, (3, 2, 6, 6)))
    assert [u.kernel for u in units_of(mapped)].count("requant_add") == 1


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ],
)
def test_pooled_windows_equal_the_file(operator, attributes):
    rng = np.random.default_rng(15)
    constants = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173}
    nodes = [quant("image", "x", "byte")]
    nodes += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    nodes.append(helper.make_node(operator, ["l"], ["p"], "pool_0", **attributes))
    if operator == "AveragePool":
        nodes.append(quant("p", "q", "b", signed=1))
    source = "q" if operator == "AveragePool" else "p"
    nodes += convolution(rng, source, "out", (5, 4, 3, 3), constants=constants)
    model = graph(nodes, constants, [1, 2, 8, 8])
    mapped = equal_to_the_file(model, rng.integers(0, 256, (2, 2, 8, 8)))
    assert [u.kernel for u in units_of(mapped)].count("window_pool") == 1


def test_a_zero_point_before_a_padding_is_refused():
    """Not in the middle of its range: the integers cannot be moved so that zero is zero."""
    constants = {"byte": 1 / 255, "zero": 0.0, "moved": 3.0, "bits": 8.0, "a": 0.02}
    rng = np.random.default_rng(1)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l0", (4, 1, 1, 1), signed=1, constants=constants)
    rows[-1].input[2] = "moved"
    rows += convolution(rng, "l0", "out", (4, 4, 3, 3), constants=constants)
    with pytest.raises(UserError, match="Conv_1 pads a tensor whose zero is no integer zero; put"):
        streamline(cleaned(graph(rows, constants, [1, 1, 6, 6]), "a file"))


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
    mapped = equal_to_the_file(model, rng.integers(0, 256, (3, 2, 6, 6)))
    assert [unit.layer for unit in units_of(mapped) if unit.weights] == ["f.0", "fc1", "fc2"]


FOREIGN = {  # attributes of the second of three convolutions, shape of its weights
    "plain": ({}, (6, 4, 3, 3)),
    "dilated": ({"dilations": [2, 2], "pads": [2, 2, 2, 2]}, (6, 4, 3, 3)),
    "grouped": ({"group": 2}, (6, 2, 3, 3)),
    "depth multiplier": ({"group": 4}, (8, 1, 3, 3)),
    "asymmetric": ({"pads": [0, 1, 1, 0], "strides": [2, 1]}, (6, 4, 2, 2)),
    "same": ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (6, 4, 3, 3)),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_network_that_is_not_snapped_equals_its_file(what):
    """Scales as they come: every accumulator of every image. Its input has a sign."""
    rng = np.random.default_rng(11)
    attributes, shape = FOREIGN[what]
    constants = {"byte": 0.0123, "zero": 0.0, "bits": 8.0, "a": 0.0211, "p": 0.0153}
    rows = [quant("image", "x", "byte", signed=1)]
    rows += convolution(rng, "x", "l0", (4, 2, 3, 3), constants=constants)
    rows += convolution(rng, "l0", "l1", shape, signed=1, constants=constants, **attributes)
    rows += convolution(rng, "l1", "l2", (5, shape[0], 1, 1), constants=constants)
    rows += [
        helper.make_node("GlobalAveragePool", ["l2"], ["pool"]), quant("pool", "out", "p"),
    ]  # fmt: skip
    model = graph(rows, constants, [1, 2, 8, 8])
    equal_to_the_file(model, rng.integers(0, 256, (3, 2, 8, 8)))


def test_narrow_and_shifted_ranges_and_a_pad_node():
    """A narrow range, a zero point in the middle of the range, ReLU before a sign, two outputs."""
    rng = np.random.default_rng(12)
    constants = {
        "byte": 1 / 255, "zero": 0.0, "middle": 128.0, "bits": 8.0, "a": 0.02, "four": 4.0,
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
    }  # fmt: skip
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l0", (4, 2, 3, 3), signed=1, constants=constants)
    rows[-1] = helper.make_node(
        "Quant", ["l0_n", "a", "middle", "bits"], ["l0"], domain=QONNX, signed=0, narrow=0,
        rounding_mode="ROUND",
    )  # fmt: skip
    rows += [helper.make_node("Pad", ["l0", "pads"], ["padded"])]
    size = {"pads": [0, 0, 0, 0]}
    rows += convolution(rng, "padded", "l1", (4, 4, 2, 2), 1, constants=constants, **size)
    rows[-1] = helper.make_node(
        "Quant", ["l1_n", "a", "zero", "four"], ["l1"], domain=QONNX, signed=1, narrow=1,
        rounding_mode="ROUND",
    )  # fmt: skip
    rows += [helper.make_node("Relu", ["l1"], ["r"]), quant("r", "clipped", "a", signed=1)]
    model = graph(rows, constants, [1, 2, 6, 6], ("l1", "clipped"))
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 6)))
